"""Blocks that at least two models use."""

from __future__ import annotations

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

STRIDE = 32
"""Total stride of five stride-2 layers: input height and width must be multiples of it."""
SAME_4X4 = (1, 2, 1, 2)
"""Padding (left, right, top, bottom) with which a 4x4 convolution of stride 1 keeps the size."""


def pad_to_stride(x: Tensor, stride: int = STRIDE) -> Tensor:
    """Repeat the last row and column until height and width are multiples of `stride`.

    Args:
        x: (N, C, H, W).
        stride: product of the strides of the following layers.
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


def down_block(c_in: int, c_out: int, *, stride: int = 2, norm: bool = True) -> nn.Sequential:
    """A 4x4 convolution with a stride, optional batch norm, and leaky ReLU."""
    layers: list[nn.Module] = [nn.ZeroPad2d(SAME_4X4)] if stride == 1 else []
    layers.append(nn.Conv2d(c_in, c_out, 4, stride=stride, padding=0 if stride == 1 else 1))
    if norm:
        layers.append(nn.BatchNorm2d(c_out))
    return nn.Sequential(*layers, nn.LeakyReLU(0.2, inplace=True))


def initialize_conv(module: nn.Module) -> None:
    """Initialize the weights of a convolution as in DCGAN (Radford, Metz and Chintala 2016, section 3)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=0.02)
