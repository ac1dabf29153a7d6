"""Colours pulled to those of a picture of the same things: hue and chroma move, detail does not.

Places of two pictures correspond by soft attention over what an encoder sees in them, as in Zhang et al.
2019, "Deep Exemplar-based Video Colorization". Of the colours found so only the difference from the picture's
own, averaged in the same way, is taken, coarse as the features are: a picture that is compared with itself
keeps its colours. Two pictures show the same scene where most places of the one are found in the other; what
they show as a whole would not tell one kitchen, or one face, from another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import gray_to_rgb
from models.timm_encoder import TimmEncoder

# Two pictures show the same scene from this mean on, over the places of one, of the largest cosine with one
# of the other.
_ALIKE = 0.55
# Pictures are looked at in a square of so many pixels; of the feature maps the one at stride 16 is matched.
_SIDE = 224
_MATCHED = 2
# Differences of cosine, and of L*, at which a place counts 1/e as much.
_TEMPERATURE = 0.05
_TOLERANCE = 10.0


@dataclass(frozen=True)
class Impression:
    """What is remembered of a picture: some 50 kB.

    Attributes:
        places: what each of N x N places of it shows, as of `places_of`.
        lab: (N * N, 3) their mean colours, CIELAB.
    """

    places: Tensor
    lab: Tensor


@torch.inference_mode()
def places_of(L: Tensor, encoder: TimmEncoder) -> Tensor:
    """What each of N x N places of a picture shows: (N * N, c) float16 of length 1.

    Args:
        L: (1, 1, h, w) in [0, 100].
        encoder: the same for all pictures that are compared.
    """
    square = F.interpolate(L, (_SIDE, _SIDE), mode="bilinear", antialias=True)
    places = encoder(gray_to_rgb(square))[_MATCHED][0].flatten(1).T.contiguous()
    spread = (places - places.mean(dim=0)) / places.std(dim=0).clamp_min(1e-3)
    return F.normalize(spread).half()


def remember(places: Tensor, L: Tensor, ab: Tensor) -> Impression:
    """
    Args:
        places: of the picture.
        L: (1, 1, h, w) in [0, 100].
        ab: (1, 2, h, w), CIELAB units.
    """
    side = round(len(places) ** 0.5)
    lab = F.interpolate(torch.cat((L, ab), dim=1), (side, side), mode="area")
    return Impression(places, lab[0].flatten(1).T.contiguous())


def nearest(places: Tensor, others: Sequence[Tensor]) -> int | None:
    """Which of several pictures shows the same scene, the most alike; None: none does. Of equals the last."""
    found = [float((places.float() @ other.float().T).amax(dim=1).mean()) for other in others]
    best = max(reversed(range(len(found))), key=found.__getitem__, default=None)
    return best if best is not None and found[best] >= _ALIKE else None


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
