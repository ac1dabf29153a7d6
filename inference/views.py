"""Test-time augmentation: the mean of a model's colours for a photo, mirrored and slightly shifted."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

# (down, right), pixels. Along both axes all differ modulo 4, 8, 16 and 32, so that no two views have the same
# position relative to the grid of any layer.
_SHIFTS = ((0, 0), (11, 6), (-6, 11), (-7, -11))
# Pixels per batch: eight pictures of 256 px.
_MAX_PIXELS = 8 * 256**2


class View(NamedTuple):
    """A way to show a photo: mirrored or not, then shifted within its frame."""

    is_mirrored: bool
    down: int
    right: int

    def show(self, L: Tensor) -> Tensor:
        """Apply the view to a photo (N, C, h, w); what a shift uncovers is filled by reflection."""
        L = L.flip(-1) if self.is_mirrored else L
        return F.pad(L, (self.right, -self.right, self.down, -self.down), mode="reflect")

    def undo(self, seen: Tensor) -> Tensor:
        """Undo the view: back to the photo's coordinates; 0 where the view does not show the photo."""
        seen = F.pad(seen, (-self.right, self.right, -self.down, self.down))
        return seen.flip(-1) if self.is_mirrored else seen


VIEWS = tuple(View(is_mirrored, *shift) for shift in _SHIFTS for is_mirrored in (False, True))
"""The photo unchanged, its mirror image, and shifted versions of both."""


def mean_over_views(predict: Callable[[Tensor], Tensor], L: Tensor, num: int) -> Tensor:
    """For each pixel the mean of its colours over the views that show it.

    Args:
        predict: input (N, C, h, w) -> ab (N, 2, h, w).
        L: (1, C, h, w), L* in [0, 100] and further channels, such as hints, that are moved along with it; no
            side may be shorter than the shifts.
        num: number of views, the first ones of `VIEWS`.
    Returns:
        (1, 2, h, w), CIELAB units; for `num` 1 the plain result of `predict`.
    """
    views = VIEWS[:num]
    parts = torch.cat([view.show(L) for view in views]).split(max(1, _MAX_PIXELS // L.numel()))
    ab = torch.cat([predict(part) for part in parts])
    ab = F.pad(ab, (0, 0, 0, 0, 0, 1), value=1.0)  # a third channel, which counts the views
    seen = [view.undo(part[None]) for view, part in zip(views, ab, strict=True)]
    total = torch.cat(seen).sum(dim=0, keepdim=True)
    return total[:, :2] / total[:, 2:]
