"""Colours pulled to those of a picture of the same things: hue and chroma move, detail does not.

Two pictures are alike by what an encoder sees in them. Places correspond by soft attention over its features,
as in Zhang et al. 2019, "Deep Exemplar-based Video Colorization"; of the colours found so only the difference
from the picture's own, averaged in the same way, is taken, coarse as the features are. So a picture that is
compared with itself keeps its colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import gray_to_rgb
from models.timm_encoder import TimmEncoder

ALIKE = 0.7
"""Cosine of what an encoder sees in two pictures from which on they show the same scene."""

# Pictures are looked at in a square of so many pixels; of the feature maps the one at stride 16 is matched.
_SIDE = 224
_MATCHED = 2
# Differences of cosine, and of L*, at which a place counts 1/e as much.
_TEMPERATURE = 0.05
_TOLERANCE = 10.0


@dataclass(frozen=True)
class Impression:
    """What is remembered of a picture.

    Attributes:
        scene: (C,) of length 1, what it shows.
        places: (N * N, c) float16 of length 1, what each of N x N places of it shows.
        lab: (N * N, 3) their mean colours, CIELAB.
    """

    scene: Tensor
    places: Tensor
    lab: Tensor

    def likeness(self, other: Impression) -> float:
        """Cosine of what two pictures show."""
        return float(self.scene @ other.scene)


@torch.inference_mode()
def remember(L: Tensor, ab: Tensor, encoder: TimmEncoder) -> Impression:
    """
    Args:
        L: (1, 1, h, w) in [0, 100].
        ab: (1, 2, h, w), CIELAB units.
        encoder: the same for all pictures that are compared.
    """
    square = F.interpolate(L, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    maps = encoder(gray_to_rgb(square))
    places = maps[_MATCHED][0].flatten(1).T.contiguous()
    spread = (places - places.mean(dim=0)) / places.std(dim=0).clamp_min(1e-3)
    lab = F.interpolate(torch.cat((L, ab), dim=1), maps[_MATCHED].shape[-2:], mode="area")
    scene = F.normalize(maps[-1].mean(dim=(2, 3)))[0]
    return Impression(scene, F.normalize(spread).half(), lab[0].flatten(1).T.contiguous())


def nearest(picture: Impression, others: Sequence[Impression]) -> Impression | None:
    """The most alike of several pictures; None: none shows the same scene. Of equals the last."""
    best = max(reversed(others), key=picture.likeness, default=None)
    return best if best is not None and picture.likeness(best) >= ALIKE else None


@torch.inference_mode()
def pull(picture: Impression, other: Impression, size: tuple[int, int]) -> Tensor:
    """What is to be added to the colours of a picture for those of another.

    Args:
        picture: in its own colours.
        other: of the same things.
        size: (height, width) of the result.
    Returns:
        (1, 2, height, width), CIELAB units, smooth.
    """
    difference = _attend(picture, other) - _attend(picture, picture)
    side = round(len(difference) ** 0.5)
    return F.interpolate(difference.T.reshape(1, 2, side, side), size, mode="bilinear")


def _attend(picture: Impression, other: Impression) -> Tensor:
    """(N * N, 2) colours for the places of a picture: the mean of those of another that show the same."""
    cosine = picture.places.float() @ other.places.float().T
    lighter = picture.lab[:, :1] - other.lab[:, 0]
    weight = (cosine / _TEMPERATURE - (lighter / _TOLERANCE).square()).softmax(dim=1)
    return weight @ other.lab[:, 1:]
