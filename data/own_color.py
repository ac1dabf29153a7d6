"""Detect whether a picture is in colour, apart from the tone of a print, a scanner's cast or JPEG artifacts.

A toned print, sepia or a cyanotype, has one hue: its a* and b* are a function of L*, a curve from gray to
the tone. The curve is fitted robustly; pixels far from it are in colour.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from scipy import ndimage

from data.color import rgb_to_lab
from media.picture import size_within

SIDE = 64
"""Long side in pixels of the copy in which colour is detected; it averages out JPEG blocks and grain."""

_LEAST = 0.02  # smallest share of pixels with colour in a picture in colour
_LEAST_BESIDE_GRAY = 0.005
_MUCH = 5.0  # CIELAB units: a pixel farther than this from the curve of the tone has colour
_NEUTRAL = 1.0  # CIELAB units: a pixel of less chroma is gray
_FAINT = 2.0  # CIELAB units: a pixel of more chroma may belong to the edge of a colored part
_TONE = 4.0  # CIELAB units: a print in one hue is toned if its mean chroma is at least this
# A gray part of a photo counts as such from this share of the pixels and this range of L* on.
_GRAY_PART, _GRAY_RANGE = 0.1, 20.0
_DARK, _LIGHT = 8.0, 95.0  # pixels of L* outside this range are ignored: they are gray in colour photos too
_KNOTS, _ROUNDS, _WIDTH, _STIFFNESS = 13, 10, 6.0, 2e-3  # of the curve and its robust fit, see `_fit_tone`
_SLACK = 1.3  # chroma may exceed the curve by this factor, or by 4 units: prints are toned unevenly


def small_lab(photo: Image.Image, side: int = SIDE) -> np.ndarray:
    """Shrink an RGB picture to a long side of at most `side` pixels; returns CIELAB (3, h, w) float32."""
    small = photo.resize(size_within(photo.size, side), Image.Resampling.BOX, reducing_gap=2.0)
    rgb = torch.from_numpy(np.array(small)).permute(2, 0, 1).float() / 255
    return rgb_to_lab(rgb).numpy()


def has_color(lab: np.ndarray) -> bool:
    """Whether a picture has more colour than a print in one hue.

    Args:
        lab: (3, h, w), CIELAB units, of `small_lab`.
    """
    is_told = _is_told(lab)
    if not is_told.any() or (_chroma(lab)[is_told] > _MUCH).mean() < _LEAST:
        return False
    # Next to a gray part, the curve may fit most colours of the other part, but not all: fewer suffice.
    least = _LEAST_BESIDE_GRAY if gray_part(lab).any() else _LEAST
    return bool((_beside_tone(lab)[is_told] > _MUCH).mean() >= least)


def is_toned(lab: np.ndarray) -> bool:
    """Whether a picture is in one hue, as a toned print is; arguments as in `has_color`."""
    return not has_color(lab) and float(_chroma(lab).mean()) >= _TONE


def gray_part(lab: np.ndarray) -> np.ndarray:
    """Detect the part of a picture that is exactly gray, (h, w) bool; all False if there is none.

    Gray objects in a colour photo are never exactly gray over such an area and range of lightness.
    """
    is_told = _is_told(lab)
    width = _window(lab)
    is_gray = ndimage.binary_opening(_chroma(lab) < _NEUTRAL, np.ones((width, width))) & is_told
    enough = is_gray.sum() >= _GRAY_PART * max(1, is_told.sum())
    if not enough or np.subtract(*np.percentile(lab[0][is_gray], [95, 5])) < _GRAY_RANGE:
        return np.zeros_like(is_gray)
    return is_gray


def colored_part(lab: np.ndarray) -> np.ndarray:
    """Detect the colored part of a picture that has a gray part too, (h, w) bool; small gray gaps are filled.

    Regions outside the gray part that contain no colored pixel do not belong to it.
    """
    parts, _ = ndimage.label(~gray_part(lab))
    with_color = np.unique(parts[_chroma(lab) > _MUCH])
    width = 2 * _window(lab)
    padded = np.pad(_chroma(lab) > _FAINT, width, mode="edge")  # else the closing would erode at the edges
    closed = ndimage.binary_closing(padded, np.ones((width, width)))[width:-width, width:-width]
    return np.isin(parts, with_color[with_color > 0]) & closed


def _window(lab: np.ndarray) -> int:
    return max(3, round(max(lab.shape[1:]) * 5 / SIDE))


def _chroma(lab: np.ndarray) -> np.ndarray:
    return np.hypot(lab[1], lab[2])


def _is_told(lab: np.ndarray) -> np.ndarray:
    return (lab[0] > _DARK) & (lab[0] < _LIGHT)


def _beside_tone(lab: np.ndarray) -> np.ndarray:
    """Distance (h, w) of (a*, b*) from the line between gray and the fitted tone at the pixel's L*."""
    ab = lab[1:].reshape(2, -1).T.astype(np.float64)
    tone = _fit_tone(lab[0].ravel().astype(np.float64), ab)
    length = np.hypot(*tone.T)
    direction = tone / np.maximum(length, 1e-6)[:, None]
    along = np.clip((ab * direction).sum(axis=1), 0, np.maximum(_SLACK * length, length + 4))
    return np.hypot(*(ab - along[:, None] * direction).T).reshape(lab.shape[1:])


def _fit_tone(L: np.ndarray, ab: np.ndarray) -> np.ndarray:
    """Fit (a*, b*) (n, 2) as a smooth function of L* (n,); returns its values at the pixels, (n, 2).

    Piecewise linear, fitted by iteratively reweighted least squares (Welsch's weights), initialized by the
    medians, so that pixels of other colours are ignored as outliers.
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
