"""Blocks that at least two models use."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 32
"""Five stride-2 layers: what the height and width of their input must be multiples of."""


def pad_to_stride(x: Tensor, stride: int = STRIDE) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `stride`.

    Args:
        x: (N, C, H, W).
        stride: product of the strides of the layers to come.
    Returns:
        (N, C, ceil(H / stride) * stride, ceil(W / stride) * stride); cut the result back with
        `[..., :H, :W]`.
    """
    height, width = x.shape[-2:]
    return F.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")


def ab_decoder(c_in: int, width: int) -> nn.Sequential:
    """Five 3x3 stride-2 transposed convolutions, ReLU between them, tanh last.

    (N, c_in, h, w) -> (N, 2, 32h, 32w) in (-1, 1); `width` channels before the last.
    """
    channels = (c_in, 8 * width, 4 * width, 2 * width, width, 2)
    layers: list[nn.Module] = []
    for c_in, c_out in pairwise(channels):
        layers += [
            nn.ConvTranspose2d(c_in, c_out, 3, stride=2, padding=1, output_padding=1),
            nn.ReLU(inplace=True),
        ]
    layers[-1] = nn.Tanh()
    return nn.Sequential(*layers)
