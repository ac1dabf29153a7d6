"""Which colours to suggest at a place of a photo: the models' own, those that most of them agree on first."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from data.color import join, lab_to_rgb
from inference.chroma import Chroma
from inference.model_view import lightness_seen
from media.picture import Picture

_SAME = 7.0
"""Colours that are nearer to each other are one, CIELAB units."""


def likely_colors(gray: Picture, predicted: Sequence[Chroma], place: tuple[float, float]) -> list[str]:
    """Colours to suggest.

    Args:
        gray: the photo, of any size.
        predicted: by several models.
        place: (x, y) as shares of its width and height, in [0, 1).
    Returns:
        '#rrggbb', each of the lightness that the photo has there; no two of them look the same.
    """
    L = lightness_seen(gray, gray.size)
    ab = groups(torch.stack([_at(chroma.ab, place) for chroma in predicted]))
    L_there = _at(L, place).expand(len(ab), 1)
    lab = join(L_there.T[None, :, None], ab.T[None, :, None])
    rgb = (lab_to_rgb(lab, gamut="chroma")[0, :, 0].T * 255).round().int().tolist()
    return ["#{:02x}{:02x}{:02x}".format(*color) for color in rgb]


def groups(ab: Tensor) -> Tensor:
    """Colours (N, 2) -> the means of those that look the same (M, 2), large groups first."""
    means = []
    while len(ab):
        is_near = torch.cdist(ab, ab, compute_mode="donot_use_mm_for_euclid_dist") < _SAME
        group = is_near[is_near.sum(dim=1).argmax()]
        means.append(ab[group].mean(dim=0))
        ab = ab[~group]
    return torch.stack(means)


def _at(planes: Tensor, place: tuple[float, float]) -> Tensor:
    """(1, C, h, w) -> (C)."""
    height, width = planes.shape[-2:]
    return planes[0, :, int(place[1] * height), int(place[0] * width)]
