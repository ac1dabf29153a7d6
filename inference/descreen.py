"""Descreening: find the halftone screen of a print or of a 1-bit scan in the spectrum, and average it out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy import ndimage

from media.picture import WHITE_LEVEL, Picture

_SIDE = 1024  # side in pixels of the central square in which the screen is searched
_SMALLEST_SIDE = 64
_PERIODS = (2.5, 16)  # pixels
_PEAK = 300
"""Minimum power of a screen in both its directions, relative to the median at the same frequency."""
_VISIBLE = 0.01
"""A screen of lower amplitude is left alone; 1 is the range from black to white."""
_SIGMA = 0.6
"""Standard deviation of the blur, in periods of the screen: a thousandth of the screen remains."""
_DITHER = 3.0  # pixels: blur period for a 1-bit scan without a lattice, such as by error diffusion


def descreened(picture: Picture) -> Picture | None:
    """Remove the screen from a photo; None if there is none."""
    period = screen_period(picture)
    if period is None:
        if not is_bilevel(picture):
            return None
        period = _DITHER
    return replace(picture, pixels=_averaged(picture.pixels, _SIGMA * period))


def is_bilevel(picture: Picture) -> bool:
    """Whether a photo has just two values."""
    pixels = picture.pixels
    return bool(((pixels == pixels.min()) | (pixels == pixels.max())).all())


def screen_period(picture: Picture) -> float | None:
    """The period of the screen, pixels from dot to dot; None if there is no screen.

    A screen is a square lattice: its spectrum has peaks in two directions at right angles. Other regular
    structures in photos, such as fences and bricks, mostly have peaks in one direction.
    """
    side = min(_SIDE, *picture.size)
    if side < _SMALLEST_SIDE:
        return None
    top, left = ((length - side) // 2 for length in picture.pixels.shape[:2])
    square = picture.pixels[top : top + side, left : left + side].mean(axis=2, dtype=np.float32)
    square /= WHITE_LEVEL[picture.pixels.dtype.name]
    window = np.hanning(side).astype(np.float32)
    power = np.abs(np.fft.fft2((square - square.mean()) * window[:, None] * window)) ** 2
    power *= (2 / window.sum() ** 2) ** 2  # for a wave this is the square of its amplitude
    frequency = np.fft.fftfreq(side)
    length = np.hypot(frequency[:, None], frequency)
    ring = (length * side).astype(int)
    usual = ndimage.median(power, ring, np.arange(ring.max() + 1))[ring]
    # The spectrum turned by 90 degrees, (y, x) -> (-x, y): the other direction of the screen.
    turned = np.roll(power.T[:, ::-1], 1, axis=1)
    lattice = np.minimum(power, turned)
    is_screen = (lattice > _PEAK * usual) & (lattice > _VISIBLE**2)
    is_screen &= (length > 1 / _PERIODS[1]) & (length < 1 / _PERIODS[0])
    if not is_screen.any():
        return None
    return float(1 / length.flat[np.where(is_screen, lattice, 0).argmax()])


def _averaged(pixels: np.ndarray, sigma: float) -> np.ndarray:
    """(H, W, 3) blurred by a Gaussian of `sigma` pixels, in the same dtype."""
    is_gray = (pixels[..., :1] == pixels).all()
    result = np.empty_like(pixels)
    for channel in range(1 if is_gray else 3):
        smooth = ndimage.gaussian_filter(pixels[..., channel].astype(np.float32), sigma)
        result[..., channel] = smooth if pixels.dtype.kind == "f" else smooth + 0.5
    if is_gray:
        result[..., 1:] = result[..., :1]
    return result
