"""Bins of colour: a*b* as one of 313 classes, and how colours are spread over them.

Source: Zhang, Isola and Efros 2016, "Colorful Image Colorization"; equations are numbered as there.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import STRIDE, pad_to_stride

GRID = 10
"""CIELAB units from one bin to the next."""
NUM_NEIGHBORS = 5
SIGMA = 5.0
"""Of the Gaussians by which targets are spread over bins, and frequencies smoothed; CIELAB units."""
UNIFORM_SHARE = 0.5
"""lambda of eq. 4."""

# a*, and the first and the last b*: as in the file of points that goes with the authors' weights.
_PUBLISHED = (
    *((-90, 50, 90), (-80, 20, 90), (-70, 0, 90), (-60, -20, 90), (-50, -30, 100), (-40, -40, 100)),
    *((-30, -50, 100), (-20, -50, 100), (-10, -60, 100), (0, -70, 100), (10, -80, 90), (20, -80, 90)),
    *((30, -90, 90), (40, -100, 90), (50, -100, 80), (60, -110, 80), (70, -110, 80), (80, -110, 70)),
    *((90, -110, 70), (100, -90, 0)),
)
NUM_BINS = sum((last - first) // GRID + 1 for _, first, last in _PUBLISHED)
"""313."""

# Colours that are compared with all bins at a time.
_ROWS = 2**16
# Of the table of nearest bins, every whole unit of a* and b*: all of sRGB lies inside.
_TABLE_LOW, _TABLE_SIDE = -128, 257


def published_bins() -> Tensor:
    """The 313 bins: (313, 2) float32 on the CPU, ordered by a*, then b*; CIELAB units."""
    centers = [(a, b) for a, first, last in _PUBLISHED for b in range(first, last + 1, GRID)]
    return torch.tensor(centers, dtype=torch.float32, device="cpu")


def small_colors(ab: Tensor, stride: int = STRIDE) -> Tensor:
    """The colours that logits are compared with, one for each 4x4 pixels: their mean.

    Args:
        ab: (N, 2, H, W), the true ones.
        stride: of the model, to whose multiple a photo is padded before.
    Returns:
        (M, 2), where M = N H' / 4 W' / 4.
    """
    return F.avg_pool2d(pad_to_stride(ab, stride), 4).movedim(1, -1).flatten(0, -2)


def soft_encode(ab: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Spread colours over their nearest bins, by a Gaussian of the distance.

    Args:
        ab: (M, 2), CIELAB units.
        centers: (Q, 2), of the bins.
    Returns:
        (M, 5) int64, the nearest bins, the very nearest first; and (M, 5), the share of each.
    """
    found = []
    for part in ab.split(_ROWS):
        # Not by a matrix product, whose differences of squares lose digits.
        distance = torch.cdist(part, centers, compute_mode="donot_use_mm_for_euclid_dist")
        found.append(distance.topk(min(NUM_NEIGHBORS, len(centers)), largest=False))
    nearest = torch.cat([values for values, _ in found])
    return torch.cat([index for _, index in found]), (-nearest.square() / (2 * SIGMA**2)).softmax(dim=1)


class SoftEncoder(nn.Module):
    """`soft_encode` of colours rounded to whole units over the published bins, by a table."""

    index: Tensor
    share: Tensor

    def __init__(self) -> None:
        super().__init__()
        index, share = _table()
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("share", share, persistent=False)

    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Colours (M, 2) -> (M, 5) int64 and (M, 5), as of `soft_encode`."""
        a, b = (ab.round().long() - _TABLE_LOW).clamp(0, _TABLE_SIDE - 1).unbind(dim=1)
        row = a * _TABLE_SIDE + b
        return self.index[row], self.share[row]


@functools.cache  # it takes longer than the rest of a model
def _table() -> tuple[Tensor, Tensor]:
    """`soft_encode` of every whole a* and b*, on the CPU."""
    with torch.inference_mode(False):  # a training of the same process may use it next
        units = torch.arange(_TABLE_SIDE, dtype=torch.float32, device="cpu") + _TABLE_LOW
        return soft_encode(torch.cartesian_prod(units, units), published_bins())


def smooth_frequencies(counts: Tensor, centers: Tensor) -> Tensor:
    """How frequent each bin is, smoothed by a Gaussian over the bins around it.

    Args:
        counts: (Q,), pixels nearest to each bin.
        centers: (Q, 2), CIELAB units.
    Returns:
        (Q,) float64, of sum 1.
    """
    centers = centers.double()
    kernel = (-(centers[:, None] - centers).square().sum(dim=2) / (2 * SIGMA**2)).exp()
    kernel /= kernel.sum(dim=0)  # each bin's pixels are shared out, none is lost at the gamut's edge
    return kernel @ (counts.double() / counts.sum())


def rebalance(counts: Tensor, centers: Tensor) -> Tensor:
    """Weights of the bins, eq. 4: the inverse of their frequency, mixed with a uniform one.

    Args:
        counts: (Q,), pixels nearest to each bin.
        centers: (Q, 2), CIELAB units.
    Returns:
        (Q,) float32, of mean 1 over the pixels.
    """
    smoothed = smooth_frequencies(counts, centers)
    weights = 1 / ((1 - UNIFORM_SHARE) * smoothed + UNIFORM_SHARE / len(centers))
    return (weights / (weights * smoothed).sum()).float()
