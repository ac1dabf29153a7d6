"""Scale samples of any depth to the program's, 16 bits or floats in [0, 1]: which value is white."""

from __future__ import annotations

import numpy as np

from core.remarks import remark

WHITE_LEVEL = {"uint8": 255, "uint16": 65535, "float32": 1}
"""The value of white, by dtype."""

# This share of floats may lie beyond 1, as highlights do. If more do, white is the first of these numbers
# that is no less than the largest float, and less than twice it; if there is none, it is that float.
_BEYOND = 0.01
_WHITES = (100, 255, 1023, 4095, 16383, 65535, 2**24 - 1, 2**32 - 1)
# Integers are taken to hold fewer bits than their file says if the largest is below 1/16 of its maximum.
_UNUSED = 16
_BITS = (8, 10, 12, 14, 16, 24)
_DARKEST_WHITE = 64  # a smaller maximum is just the noise of a black picture


def find_white(colors: np.ndarray, bits: int, declared: float | None, name: str) -> float:
    """The sample that stands for white.

    Args:
        colors: integers, or floats whose white should be 1.
        bits: of an integer, as the file says.
        declared: the largest sample, as the file says; None: it does not say.
        name: of the file, for a warning if the result is a guess.
    """
    if colors.dtype.kind == "f":
        white, is_guess = _white_of_floats(colors, declared)
    else:
        is_signed = colors.dtype.kind == "i" and colors.dtype.itemsize * 8 == bits
        white, is_guess = _white_of_integers(colors, 2 ** (bits - is_signed) - 1, declared)
    if is_guess:
        told = f"its samples end far from the white of its format; {white:g} is taken for white"
        remark(f"{name}: {told}", told)
    return white


def normalize(samples: np.ndarray, white: float) -> np.ndarray:
    """Integers to uint16, floats to float32 in [0, 1]; 8 bits stay as they are."""
    if samples.dtype == np.uint8 and white == WHITE_LEVEL["uint8"]:
        return samples
    if samples.dtype.kind == "f":
        scaled = samples if white == 1 else samples / white
        return np.nan_to_num(scaled.astype(np.float32, copy=False)).clip(0, 1)
    if samples.dtype == np.uint16 and white == WHITE_LEVEL["uint16"]:
        return samples
    wide = samples.clip(0, int(white)).astype(np.float64) * (WHITE_LEVEL["uint16"] / white)
    return (wide + 0.5).astype(np.uint16)


def _white_of_floats(colors: np.ndarray, declared: float | None) -> tuple[float, bool]:
    """The float that is white, and whether it is a guess."""
    finite = colors[np.isfinite(colors)]
    if not finite.size or (finite > 1).mean() <= _BEYOND:
        return 1, False
    top = float(finite.max())
    if declared is not None and declared >= top:
        return declared, False
    return next((white for white in _WHITES if white / 2 < top <= white), top), True


def _white_of_integers(colors: np.ndarray, full: int, declared: float | None) -> tuple[int, bool]:
    """The integer that is white, and whether it is a guess."""
    top, whites = int(colors.max(initial=0)), [2**bits - 1 for bits in _BITS]
    if colors.dtype.itemsize == 1 or top < _DARKEST_WHITE:
        return full, False
    if declared is not None and declared in whites and top <= declared:
        return int(declared), False
    white = next((white for white in whites if white >= top), full)
    return (white, True) if white * _UNUSED <= full + _UNUSED else (full, False)
