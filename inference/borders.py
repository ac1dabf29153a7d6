"""What of a picture a model sees: not the borders around a photo, and each photo of a page by itself."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from inference.chroma import Chroma
from inference.model_view import lightness_seen
from inference.sheet import photos_on_page, turned_photo, turns_on_page
from media.picture import Box, Picture, size_within

_SIDE = 512  # pixels of the long side at which borders are looked for
_SPREAD = 3.0  # standard deviation within a row of a border, in codes of 8 bits
_STEP = 10  # codes by which rows, and sides, of one border differ at most
_PAPER, _FILM = 215, 40  # borders are lighter or darker: a plain sky is neither
_SHARE = 0.4  # of the length of the picture: a border is at most so wide on each side
_THINNEST = 0.01
_REACH = 3  # rows of the small copy by which sides are moved at most
_MARGIN = 1  # rows next to a border, in which it and the photo are mixed
_MAX_CELLS = 2**21  # the colours of a page are kept at no more pixels than this
_SMOOTHLY: Any = {"mode": "bilinear", "antialias": True}


def find_photo(picture: Picture) -> Box:
    """Where the photo is within its borders; the whole picture where there are none.

    A border is near-constant, white or black, and the same at two opposite sides at least: what is so at
    one side alone may be a sky.
    """
    width, height = picture.size
    size = size_within(picture.size, _SIDE)
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
    return _snapped(picture, (x0, y0, x1, y1)) if x1 > x0 and y1 > y0 else (0, 0, width, height)


def boxes_to_show(picture: Picture, page: str) -> list[Box]:
    """What of a picture a model is to see, each by itself: the photo, or those of a page, without borders.

    Args:
        picture: a photo, or a scan of several.
        page: 'auto', 'album' or 'photo', as of --page.
    """
    photos = {} if page == "photo" else photos_on_page(picture, strict=page == "auto")
    if len(photos) < (2 if page == "auto" else 1):
        return [find_photo(picture)]
    boxes = []
    for photo, turn in photos.items():
        left, upper, right, lower = photo if turn else _snapped(picture, photo)
        x0, y0, x1, y1 = find_photo(picture.crop((left, upper, right, lower)))
        boxes.append((left + x0, upper + y0, left + x1, upper + y1))
    return boxes


def predict_within(picture: Picture, boxes: Sequence[Box], infer: Callable[[Picture, Box], Chroma]) -> Chroma:
    """The colours of photos in a picture, which has none around them.

    Args:
        picture: the whole.
        boxes: of the photos in it.
        infer: gives the colours of a part of the picture, given it and its box.
    Returns:
        Colours of the whole picture, as densely as those of the photo that was looked at most closely.
    """
    width, height = picture.size
    if list(boxes) == [(0, 0, width, height)]:
        return replace(infer(picture, boxes[0]), boxes=tuple(boxes))
    found = [infer(picture.crop(box), box) for box in boxes]
    per_x, per_y = _density(found, boxes, picture.size)
    grid = max(1, round(width * per_x)), max(1, round(height * per_y))
    ab, L = torch.zeros(1, 2, *grid[::-1]), lightness_seen(picture, grid)
    whole = replace(found[0], ab=ab, size=(width, height), L=L, boxes=tuple(boxes))
    turns = turns_on_page(picture, boxes) if len(boxes) > 1 else [0.0]
    for box, part, turn in zip(boxes, found, turns, strict=True):
        place = ab[(..., *whole.cells(box))]
        is_same = place.shape == part.ab.shape
        place.copy_(part.ab if is_same else interpolate(part.ab, place.shape[-2:], **_SMOOTHLY))
        if turn:
            place *= torch.from_numpy(turned_photo((place.shape[-1], place.shape[-2]), box, turn))
    return replace(whole, ab=ab.half().float())


def _density(found: Sequence[Chroma], boxes: Sequence[Box], size: tuple[int, int]) -> tuple[float, float]:
    """Colours for each pixel, across and down."""
    each = [
        (part.ab.shape[-1] / (right - left), part.ab.shape[-2] / (lower - upper))
        for part, (left, upper, right, lower) in zip(found, boxes, strict=True)
    ]
    per_x, per_y = (max(values) for values in zip(*each, strict=True))
    if len(boxes) == 1:
        return per_x, per_y
    # A small photo on a large page is looked at more closely than anybody can see.
    most = min(1.0, math.sqrt(_MAX_CELLS / math.prod(size)))
    return min(per_x, most), min(per_y, most)


def _snapped(picture: Picture, box: Box) -> Box:
    """A box that was found in a small copy, its sides moved to the steepest edge beside them.

    A model may see other colours in a photo for one row of paper more, or of the photo less.
    """
    left, upper, right, lower = box
    width, height = picture.size
    reach = _REACH * math.ceil(max(picture.size) / _SIDE)
    rows, columns = picture.pixels[:, left:right], picture.pixels[upper:lower].swapaxes(0, 1)
    upper, lower = (_steepest(rows, y, reach) if 0 < y < height else y for y in (upper, lower))
    left, right = (_steepest(columns, x, reach) if 0 < x < width else x for x in (left, right))
    return (left, upper, right, lower) if left < right and upper < lower else box


def _steepest(rows: np.ndarray, place: int, reach: int) -> int:
    """The row, of those within reach of a place, that differs most from the one before it."""
    first = max(0, place - reach - 1)
    near = rows[first : place + reach + 1].mean(axis=2, dtype=np.float32)
    return first + 1 + int(np.abs(np.diff(near, axis=0)).mean(axis=1).argmax())


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
