"""Colours spread from where they are given to where they are not: one sparse linear system.

Source: Levin, Lischinski and Weiss 2004, "Colorization using Optimization". Neighbours of similar lightness
get similar colours. The weights are the paper's, over the 8 neighbours of a pixel, and those of the authors'
code where the paper leaves them open. What is minimised is the sum of w_rs (U_r - U_s)^2 over all pairs of
neighbours; the paper squares the difference of U_r and the mean of its neighbours. This form has a symmetric
matrix whose entries off the diagonal are negative, for which the multigrid method of Ruge and Stüben (1987)
needs about ten steps whatever the picture's size.
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
"""Share of the longer side: so far from given colours, with no edge between, their change falls to 1/e."""

_OFFSETS = ((0, 1), (1, -1), (1, 0), (1, 1))
"""(down, right) to half of the neighbours; those of the other half are their mirror images."""
# As in the authors' code, for a lightness in [0, 1]. The variance around a pixel is multiplied by `_SCALE`,
# and raised to `_LEAST_VARIANCE` where it is less. It is raised further where the neighbour that is most like
# the pixel would weigh less than `_LEAST_WEIGHT`, before the weights of neighbours are scaled to sum to 1.
_SCALE, _LEAST_VARIANCE, _LEAST_WEIGHT = 0.6, 2e-6, 0.01
# The solver stops when the residual is this share of the right-hand side: a* and b* are exact to some
# hundredths of a unit then.
_TOLERANCE = 1e-4
# A grid of so many unknowns or fewer is not made coarser but solved exactly.
_COARSEST = 50
_SWEEPS = {"pre": "forward", "post": "backward"}
# By how much a step of diffusion spreads colours where all neighbours weigh the same: half the variance of
# the offset to a neighbour along one axis, in square pixels.
_DIFFUSION = 3 / 8


def spread(L: Tensor, hints: Tensor, ab: Tensor | None = None, *, reach: float = REACH) -> Tensor:
    """Spread colours over a photo, keeping those of the hints.

    Args:
        L: (1, 1, H, W), in [0, 100].
        hints: (1, 3, H, W): a*, b* in CIELAB units, and 1 where they are given, else 0.
        ab: (1, 2, H, W), colours that the photo has without the hints. What is spread then is the difference
            that the hints make, and it fades with distance; None: there are no others.
        reach: how fast it fades, as `REACH` has it.
    Returns:
        (1, 2, H, W) float32: the hints' colours where they are given. Without a hint `ab`, or 0.
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
    """How much two neighbours have to do with each other.

    Args:
        Y: (H, W) float64, lightness in [0, 1].
    Returns:
        (4, H, W): of each pixel and its neighbour at `_OFFSETS`, the mean of the paper's w_rs and w_sr; 0
        where the neighbour is outside.
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
    """Of each pixel the value of its neighbour."""
    height, width = image.shape
    padded = np.pad(image, 1, constant_values=outside)
    return padded[1 + down : 1 + down + height, 1 + right : 1 + right + width]


def _solve(weights: np.ndarray, change: np.ndarray, is_given: np.ndarray, fading: float) -> np.ndarray:
    """(4, H, W) of `neighbors`, (2, H, W) where (H, W) says so -> (2, H, W) everywhere.

    The rows and columns of given pixels become those of the identity, and what they held goes to the right.
    """
    is_free = ~is_given.ravel()
    known = change.reshape(2, -1)
    between = _matrix(weights)
    right = is_free * (between @ known.T).T + known
    diagonal = np.where(is_free, between.sum(axis=1) + fading, 1.0)
    between.data *= np.repeat(is_free, np.diff(between.indptr)) & is_free[between.indices]
    matrix = (scipy.sparse.diags_array(diagonal) - between).tocsr()
    # Down and back up the grids in mirrored order: conjugate gradients take a symmetric preconditioner only.
    sweeps = {f"{when}smoother": ("gauss_seidel", {"sweep": way}) for when, way in _SWEEPS.items()}
    grids = pyamg.ruge_stuben_solver(matrix, max_coarse=_COARSEST, coarse_solver="splu", **sweeps)
    multigrid = grids.aspreconditioner()
    found = [cg(matrix, b, rtol=_TOLERANCE, M=multigrid)[0] for b in right]
    return np.where(is_given, change, np.stack(found).reshape(change.shape))


def _matrix(weights: np.ndarray) -> scipy.sparse.csr_array:
    """(4, H, W) of `neighbors` -> symmetric (H W, H W)."""
    num = weights[0].size
    pixels = np.arange(num)
    steps = [min(num, down * weights.shape[2] + right) for down, right in _OFFSETS]
    # No entry of a pixel whose neighbour is outside: its weight is 0, and the step leads into the next row.
    values = np.concatenate([w.ravel()[: num - step] for w, step in zip(weights, steps, strict=True)])
    rows = np.concatenate([pixels[: num - step] for step in steps])
    columns = np.concatenate([pixels[step:] for step in steps])
    one_way = scipy.sparse.coo_array((values, (rows, columns)), shape=(num, num)).tocsr()
    return one_way + one_way.T.tocsr()
