"""Pull the colours of a picture to those of another of the same scene: coarsely, so that details stay.

Places of the two pictures are matched by soft attention over an encoder's features, as in Zhang et al. 2019,
"Deep Exemplar-based Video Colorization". The attention is applied to the colours of the other picture and to
the picture's own; the difference of the two results is added, at the coarse resolution of the features. A
picture that is matched with itself thus keeps its colours. Two pictures are taken to show the same scene if
most places of the one are found in the other: a global descriptor would not tell one kitchen, or one face,
from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import gray_to_rgb
from models.timm_encoder import TimmEncoder

# Two pictures show the same scene if the largest cosine similarity of each place of the one with any place of
# the other is at least this, on average.
_ALIKE = 0.55
# Side in pixels of the square in which pictures are compared; index of the feature map used, at stride 16.
_SIDE = 224
_MATCHED = 2
# Differences of cosine similarity, and of L*, at which the weight of a place falls to 1/e.
_TEMPERATURE = 0.05
_TOLERANCE = 10.0


@dataclass(frozen=True)
class Impression:
    """What is remembered of a picture, about 50 kB.

    Attributes:
        places: features of its N x N places, as of `places_of`.
        lab: (N * N, 3) their mean colours, CIELAB.
    """

    places: Tensor
    lab: Tensor


@torch.inference_mode()
def places_of(L: Tensor, encoder: TimmEncoder) -> Tensor:
    """Features of the N x N places of a picture: (N * N, c) float16, vectors of length 1.

    Args:
        L: (1, 1, h, w) in [0, 100].
        encoder: the same for all pictures that are compared.
    """
    square = F.interpolate(L, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    places = encoder(gray_to_rgb(square))[_MATCHED][0].flatten(1).T.contiguous()
    spread = (places - places.mean(dim=0)) / places.std(dim=0).clamp_min(1e-3)
    return F.normalize(spread).half()


def remember(places: Tensor, L: Tensor, ab: Tensor) -> Impression:
    """Reduce a picture to an impression.

    Args:
        places: of the picture.
        L: (1, 1, h, w) in [0, 100].
        ab: (1, 2, h, w), CIELAB units.
    """
    side = round(len(places) ** 0.5)
    lab = F.interpolate(torch.cat((L, ab), dim=1), (side, side), mode="area")
    return Impression(places, lab[0].flatten(1).T.contiguous())


def nearest(places: Tensor, others: Sequence[Tensor]) -> int | None:
    """Index of the most similar of several pictures, the last of equals; None: none shows the same scene."""
    found = [float((places.float() @ other.float().T).amax(dim=1).mean()) for other in others]
    best = max(reversed(range(len(found))), key=found.__getitem__, default=None)
    return best if best is not None and found[best] >= _ALIKE else None


def pull(picture: Impression, other: Impression, size: tuple[int, int]) -> Tensor:
    """The shift that pulls the colours of a picture to those of another.

    Args:
        picture: with its own colours.
        other: of the same scene.
        size: (height, width) of the result.
    Returns:
        (1, 2, height, width), CIELAB units, smooth.
    """
    difference = _attend(picture, other) - _attend(picture, picture)
    side = round(len(difference) ** 0.5)
    return F.interpolate(difference.T.reshape(1, 2, side, side), size, mode="bilinear")


def _attend(picture: Impression, other: Impression) -> Tensor:
    """Colours (N * N, 2) for the places of a picture: the attention-weighted mean of those of another."""
    cosine = picture.places.float() @ other.places.float().T
    lighter = picture.lab[:, :1] - other.lab[:, 0]
    weight = (cosine / _TEMPERATURE - (lighter / _TOLERANCE).square()).softmax(dim=1)
    return weight @ other.lab[:, 1:]
