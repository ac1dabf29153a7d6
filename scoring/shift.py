"""Shift consistency: whether predicted colours move with the photo; if not, patches become visible."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from data.color import cie_chroma

SHIFT = 16
"""Pixels by which the photo is moved right and down: half the stride of the deepest features."""
DEFINITION = (
    f"the photo moved right and down by {SHIFT} px, what comes in at the edge is its mirror image; distance "
    "of the colours of both on the part of the photo that both show, before clipping: mean over pixels and "
    "photos, over the mean chroma of the colours"
)


def shift(predict: Callable[[Tensor], Tensor], L: Tensor, ab: Tensor) -> Tensor:
    """Compute how much predicted colours change when the photos are shifted.

    The photo is moved by `SHIFT` to the right and down at the same size; the uncovered strips are filled by
    reflection.

    Args:
        predict: (N, 1, H, W) L* -> (N, 2, H, W) a*, b*, CIELAB units; a model.
        L: (N, 1, H, W), in [0, 100], H and W larger than `SHIFT`.
        ab: (N, 2, H, W), the prediction for `L`.
    Returns:
        (N,), CIELAB units: the mean a*b* distance of the two predictions over the part of the photo that both
        show; 0 is perfect. Report it divided by the mean chroma of `ab`: otherwise the least saturated model
        would score best.
    Raises:
        ValueError: the photos are not larger than the shift.
    """
    height, width = L.shape[-2:]
    if min(height, width) <= SHIFT:
        raise ValueError(f"expected photos of more than {SHIFT} pixels, got {tuple(L.shape)}")
    moved = predict(F.pad(L, (SHIFT, 0, SHIFT, 0), mode="reflect")[..., :height, :width].contiguous())
    return cie_chroma(moved[..., SHIFT:, SHIFT:] - ab[..., :-SHIFT, :-SHIFT]).mean(dim=(1, 2))
