"""Do the colours stay on the things when the photo moves? Where they do not, people see patches."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from data.color import cie_chroma

SHIFT = 16
"""Pixels by which the photo is moved, to the right and down: half of what the deepest features stand for."""
DEFINITION = (
    f"the photo moved right and down by {SHIFT} px, what comes in at the edge is its mirror image; distance "
    "of the colours of both on the part of the photo that both show, before clipping: mean over pixels and "
    "photos, over the mean chroma of the colours"
)


def shift(predict: Callable[[Tensor], Tensor], L: Tensor, ab: Tensor) -> Tensor:
    """How far the colours of photos move when the photos do.

    A photo of the same size is looked at, moved by `SHIFT` to the right and down; the strips that become
    free show its mirror image.

    Args:
        predict: (N, 1, H, W) L* -> (N, 2, H, W) a*, b*, CIELAB units; a model.
        L: (N, 1, H, W), in [0, 100], H and W above `SHIFT`.
        ab: (N, 2, H, W), what it predicts for `L`.
    Returns:
        (N,), CIELAB units: the mean distance of the two predictions in a* and b*, over the part of the photo
        that both show; 0 where every colour stays on its pixel. To be reported over the mean chroma of `ab`:
        without it the dullest model would be the steadiest.
    Raises:
        ValueError: the photos are not larger than the shift.
    """
    height, width = L.shape[-2:]
    if min(height, width) <= SHIFT:
        raise ValueError(f"expected photos of more than {SHIFT} pixels, got {tuple(L.shape)}")
    moved = predict(F.pad(L, (SHIFT, 0, SHIFT, 0), mode="reflect")[..., :height, :width].contiguous())
    return cie_chroma(moved[..., SHIFT:, SHIFT:] - ab[..., :-SHIFT, :-SHIFT]).mean(dim=(1, 2))
