"""The screen of a print, or of a scan of 1 bit: found in the spectrum, and averaged out."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from media.picture import WHITE, Picture

_SIDE = 1024  # pixels of the square at the centre in which it is looked for
_SMALLEST_SIDE = 64
_PERIODS = (2.5, 16)  # pixels
_PEAK = 300
"""In both directions a screen has at least so many times the power of other frequencies of its period."""
_VISIBLE = 0.01
"""A screen of less amplitude is left alone; 1 is from black to white."""
_SIGMA = 0.6
"""Standard deviation of the average, in periods of the screen: it leaves a thousandth of the screen."""
_DITHER = 3.0  # pixels: what is averaged in a scan of 1 bit without a lattice, such as a diffused error


def descreened(picture: Picture) -> Picture | None:
    """A photo as it was before it was screened; None where there is no screen."""
    period = screen_period(picture)
    if period is None:
        if not is_bilevel(picture):
            return None
        period = _DITHER
    return Picture(_averaged(picture.pixels, _SIGMA * period), picture.alpha, picture.metadata)


def is_bilevel(picture: Picture) -> bool:
    """Whether there is nothing but black and white."""
    pixels = picture.pixels
    return bool(((pixels == pixels.min()) | (pixels == pixels.max())).all())


def screen_period(picture: Picture) -> float | None:
    """Pixels from dot to dot of a screen; None where there is none.

    A screen is a square lattice, whose spectrum has peaks in two directions at right angles. What else is
    regular in photos, such as fences and bricks, mostly has them in one.
    """
    side = min(_SIDE, *picture.size)
    if side < _SMALLEST_SIDE:
        return None
    top, left = ((length - side) // 2 for length in picture.pixels.shape[:2])
    square = picture.pixels[top : top + side, left : left + side].mean(axis=2, dtype=np.float32)
    square /= WHITE[picture.pixels.dtype.name]
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.fft2((square - square.mean()) * window[:, None] * window)) ** 2
    power *= (2 / window.sum() ** 2) ** 2  # of a wave the square of its amplitude
    frequency = np.fft.fftfreq(side)
    length = np.hypot(frequency[:, None], frequency)
    ring = (length * side).astype(int)
    usual = ndimage.median(power, ring, np.arange(ring.max() + 1))[ring]
    # By a quarter turn (y, x) -> (-x, y): the screen's other direction.
    turned = np.roll(power.T[:, ::-1], 1, axis=1)
    lattice = np.minimum(power, turned)
    is_screen = (lattice > _PEAK * usual) & (lattice > _VISIBLE**2)
    is_screen &= (length > 1 / _PERIODS[1]) & (length < 1 / _PERIODS[0])
    if not is_screen.any():
        return None
    return float(1 / length.flat[np.where(is_screen, lattice, 0).argmax()])


def _averaged(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 3) without what is finer than `sigma` pixels, in the same dtype."""
    is_gray = (pixels[..., :1] == pixels).all()
    result = np.empty_like(pixels)
    for channel in range(1 if is_gray else 3):
        smooth = ndimage.gaussian_filter(pixels[..., channel].astype(np.float32), sigma)
        result[..., channel] = smooth if pixels.dtype.kind == "f" else smooth + 0.5
    if is_gray:
        result[..., 1:] = result[..., :1]
    return result
