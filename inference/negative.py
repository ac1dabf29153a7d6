"""Photos that are negatives: what looks like one, and how it is inverted."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image
from scipy import ndimage

from media.picture import WHITE, Picture, size_within

_SIDE = 96  # pixels of the long side
_WINDOW = 5
_LEAST_CONTRAST = 20  # 8-bit values, from its 5 % of darkest pixels to those of the lightest
WEIGHTS = np.array([-5.6, 2.5, 4.9, -8.5, -7.4])
"""Of `evidence`, by `python -m benchmarks.studies.fit_negative`."""
THRESHOLD = 2.0
"""Sum of weighted evidence from which a photo is called a negative: few photos are called so wrongly."""


def invert(picture: Picture) -> Picture:
    """The positive of a negative, or the other way round."""
    return replace(picture, pixels=WHITE[picture.pixels.dtype.name] - picture.pixels)


def looks_negative(picture: Picture) -> bool:
    """Whether a photo's histogram, borders and smooth parts look like those of a negative.

    A page with hardly anything on it is none, whatever its gray.
    """
    photo = picture.preview(_SIDE)
    low, high = np.percentile(np.asarray(photo.convert("L")), [5, 95])
    return bool(high - low >= _LEAST_CONTRAST and -evidence(photo) @ WEIGHTS > THRESHOLD)


def evidence(photo: Image.Image) -> np.ndarray:
    """Five numbers (5,) that turn their sign where a photo is inverted.

    How far its 5 % and its 1 % of darkest and lightest pixels are from being as dark as they are light; how
    much lighter it is above than below; how light its smooth parts are, and how much lighter its rough ones.
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
