"""Whether a picture has colours of its own: beyond what a print's tone, a scanner or JPEG puts over gray.

A toned print, sepia or a cyanotype, has one hue: its a* and b* are a curve over L*, from gray to the tone.
The curve is fitted robustly; what lies beside it is colour.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from data.color import rgb_to_lab
from media.picture import size_within

SIDE = 64
"""Pixels of the long side at which colours are looked for: JPEG's blocks and grain are averaged away."""

_LEAST = 0.02  # share of the pixels: in a picture in colour at least so many have colour
_LEAST_BESIDE_GRAY = 0.005
_MUCH = 5.0  # CIELAB units: a pixel that is farther than this from the curve of the tone has colour
_NEUTRAL = 1.0  # CIELAB units: a pixel of less chroma is gray
_FAINT = 2.0  # chroma, CIELAB units: from here on a pixel may be at the edge of a part in colour
_TONE = 4.0  # CIELAB units: a print in one hue is toned if its mean chroma is at least this
# A part of a photo was never in colour if it is gray, has such a share of the pixels and such a range of L*.
_GRAY_PART, _GRAY_RANGE = 0.1, 20.0
_DARK, _LIGHT = 8.0, 95.0  # L* beyond which pixels are gray in colour photos too
_KNOTS, _ROUNDS, _WIDTH, _STIFFNESS = 13, 10, 6.0, 2e-3  # of the curve, and of its robust fit
_SLACK = 1.3  # chroma may be beyond the curve by this factor, or by 4 units: prints are toned unevenly


def small_lab(photo: Image.Image, side: int = SIDE) -> np.ndarray:
    """CIELAB (3, h, w) float32 of an RGB picture, its long side at most `side` pixels."""
    small = photo.resize(size_within(photo.size, side), Image.Resampling.BOX, reducing_gap=2.0)
    rgb = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
    return rgb_to_lab(rgb).numpy()


def has_color(lab: np.ndarray) -> bool:
    """Whether there is more colour than the tone of a print in one hue.

    Args:
        lab: (3, h, w), CIELAB units, of `small_lab`.
    """
    is_told = _is_told(lab)
    if not is_told.any() or (_chroma(lab)[is_told] > _MUCH).mean() < _LEAST:
        return False
    # Beside gray the colours of a part may look like a tone, but not all of them do.
    least = _LEAST_BESIDE_GRAY if gray_part(lab).any() else _LEAST
    return bool((_beside_tone(lab)[is_told] > _MUCH).mean() >= least)


def is_toned(lab: np.ndarray) -> bool:
    """Whether a picture is in one hue, as a toned print is; arguments as in `has_color`."""
    return not has_color(lab) and float(_chroma(lab).mean()) >= _TONE


def gray_part(lab: np.ndarray) -> np.ndarray:
    """(h, w) bool, the part of a picture that is as gray as if it had never been in colour.

    Gray things of a colour photo are never so exactly gray over an area and a range of lightness: where there
    is no such part all is False.
    """
    is_told = _is_told(lab)
    width = _window(lab)
    is_gray = ndimage.binary_opening(_chroma(lab) < _NEUTRAL, np.ones((width, width))) & is_told
    enough = is_gray.sum() >= _GRAY_PART * max(1, is_told.sum())
    if not enough or np.subtract(*np.percentile(lab[0][is_gray], [95, 5])) < _GRAY_RANGE:
        return np.zeros_like(is_gray)
    return is_gray


def colored_part(lab: np.ndarray) -> np.ndarray:
    """(h, w) bool, the part of a picture with a gray part that is in colour, with what is gray within it.

    Places that touch no colour do not belong to it.
    """
    parts, _ = ndimage.label(~gray_part(lab))
    with_color = np.unique(parts[_chroma(lab) > _MUCH])
    width = 2 * _window(lab)
    padded = np.pad(_chroma(lab) > _FAINT, width, mode="edge")  # a closing erodes from beyond the edges too
    closed = ndimage.binary_closing(padded, np.ones((width, width)))[width:-width, width:-width]
    return np.isin(parts, with_color[with_color > 0]) & closed


def _window(lab: np.ndarray) -> int:
    return max(3, round(max(lab.shape[1:]) * 5 / SIDE))


def _chroma(lab: np.ndarray) -> np.ndarray:
    return np.hypot(lab[1], lab[2])


def _is_told(lab: np.ndarray) -> np.ndarray:
    return (lab[0] > _DARK) & (lab[0] < _LIGHT)


def _beside_tone(lab: np.ndarray) -> np.ndarray:
    """Distance (h, w) of a* and b* from those between gray and the tone that a print has at that L*."""
    ab = lab[1:].reshape(2, -1).T.astype(np.float64)
    tone = _fit_tone(lab[0].ravel().astype(np.float64), ab)
    length = np.hypot(*tone.T)
    direction = tone / np.maximum(length, 1e-6)[:, None]
    along = np.clip((ab * direction).sum(axis=1), 0, np.maximum(_SLACK * length, length + 4))
    return np.hypot(*(ab - along[:, None] * direction).T).reshape(lab.shape[1:])


def _fit_tone(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """A smooth curve of a* and b* (n, 2) over L* (n,), at each of the pixels.

    Linear between knots, fitted by reweighted least squares (Welsch's weights) from the medians on, so that
    what has another colour does not count.
    """
    place = L.clip(0, 100) / 100 * (_KNOTS - 1)
    knot = place.astype(int).clip(0, _KNOTS - 2)
    basis = np.zeros((len(L), _KNOTS))
    rows = np.arange(len(L))
    basis[rows, knot], basis[rows, knot + 1] = 1 - (place - knot), place - knot
    bend = np.diff(np.eye(_KNOTS), 2, axis=0)
    tone = np.zeros_like(ab)
    for number in np.unique(knot):
        tone[knot == number] = np.median(ab[knot == number], axis=0)
    for _ in range(_ROUNDS):
        weights = np.exp(-np.square(ab - tone).sum(axis=1) / _WIDTH**2) + 1e-6
        weighted = basis.T * weights
        normal = weighted @ basis + _STIFFNESS * weights.sum() * bend.T @ bend + 1e-9 * np.eye(_KNOTS)
        tone = basis @ np.linalg.solve(normal, weighted @ ab)
    return tone
