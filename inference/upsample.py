"""Upsample the colours of a small picture to a large one of the same photo, a strip of rows at a time."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import L_SCALE

REGULARIZATION = 0.02**2
"""The guided filter's epsilon: variance of L* / 100 in a 3x3 window below which it sees no edge."""

Rows = Callable[[Tensor, slice], Tensor]
"""(L* of some rows of the large picture (1, 1, rows, W), which rows) -> their ab (1, 2, rows, W)."""


def bilinear(L: Tensor, ab: Tensor, height: int, width: int) -> Rows:
    """Upsample the colours bilinearly, without regard to the large picture: they bleed over its edges."""
    stretched = Stretched(ab, height, width)
    return lambda _, rows: stretched[rows]


def guided_filter(L: Tensor, ab: Tensor, height: int, width: int) -> Rows:
    """Upsample the colours so that they change where the lightness of the large picture does.

    Around each pixel of the small picture a* and b* are fitted as linear functions of L*, as in the guided
    filter (He, Sun and Tang 2013, equation 5). Resizing loses detail of L*; by the slope the corresponding
    detail of the colours is restored:

        ab = stretch(ab_small) + stretch(slope) * (L - stretch(L_small))

    Unlike the output of the filter itself this does not smooth: where the slope is 0 it equals `bilinear`.

    Args:
        L: (1, 1, h, w), of the small picture, in [0, 100].
        ab: (1, 2, h, w), of the small picture, CIELAB units.
        height, width: of the large picture.
    Returns:
        A function that gives the colours of any rows of the large picture.
    """
    guide = L / L_SCALE
    mean_guide, mean_ab = _box(guide), _box(ab)
    variance = _box(guide * guide) - mean_guide * mean_guide
    slope = (_box(guide * ab) - mean_guide * mean_ab) / (variance + REGULARIZATION)
    stretched = Stretched(torch.cat((ab, slope, guide), dim=1), height, width)

    def colors(L_rows: Tensor, rows: slice) -> Tensor:
        ab, slope, guide = stretched[rows].split((2, 2, 1), dim=1)
        return torch.addcmul(ab, slope, L_rows / L_SCALE - guide)

    return colors


UPSAMPLERS: dict[str, Callable[[Tensor, Tensor, int, int], Rows]] = {
    "guided": guided_filter,
    "bilinear": bilinear,
}
"""Name -> (small L, small ab, height, width) -> the colours of any rows of the large picture."""


class Stretched:
    """A picture (1, C, h, w) resized lazily to (1, C, height, width): rows are computed when indexed.

    Equal to `F.interpolate(..., mode="bilinear", antialias=True)`, but takes the memory of (h, width) only.
    """

    def __init__(self, image: Tensor, height: int, width: int) -> None:
        h = image.shape[-2]
        # If the result has fewer rows, they are resized here too: that needs antialiasing, and little memory.
        size = (min(h, height), width)
        self.image = F.interpolate(image, size, mode="bilinear", antialias=True)
        self.scale = size[0] / height

    def __getitem__(self, rows: slice) -> Tensor:
        places = torch.arange(rows.start, rows.stop, dtype=torch.float64)
        y = ((places + 0.5) * self.scale - 0.5).clamp(0, self.image.shape[-2] - 1)
        above = y.long()
        below = (above + 1).clamp_max(self.image.shape[-2] - 1)
        weight = (y - above).to(self.image)[:, None]
        return self.image.index_select(-2, above).lerp_(self.image.index_select(-2, below), weight)


def _box(image: Tensor) -> Tensor:
    """Mean over the 3x3 window around each pixel; at the border over the part inside the picture."""
    return F.avg_pool2d(image, 3, stride=1, padding=1, count_include_pad=False)
