"""Colours from another photo, by matching texture: micro-scribbles for the solve.

Source: Irony, Cohen-Or and Lischinski 2005, "Colorization by Example". The reference is segmented by colour.
The features of each place are projected to a space in which the segments are well separated. There each place
of the photo is classified by its nearest neighbours in the reference, then by a vote of the places around it;
if these agree, its colour becomes a scribble. The paper's features are cosine transforms of patches; those of
a network that recognises what a photo shows can be used instead.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.linalg
import torch
import torch.nn.functional as F
from scipy.cluster.vq import kmeans2
from scipy.fft import dctn
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree
from torch import Tensor

from data.color import L_SCALE, gray_to_rgb
from inference.model_view import lab_seen, lightness_seen
from media.decode import is_gray
from media.picture import Picture
from models.timm_encoder import TimmEncoder

Features = Callable[[Tensor], Tensor]
"""L* (1, 1, h, w) -> features (C, h', w'), one vector for each place that is matched."""

_SIDE = 256  # long side in pixels at which photos are matched
_PATCH = 8
_NUM_SEGMENTS = 8
_NUM_DIMENSIONS = 10
_NUM_NEAREST = 9
_WINDOW = 5  # places across, of the spatial vote
_AGREEMENT = 0.5
# Regularisation of the within-segment scatter: added to its diagonal, as a share of the diagonal's mean.
_SHRINKAGE = 0.1


def has_colors(reference: Picture) -> bool:
    """Return whether a reference has colours to give, by the small copy that is matched."""
    return not is_gray(reference.preview(_SIDE))


def cosine_features(L: Tensor) -> Tensor:
    """The type-II DCT of the 8x8 patch around every second pixel, as in the paper.

    Args:
        L: (1, 1, h, w), in [0, 100].
    Returns:
        (64, h', w').
    """
    before = _PATCH // 2 - 1
    padded = F.pad(L / L_SCALE, (before, _PATCH // 2, before, _PATCH // 2), mode="replicate")
    patches = padded[0, 0].unfold(0, _PATCH, 2).unfold(1, _PATCH, 2).numpy()  # (h', w', 8, 8)
    found = torch.from_numpy(dctn(patches, axes=(2, 3), norm="ortho"))
    return found.flatten(2).permute(2, 0, 1)


def encoder_features(encoder: TimmEncoder) -> Features:
    """An encoder's feature maps at strides 4 to 32, resized to the first and scaled to a mean square of 1."""

    @torch.inference_mode()
    def features(L: Tensor) -> Tensor:
        maps = encoder(gray_to_rgb(L))
        size = maps[0].shape[-2:]
        stretched = [F.interpolate(m, size, mode="bilinear") / m.square().mean().sqrt() for m in maps]
        inside = [-(-side // 4) for side in L.shape[-2:]]  # the encoder pads
        return torch.cat(stretched, dim=1)[0, :, : inside[0], : inside[1]]

    return features


class Reference:
    """A colour photo from which other photos take their colours.

    Attributes:
        features: the function that gives the features by which places are matched.
    """

    def __init__(self, picture: Picture, features: Features) -> None:
        self.features = features
        lab = lab_seen(picture, _fit(picture.size))
        maps = features(lab[:, :1])
        places = F.interpolate(lab, maps.shape[-2:], mode="area")[0].flatten(1).T.double().numpy()
        self._ab = places[:, 1:]
        self._segments = _segment(places)
        vectors = _vectors(maps)
        self._projection = _separate(vectors, self._segments)
        self._tree = cKDTree(vectors @ self._projection)

    def scribbles(self, photo: Picture, height: int, width: int) -> Tensor:
        """Colours for those places of a photo whose match is reliable.

        Args:
            photo: only its lightness is used.
            height, width: of the result.
        Returns:
            (1, 3, height, width), as hints: a*, b* in CIELAB units and 1 where they are given, else 0.
        """
        maps = self.features(lightness_seen(photo, _fit(photo.size)))
        size = maps.shape[-2:]
        distance, nearest = self._tree.query(_vectors(maps) @ self._projection, k=_NUM_NEAREST)
        segments = self._segments[nearest]  # (places, neighbours)
        votes = (segments[..., None] == np.arange(_NUM_SEGMENTS)).sum(axis=1)
        segment = votes.argmax(axis=1)
        is_first = np.arange(len(segment)), (segments == segment[:, None]).argmax(axis=1)
        ab = self._ab[nearest[is_first]].T.reshape(2, *size)
        scale = np.median(distance[:, 0]) + 1e-9
        weight = np.exp(-distance[is_first] / scale).reshape(size)
        share, voted = _vote(segment.reshape(size), weight, ab)
        is_sure = share >= min(_AGREEMENT, float(np.median(share)))
        return _draw(voted, is_sure, height, width)


def palette(reference: Picture, photo: Picture, height: int, width: int) -> Tensor:
    """For each pixel the mean colour of the reference's pixels whose lightness has the same rank.

    It is the simple method for comparison.

    Returns:
        (1, 3, height, width), as hints that are given everywhere.
    """
    L = lightness_seen(photo, (width, height)).flatten()
    lab = lab_seen(reference, _fit(reference.size))[0].flatten(1)
    parts = lab[1:, lab[0].argsort()].chunk(_SIDE, dim=1)
    colors = torch.stack([part.mean(dim=1) for part in parts], dim=1)
    rank = torch.empty(len(L), dtype=torch.long)
    rank[L.argsort()] = torch.arange(len(L)) * colors.shape[1] // len(L)
    return F.pad(colors[:, rank].view(1, 2, height, width), (0, 0, 0, 0, 0, 1), value=1.0)


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a photo whose longer side is `_SIDE`."""
    width, height = (max(_PATCH, round(length * _SIDE / max(size))) for length in size)
    return width, height


def _vectors(maps: Tensor) -> np.ndarray:
    """(C, h, w) -> (h w, C)."""
    return maps.flatten(1).T.double().numpy()


def _segment(lab: np.ndarray) -> np.ndarray:
    """Lab of N places -> (N,) numbers of segments, by k-means."""
    _, segments = kmeans2(lab, _NUM_SEGMENTS, minit="++", seed=0, iter=20)
    return segments


def _separate(vectors: np.ndarray, segments: np.ndarray) -> np.ndarray:
    """Fisher's linear discriminant, (N, C) -> projection (C, d) that separates the segments best."""
    within, between = (np.zeros((vectors.shape[1],) * 2) for _ in range(2))
    for segment in np.unique(segments):
        members = vectors[segments == segment]
        middle = members.mean(axis=0)
        within += (members - middle).T @ (members - middle)
        offset = middle - vectors.mean(axis=0)
        between += len(members) * np.outer(offset, offset)
    within.flat[:: len(within) + 1] += _SHRINKAGE * within.trace() / len(within) + 1e-9
    return scipy.linalg.eigh(between, within)[1][:, -_NUM_DIMENSIONS:]


def _vote(segment: np.ndarray, weight: np.ndarray, ab: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vote within a window around each place: (h, w) the winner's share, (2, h, w) its mean colour."""
    best, color = np.zeros(segment.shape), np.zeros(ab.shape)
    total = uniform_filter(weight, _WINDOW) + 1e-12
    for number in range(_NUM_SEGMENTS):
        votes = weight * (segment == number)
        share = uniform_filter(votes, _WINDOW) / total
        mean = np.stack([uniform_filter(votes * channel, _WINDOW) for channel in ab]) / total
        wins = share > best
        best, color = np.where(wins, share, best), np.where(wins, mean / np.maximum(share, 1e-12), color)
    return best, color


def _draw(ab: np.ndarray, is_sure: np.ndarray, height: int, width: int) -> Tensor:
    """Draw one pixel for each reliable place (h, w) as hints (1, 3, height, width)."""
    y, x = np.nonzero(is_sure)
    drawn = torch.zeros(1, 3, height, width)
    rows = torch.from_numpy(((y + 0.5) * height / is_sure.shape[0]).astype(int))
    columns = torch.from_numpy(((x + 0.5) * width / is_sure.shape[1]).astype(int))
    drawn[0, :2, rows, columns] = torch.from_numpy(ab[:, y, x]).float()
    drawn[0, 2, rows, columns] = 1
    return drawn
