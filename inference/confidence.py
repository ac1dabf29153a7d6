"""Confidence by consistency: how similar a model's colours are when the photo is slightly changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import L_SCALE
from models.layers import STRIDE

Predict = Callable[[Tensor], Tensor]
"""L* (1, 1, h, w) -> ab (1, 2, h, w)."""

_SIZES = (0.75, 1.25)
_GAMMAS = (0.9, 1.1)
# CIELAB units: at this spread confidence has fallen to 1/e.
_SCALE = 10.0


def confidence(predict: Predict, L: Tensor, predict_mirrored: Predict | None = None) -> Tensor:
    """A model's confidence in the colour of each pixel, from how stable its prediction is.

    The photo is shown unchanged, mirrored, smaller, larger, lighter and darker. The spread is the root mean
    square distance of the resulting colours from their mean, and the confidence is exp(-spread / 10).

    Args:
        predict: the model.
        L: (1, 1, h, w), in [0, 100].
        predict_mirrored: the same for the mirror image, with mirrored hints; None: there are no hints, and
            `predict` is used.
    Returns:
        (1, 1, h, w) in (0, 1].
    """
    height, width = L.shape[-2:]
    views = [predict(L), (predict_mirrored or predict)(L.flip(-1)).flip(-1)]
    for factor in _SIZES:
        size = [max(STRIDE, round(side * factor / STRIDE) * STRIDE) for side in (height, width)]
        views.append(_resize(predict(_resize(L, size)), (height, width)))
    views += [predict(L_SCALE * (L / L_SCALE) ** gamma) for gamma in _GAMMAS]
    ab = torch.cat(views)
    spread = (ab - ab.mean(dim=0)).square().sum(dim=1, keepdim=True).mean(dim=0, keepdim=True).sqrt()
    return (-spread / _SCALE).exp()


def most_consistent(candidates: Sequence[Tensor]) -> int:
    """Choose the size at which to show a photo to a model: where its colours are closest to those at others.

    Args:
        candidates: ab (1, 2, h, w) of one photo, as a model predicts it at several sizes.
    Returns:
        Index of the one with the smallest mean distance to the rest.
    """
    common = candidates[0].shape[-2:]
    ab = torch.cat([_resize(each, common) for each in candidates])
    distance = (ab[:, None] - ab[None]).square().sum(dim=2).sqrt().mean(dim=(2, 3))
    return int(distance.sum(dim=1).argmin())


def _resize(image: Tensor, size: Sequence[int]) -> Tensor:
    return F.interpolate(image, tuple(size), mode="bilinear", antialias=True)
