"""Suggest colours for a place in a photo: the models' predictions, those that most models agree on first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data.color import join, lab_to_rgb
from inference.chroma import Chroma
from inference.model_view import lightness_seen
from media.picture import Picture

_SAME = 7.0
"""Colours at a smaller distance count as the same, CIELAB units."""


def likely_colors(gray: Picture, predicted: Sequence[Chroma], place: tuple[float, float]) -> list[str]:
    """Suggest colours for a place.

    Args:
        gray: the photo, of any size.
        predicted: colours of several models.
        place: (x, y) as fractions of its width and height, in [0, 1).
    Returns:
        '#rrggbb', each with the photo's lightness at the place; similar colours are merged.
    """
    L = lightness_seen(gray, gray.size)
    ab = groups(torch.stack([_at(chroma.ab, place) for chroma in predicted]))
    L_there = _at(L, place).expand(len(ab), 1)
    lab = join(L_there.T[None, :, None], ab.T[None, :, None])
    rgb = (lab_to_rgb(lab, gamut="chroma")[0, :, 0].T * 255).round().int().tolist()
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in rgb]


def groups(ab: Tensor) -> Tensor:
    """Cluster colours (N, 2) by distance; returns the means of the clusters (M, 2), large clusters first."""
    means = []
    while len(ab):
        is_near = torch.cdist(ab, ab, compute_mode="donot_use_mm_for_euclid_dist") < _SAME
        group = is_near[is_near.sum(dim=1).argmax()]
        means.append(ab[group].mean(dim=0))
        ab = ab[~group]
    return torch.stack(means)


def _at(planes: Tensor, place: tuple[float, float]) -> Tensor:
    """The values of (1, C, h, w) at a place: (C,)."""
    height, width = planes.shape[-2:]
    return planes[0, :, int(place[1] * height), int(place[0] * width)]
