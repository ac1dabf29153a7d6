"""Near-constant borders around a photo: not shown to the model, and without colour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from inference.chroma import Chroma, lightness_seen
from media.picture import Picture

_SIDE = 512  # pixels of the long side at which borders are looked for
_SPREAD = 3.0  # standard deviation within a row of a border, in codes of 8 bits
_STEP = 10  # codes by which rows, and sides, of one border differ at most
_PAPER, _FILM = 215, 40  # borders are lighter or darker: a plain sky is neither
_SHARE = 0.4  # of the length, that a border takes at most on each side
_THINNEST = 0.01
_MARGIN = 1  # rows next to a border, in which it and the photo are mixed

Box = tuple[int, int, int, int]
"""(left, upper, right, lower) pixels."""


def find_photo(picture: Picture) -> Box:
    """Where the photo is within its borders; the whole picture where there are none.

    A border is near-constant, white or black, and the same at two opposite sides at least: what is so at
    one side alone may be a sky.
    """
    width, height = picture.size
    scale = min(1.0, _SIDE / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = picture.preview(_SIDE).convert("L").resize(size, Image.Resampling.BOX)
    codes = np.asarray(small).astype(np.float32)
    top, bottom, level = _borders_of(codes)
    inner = codes[top : len(codes) - bottom]
    left, right, other = _borders_of(inner.T)
    if level is None and other is not None:  # sides alone may hide what is above and below
        top, bottom, level = _borders_of(codes[:, left : codes.shape[1] - right])
    box = (left / size[0], top / size[1], 1 - right / size[0], 1 - bottom / size[1])
    lengths = (width, height, width, height)
    x0, y0, x1, y1 = (round(share * length) for share, length in zip(box, lengths, strict=True))
    return (x0, y0, x1, y1) if x1 > x0 and y1 > y0 else (0, 0, width, height)


def infer_within(picture: Picture, box: Box, infer: Callable[[Picture], Chroma]) -> Chroma:
    """The colours of a photo within its borders, which have none.

    Args:
        picture: the whole.
        box: of the photo in it.
        infer: gives the colours of a picture.
    Returns:
        Colours of the whole picture, as densely as those of the photo.
    """
    width, height = picture.size
    left, upper, right, lower = box
    if box == (0, 0, width, height):
        return infer(picture)
    alpha = None if picture.alpha is None else picture.alpha[upper:lower, left:right]
    photo = replace(picture, pixels=picture.pixels[upper:lower, left:right], alpha=alpha)
    found = infer(photo)
    h, w = found.ab.shape[-2:]
    per_x, per_y = w / (right - left), h / (lower - upper)
    whole = torch.zeros(1, 2, max(1, round(height * per_y)), max(1, round(width * per_x)))
    y0, x0 = round(upper * per_y), round(left * per_x)
    part = whole[..., y0 : y0 + h, x0 : x0 + w]
    part.copy_(interpolate(found.ab, part.shape[-2:], mode="bilinear"))
    L = lightness_seen(picture, (whole.shape[-1], whole.shape[-2]))
    return replace(found, ab=whole, size=(width, height), L=L)


def _borders_of(codes: np.ndarray) -> tuple[int, int, float | None]:
    """Rows of a border above and below, and its level; (0, 0, None) where there is none on both sides."""
    first, level = _rows_of_border(codes)
    last, other = _rows_of_border(codes[::-1])
    if not first or not last or abs(level - other) > _STEP:
        return 0, 0, None
    return first + _MARGIN, last + _MARGIN, level


def _rows_of_border(codes: np.ndarray) -> tuple[int, float]:
    """Rows of a border from the first on, and its level."""
    means, spreads = codes.mean(axis=1), codes.std(axis=1)
    level = float(means[0])
    is_border = (spreads <= _SPREAD) & (np.abs(means - level) <= _STEP)
    num = len(codes) if is_border.all() else int(np.argmin(is_border))
    is_plain = level >= _PAPER or level <= _FILM
    return (num if is_plain and _THINNEST <= num / len(codes) <= _SHARE else 0), level
