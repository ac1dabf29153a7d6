"""Blocks that at least two models use."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 32
"""Five stride-2 layers: what the height and width of their input must be multiples of."""


def pad_to_stride(x: Tensor) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `STRIDE`.

    Args:
        x: (N, C, H, W).
    Returns:
        (N, C, ceil(H / 32) * 32, ceil(W / 32) * 32); cut the result back with `[..., :H, :W]`.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % STRIDE, 0, -height % STRIDE), mode="replicate")


def ab_decoder() -> nn.Sequential:
    """Five 3x3 stride-2 transposed convolutions, ReLU between them, tanh last.

    (N, 512, h, w) -> (N, 2, 32h, 32w) in (-1, 1).
    """
    channels = (512, 256, 128, 64, 32, 2)
    layers: list[nn.Module] = []
    for c_in, c_out in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(inplace=True),
        ]
    layers[-1] = nn.Tanh()
    return nn.Sequential(*layers)
