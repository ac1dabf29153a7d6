"""Kernel distance (KID) of two sets of pictures: unlike the Fréchet distance, it is unbiased."""

from __future__ import annotations

import torch
from torch import Tensor

DEFINITION = (
    "squared maximum mean discrepancy, kernel (x·y / d + 1)^3, of the same features, unbiased: about 0 for "
    "photos of the same kind, below as often as above. Interval: 95 % percentile bootstrap of its "
    "first-order terms, one a photo"
)
_ROWS = 1024  # of the kernel matrix at a time


def kid_terms(first: Tensor, second: Tensor) -> Tensor:
    """Compute the contribution of each pair of pictures to the kernel distance of two sets.

    With z_i = (x_i, y_i) and h(z_i, z_j) = k(x_i, x_j) + k(y_i, y_j) - k(x_i, y_j) - k(x_j, y_i), the
    distance is the mean of h over i != j. Pictures of the same photo are never compared, so it is unbiased
    for paired sets, too.

    Args:
        first, second: (N, d), floating, N at least 2; of the same photos in one order, or of different ones.
    Returns:
        (N,) float64. Their mean is the distance; to first order, the distance of a resample of the photos is
        the mean of its terms (Hájek projection: twice the mean of h over j, minus the distance).
    Raises:
        ValueError: the shapes do not fit.
    Source: Gretton et al. 2012, eq. 4; as a score of pictures Bińkowski et al. 2018, eq. 3 and 4.
    """
    if first.ndim != 2 or first.shape != second.shape or len(first) < 2:
        raise ValueError(f"expected (N, d) twice, got {tuple(first.shape)} and {tuple(second.shape)}")
    x, y = first.double(), second.double()
    sums = torch.cat([_sums(x, y, slice(i, i + _ROWS)) for i in range(0, len(x), _ROWS)])
    means = sums / (len(x) - 1)
    return 2 * means - means.mean()


def _sums(x: Tensor, y: Tensor, rows: slice) -> Tensor:
    """Sum h over all j != i, for each i in a slice of rows."""
    h = _kernel(x[rows], x) + _kernel(y[rows], y) - _kernel(x[rows], y) - _kernel(y[rows], x)
    start = rows.start
    return h.sum(dim=1) - h.diagonal(start)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    return (a @ b.T / a.shape[1] + 1) ** 3
