"""Negatives: detect and invert them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage

from media.picture import WHITE_LEVEL, Picture, size_within

_SIDE = 96  # pixels of the long side
_WINDOW = 5
_LEAST_CONTRAST = 20  # 8-bit values, between the 5th and the 95th percentile
WEIGHTS = np.array([-5.6, 2.5, 4.9, -8.5, -7.4])
"""Weights of `evidence`, fitted by `python -m benchmarks.studies.fit_negative`."""
THRESHOLD = 2.0
"""Weighted sum of evidence above which a photo is taken for a negative; chosen for few false positives."""


def invert(picture: Picture) -> Picture:
    """The positive of a negative, or the other way round."""
    return replace(picture, pixels=WHITE_LEVEL[picture.pixels.dtype.name] - picture.pixels)


def looks_negative(picture: Picture) -> bool:
    """Whether a photo looks like a negative, by its histogram and by how light some of its parts are.

    A nearly uniform picture is never taken for one, whatever its gray.
    """
    photo = picture.preview(_SIDE)
    low, high = np.percentile(np.asarray(photo.convert("L")), [5, 95])
    return bool(high - low >= _LEAST_CONTRAST and -evidence(photo) @ WEIGHTS > THRESHOLD)


def evidence(photo: Image.Image) -> np.ndarray:
    """Five numbers (5,) that change their sign when a photo is inverted.

    The asymmetry of its 5th and 95th percentiles; how much lighter it is at the top than at the bottom; the
    asymmetry of its 1st and 99th percentiles; how much lighter its rough parts are than its smooth ones; and
    how light its smooth parts are.
    """
    size = size_within(photo.size, _SIDE)
    gray = np.asarray(photo.convert("L").resize(size, Image.Resampling.BOX)) / 255
    p1, p5, p95, p99 = np.percentile(gray, [1, 5, 95, 99])
    quarter = max(1, len(gray) // 4)
    above, below = gray[:quarter].mean(), gray[-quarter:].mean()
    mean = ndimage.uniform_filter(gray, _WINDOW)
    spread = ndimage.uniform_filter(gray * gray, _WINDOW) - mean * mean
    smooth = gray[spread <= np.percentile(spread, 30)].mean()
    rough = gray[spread >= np.percentile(spread, 70)].mean()
    return np.array([p5 + p95 - 1, above - below, p1 + p99 - 1, rough - smooth, smooth - 0.5])
