"""Spread given colours over a photo by solving one sparse linear system.

Source: Levin, Lischinski and Weiss 2004, "Colorization using Optimization". Neighbours of similar lightness
get similar colours. The weights over the 8 neighbours of a pixel are the paper's, and those of the authors'
code where the paper leaves them open. Minimised is the sum of w_rs (U_r - U_s)^2 over all pairs of
neighbours; the paper minimises the squared difference of U_r and the weighted mean of its neighbours. Our
form leads to a symmetric matrix with negative off-diagonal entries, for which the multigrid method of Ruge
and Stüben (1987) needs about ten steps whatever the size of the picture.
"""

from __future__ import annotations

import numpy as np
import pyamg
import scipy.sparse
import torch
from scipy.ndimage import uniform_filter
from scipy.sparse.linalg import cg
from torch import Tensor

from data.color import L_SCALE

REACH = 0.5
"""Distance, as a share of the long side, at which a correction falls to 1/e if there is no edge between."""

_OFFSETS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""(down, right) to half of the neighbours; the offsets to the other half are the negatives of these."""
# As in the authors' code, for a lightness in [0, 1]. The variance around a pixel is multiplied by `_SCALE`,
# with `_LEAST_VARIANCE` as its lower limit. It is raised further if the weight of the most similar neighbour
# would be below `_LEAST_WEIGHT`. Then the weights of the neighbours are scaled to sum to 1.
_SCALE, _LEAST_VARIANCE, _LEAST_WEIGHT = 0.6, 2e-6, 0.01
# The solver stops when the residual is this share of the right-hand side: a* and b* are then exact to a few
# hundredths of a unit.
_TOLERANCE = 1e-4
# A grid of at most so many unknowns is not coarsened further, but solved directly.
_COARSEST = 50
_SWEEPS = {"pre": "forward", "post": "backward"}
# Diffusion coefficient where all neighbours have the same weight: half the variance of the offset to a
# neighbour along one axis, in square pixels.
_DIFFUSION = 3 / 8


def spread(L: Tensor, hints: Tensor, ab: Tensor | None = None, *, reach: float = REACH) -> Tensor:
    """Spread colours over a photo, keeping those of the hints.

    Args:
        L: (1, 1, H, W), in [0, 100].
        hints: (1, 3, H, W): a*, b* in CIELAB units, and 1 where they are given, else 0.
        ab: (1, 2, H, W), the photo's colours without the hints. Then the difference between hints and these
            is spread, and fades with distance; None: the hints' colours are spread, without fading.
        reach: how fast it fades, see `REACH`.
    Returns:
        (1, 2, H, W) float32; equal to the hints where they are given. If there is no hint, `ab` or 0.
    """
    start = torch.zeros_like(hints[:, :2]) if ab is None else ab
    is_given = (hints[0, 2] > 0).numpy()
    if not is_given.any():
        return start.float()
    if is_given.all():
        return hints[:, :2].float()
    fading = 0.0 if ab is None else _DIFFUSION / (reach * max(L.shape[-2:])) ** 2
    change = (hints[0, :2] - start[0]).double().numpy() * is_given
    found = _solve(neighbors(L[0, 0].double().numpy() / L_SCALE), change, is_given, fading)
    return start.float() + torch.from_numpy(found)[None].float()


def neighbors(Y: np.ndarray) -> np.ndarray:
    """The weights between neighbouring pixels.

    Args:
        Y: (H, W) float64, lightness in [0, 1].
    Returns:
        (4, H, W): for each pixel and its neighbour at each of `_OFFSETS`, the mean of the paper's w_rs and
        w_sr; 0 if the neighbour is outside the picture.
    """
    offsets = (*_OFFSETS, *((-down, -right) for down, right in _OFFSETS))
    distances = np.stack([(_moved(Y, *offset, np.inf) - Y) ** 2 for offset in offsets])
    mean = uniform_filter(Y, 3)
    variance = _SCALE * (uniform_filter(Y * Y, 3) - mean * mean)
    least = np.maximum(distances.min(axis=0) / -np.log(_LEAST_WEIGHT), _LEAST_VARIANCE)
    weights = np.exp(-distances / np.maximum(variance, least))
    weights /= weights.sum(axis=0)
    return np.stack(
        [(weights[i] + _moved(weights[i + 4], *offset, 0.0)) / 2 for i, offset in enumerate(_OFFSETS)]
    )


def _moved(image: np.ndarray, down: int, right: int, outside: float) -> np.ndarray:
    """For each pixel the value of its neighbour at an offset, or `outside`."""
    height, width = image.shape
    padded = np.pad(image, 1, constant_values=outside)
    return padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]


def _solve(weights: np.ndarray, change: np.ndarray, is_given: np.ndarray, fading: float) -> np.ndarray:
    """Solve for the change everywhere, (2, H, W), from its values at the pixels `is_given` (H, W).

    The rows and columns of given pixels are replaced by those of the identity matrix, and their known values
    are moved to the right-hand side.
    """
    is_free = ~is_given.ravel()
    known = change.reshape(2, -1)
    between = _matrix(weights)
    right = is_free * (between @ known.T).T + known
    diagonal = np.where(is_free, between.sum(axis=1) + fading, 1.0)
    between.data *= np.repeat(is_free, np.diff(between.indptr)) & is_free[between.indices]
    matrix = (scipy.sparse.diags_array(diagonal) - between).tocsr()
    # Smoothing runs in reverse order on the way back up: conjugate gradients need a symmetric preconditioner.
    sweeps = {f"{when}smoother": ("gauss_seidel", {"sweep": way}) for when, way in _SWEEPS.items()}
    grids = pyamg.ruge_stuben_solver(matrix, max_coarse=_COARSEST, coarse_solver="splu", **sweeps)
    multigrid = grids.aspreconditioner()
    found = [cg(matrix, b, rtol=_TOLERANCE, M=multigrid)[0] for b in right]
    return np.where(is_given, change, np.stack(found).reshape(change.shape))


def _matrix(weights: np.ndarray) -> scipy.sparse.csr_array:
    """The weights (4, H, W) of `neighbors` as a symmetric matrix (H W, H W)."""
    num = weights[0].size
    pixels = np.arange(num)
    steps = [min(num, down * weights.shape[2] + right) for down, right in _OFFSETS]
    # Where a neighbour is outside, the step leads to a pixel of the next row, but the weight is 0.
    values = np.concatenate([w.ravel()[: num - step] for w, step in zip(weights, steps, strict=True)])
    rows = np.concatenate([pixels[: num - step] for step in steps])
    columns = np.concatenate([pixels[step:] for step in steps])
    one_way = scipy.sparse.coo_array((values, (rows, columns)), shape=(num, num)).tocsr()
    return one_way + one_way.T.tocsr()
