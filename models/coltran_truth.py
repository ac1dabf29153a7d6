"""Training targets of coltran2021: coarse colours (3 bits per channel) and fine ones (8 bits)."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batch import Batch
from data.color import join, lab_to_rgb

NUM_LEVELS = 8
"""Number of levels per channel R, G, B in the coarse colours."""
NUM_VALUES = 256
"""Number of values per channel in the fine colours."""
NUM_COLORS = NUM_LEVELS**3


class Truth(NamedTuple):
    """The true colours of N photos, int64.

    Attributes:
        coarse: (N, low, low), in [0, 511].
        low: (N, 3, low, low), R, G and B in [0, 255].
        high: (N, 3, high, high), the same.
        channel: (N, 1, 1), on which of the three channels a photo trains the upsamplers: 0, 1 or 2.
    """

    coarse: Tensor
    low: Tensor
    high: Tensor
    channel: Tensor

    def taught(self, rgb: Tensor) -> Tensor:
        """Select `channel` of (N, 3, H, W): (N, H, W)."""
        return torch.take_along_dim(rgb, self.channel[:, None], dim=1)[:, 0]


@torch.no_grad()
def truth_of(batch: Batch, low: int, high: int) -> Truth:
    """Resize a batch's colours to squares of these sides; its seeds select the trained channels."""
    assert batch.seeds is not None
    rgb = lab_to_rgb(join(batch.L, batch.ab))
    rgb = F.interpolate(rgb, (high, high), mode="bilinear", antialias=True)
    small = _to_8_bits(F.avg_pool2d(rgb, high // low))
    red, green, blue = (small // (NUM_VALUES // NUM_LEVELS)).unbind(1)
    coarse = (red * NUM_LEVELS + green) * NUM_LEVELS + blue
    channel = (batch.seeds % 3).to(rgb.device)[:, None, None]
    return Truth(coarse, small, _to_8_bits(rgb), channel)


def levels_of(coarse: Tensor) -> Tensor:
    """(N, H, W) int64, colours in [0, 511] -> (N, 3, H, W) float32, levels of R, G and B in [0, 7]."""
    levels = (coarse // NUM_LEVELS**2, coarse // NUM_LEVELS % NUM_LEVELS, coarse % NUM_LEVELS)
    return torch.stack(levels, dim=1).float()


def mean_levels(logits: Tensor) -> Tensor:
    """(N, H, W, 512) -> (N, 3, H, W) float32, the mean levels of R, G and B."""
    colors = logits.float().softmax(dim=-1).unflatten(-1, (NUM_LEVELS,) * 3)
    level = torch.arange(NUM_LEVELS, dtype=torch.float32, device=logits.device)
    others = ((-2, -1), (-3, -1), (-3, -2))
    # Not by matrix product, which autocast would round to bfloat16.
    return torch.stack([(colors.sum(dim=axes) * level).sum(dim=-1) for axes in others], dim=1)


def _to_8_bits(rgb: Tensor) -> Tensor:
    return ((NUM_VALUES - 1) * rgb).round().long()
