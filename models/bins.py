"""Colour bins: a*b* as one of 313 classes, soft encoding of colours, and class weights.

Source: Zhang, Isola and Efros 2016, "Colorful Image Colorization"; equations are numbered as there.
"""

from __future__ import annotations

import functools

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.layers import STRIDE, pad_to_stride

GRID = 10
"""Distance between neighbouring bins, CIELAB units."""
NUM_NEIGHBORS = 5
SIGMA = 5.0
"""Standard deviation of the Gaussians for soft encoding and for smoothing frequencies; CIELAB units."""
UNIFORM_SHARE = 0.5
"""lambda of eq. 4."""

# a*, and the first and the last b* of the bins, as in the file published with the authors' weights.
_PUBLISHED = (
    *((-90, 50, 90), (-80, 20, 90), (-70, 0, 90), (-60, -20, 90), (-50, -30, 100), (-40, -40, 100)),
    *((-30, -50, 100), (-20, -50, 100), (-10, -60, 100), (0, -70, 100), (10, -80, 90), (20, -80, 90)),
    *((30, -90, 90), (40, -100, 90), (50, -100, 80), (60, -110, 80), (70, -110, 80), (80, -110, 70)),
    *((90, -110, 70), (100, -90, 0)),
)
NUM_BINS = sum((last - first) // GRID + 1 for _, first, last in _PUBLISHED)
"""313."""

# Number of colours that are compared with all bins at once.
_ROWS = 2**16
# First value and side of the table of nearest bins, over integer a* and b*; it covers the sRGB gamut.
_TABLE_LOW, _TABLE_SIDE = -128, 257


def published_bins() -> Tensor:
    """Return the 313 bin centers: (313, 2) float32 on the CPU, ordered by a*, then b*; CIELAB units."""
    centers = [(a, b) for a, first, last in _PUBLISHED for b in range(first, last + 1, GRID)]
    return torch.tensor(centers, dtype=torch.float32, device="cpu")


def small_colors(ab: Tensor, stride: int = STRIDE) -> Tensor:
    """Downsample the true colours to the resolution of the logits: the mean of each 4x4 pixels.

    Args:
        ab: (N, 2, H, W), true colours.
        stride: of the model; photos are first padded to multiples of it.
    Returns:
        (M, 2), where M = N H' / 4 W' / 4.
    """
    return F.avg_pool2d(pad_to_stride(ab, stride), 4).movedim(1, -1).flatten(0, -2)


def soft_encode(ab: Tensor, centers: Tensor) -> tuple[Tensor, Tensor]:
    """Soft-encode colours over their nearest bins, weighted by a Gaussian of the distance.

    Args:
        ab: (M, 2), CIELAB units.
        centers: (Q, 2), of the bins.
    Returns:
        (M, 5) int64, indices of the nearest bins, nearest first; and (M, 5), their weights, of sum 1.
    """
    found = []
    for part in ab.split(_ROWS):
        # Not by matrix product, which loses precision by cancellation.
        distance = torch.cdist(part, centers, compute_mode="donot_use_mm_for_euclid_dist")
        found.append(distance.topk(min(NUM_NEIGHBORS, len(centers)), largest=False))
    nearest = torch.cat([values for values, _ in found])
    return torch.cat([index for _, index in found]), (-nearest.square() / (2 * SIGMA**2)).softmax(dim=1)


class SoftEncoder(nn.Module):
    """`soft_encode` over the published bins by table lookup, for colours rounded to integers."""

    index: Tensor
    share: Tensor

    def __init__(self) -> None:
        super().__init__()
        index, share = _table()
        self.register_buffer("index", index, persistent=False)
        self.register_buffer("share", share, persistent=False)

    def forward(self, ab: Tensor) -> tuple[Tensor, Tensor]:
        """Colours (M, 2) -> (M, 5) int64 and (M, 5), as in `soft_encode`."""
        a, b = (ab.round().long() - _TABLE_LOW).clamp(0, _TABLE_SIDE - 1).unbind(dim=1)
        row = a * _TABLE_SIDE + b
        return self.index[row], self.share[row]


@functools.cache  # it takes longer than building the rest of a model
def _table() -> tuple[Tensor, Tensor]:
    """Run `soft_encode` on all integer a* and b* of the table, on the CPU."""
    with torch.inference_mode(False):  # a training of the same process may use it next
        units = torch.arange(_TABLE_SIDE, dtype=torch.float32, device="cpu") + _TABLE_LOW
        return soft_encode(torch.cartesian_prod(units, units), published_bins())


def smooth_frequencies(counts: Tensor, centers: Tensor) -> Tensor:
    """Compute the frequency of each bin, smoothed over neighbouring bins by a Gaussian.

    Args:
        counts: (Q,), number of pixels nearest to each bin.
        centers: (Q, 2), CIELAB units.
    Returns:
        (Q,) float64, of sum 1.
    """
    centers = centers.double()
    kernel = (-(centers[:, None] - centers).square().sum(dim=2) / (2 * SIGMA**2)).exp()
    kernel /= kernel.sum(dim=0)  # normalized per bin: none is lost at the gamut's edge
    return kernel @ (counts.double() / counts.sum())


def rebalance(counts: Tensor, centers: Tensor) -> Tensor:
    """Compute class weights, eq. 4: the inverse of the bins' frequency mixed with a uniform distribution.

    Args:
        counts: (Q,), number of pixels nearest to each bin.
        centers: (Q, 2), CIELAB units.
    Returns:
        (Q,) float32, of mean 1 over the pixels.
    """
    smoothed = smooth_frequencies(counts, centers)
    weights = 1 / ((1 - UNIFORM_SHARE) * smoothed + UNIFORM_SHARE / len(centers))
    return (weights / (weights * smoothed).sum()).float()
