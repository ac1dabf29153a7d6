"""Which parts of a picture a model is shown: a photo without its borders, or each photo of a page alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from inference.chroma import Chroma
from inference.model_view import lightness_seen
from inference.sheet import photos_on_page, turned_photo, turns_on_page
from media.picture import Box, Picture, size_within

_SIDE = 512  # long side in pixels of the copy in which borders are searched
_SPREAD = 3.0  # maximum standard deviation within a row of a border, in 8-bit codes
_STEP = 10  # maximum difference of the rows of a border, and of opposite borders, in 8-bit codes
_PAPER, _FILM = 215, 40  # a border is lighter or darker than these; a plain sky is in between
_SHARE = 0.4  # maximum width of a border on each side, as a share of the picture
_THINNEST = 0.01
_REACH = 3  # how far `_snapped` may move a side, in pixels of the small copy
_MARGIN = 1  # rows next to a border in which border and photo are blurred together
_MAX_CELLS = 2**21  # the colours of a page have at most so many pixels
_SMOOTHLY: Any = {"mode": "bilinear", "antialias": True}


def find_photo(picture: Picture) -> Box:
    """The box of the photo within its borders; the whole picture if there are none.

    A border is nearly constant, white or black, and alike on at least two opposite sides: such an area on
    one side alone may be a sky.
    """
    width, height = picture.size
    size = size_within(picture.size, _SIDE)
    small = picture.preview(_SIDE).convert("L").resize(size, Image.Resampling.BOX)
    codes = np.asarray(small).astype(np.float32)
    top, bottom, level = _borders_of(codes)
    inner = codes[top : len(codes) - bottom]
    left, right, other = _borders_of(inner.T)
    if level is None and other is not None:  # borders at the sides may have hidden those above and below
        top, bottom, level = _borders_of(codes[:, left : codes.shape[1] - right])
    box = (left / size[0], top / size[1], 1 - right / size[0], 1 - bottom / size[1])
    lengths = (width, height, width, height)
    x0, y0, x1, y1 = (round(share * length) for share, length in zip(box, lengths, strict=True))
    return _snapped(picture, (x0, y0, x1, y1)) if x1 > x0 and y1 > y0 else (0, 0, width, height)


def boxes_to_show(picture: Picture, page: str) -> list[Box]:
    """The parts of a picture that a model is shown, one by one: its photo or photos, without borders.

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
    """Predict the colours of each photo in a picture; around the photos there is no colour.

    Args:
        picture: the whole picture.
        boxes: of the photos in it.
        infer: (part of the picture, its box) -> the colours of that part.
    Returns:
        Colours of the whole picture, at the highest resolution of the photos' colours, up to a limit.
    """
    width, height = picture.size
    if list(boxes) == [(0, 0, width, height)]:
        return replace(infer(picture, boxes[0]), boxes=tuple(boxes))
    found = [infer(picture.crop(box), box) for box in boxes]
    per_x, per_y = _density(found, boxes, picture.size)
    grid = max(1, round(width * per_x)), max(1, round(height * per_y))
    L = lightness_seen(picture, grid)
    whole = replace(found[0], ab=L.expand(-1, 2, -1, -1), size=(width, height), L=L, boxes=tuple(boxes))
    return fill_boxes(picture, whole, [part.ab for part in found])


def fill_boxes(picture: Picture, whole: Chroma, parts: Sequence[Tensor]) -> Chroma:
    """Join the colours of the photos in a picture; around and beside turned photos there is no colour.

    Args:
        picture: the whole picture.
        whole: its `boxes`, and the size of its `ab`, are used.
        parts: (1, 2, h, w) of each box, resized where they are of another size.
    """
    ab = torch.zeros_like(whole.ab)
    turns = turns_on_page(picture, whole.boxes) if len(parts) > 1 else [0.0]
    for box, part, turn in zip(whole.boxes, parts, turns, strict=True):
        place = ab[(..., *whole.cells(box))]
        is_same = place.shape == part.shape
        place.copy_(part if is_same else interpolate(part, place.shape[-2:], **_SMOOTHLY))
        if turn:
            place *= torch.from_numpy(turned_photo((place.shape[-1], place.shape[-2]), box, turn))
    return replace(whole, ab=ab.half().float())


def _density(found: Sequence[Chroma], boxes: Sequence[Box], size: tuple[int, int]) -> tuple[float, float]:
    """Resolution of the colours, relative to the pixels of the picture, in x and y."""
    each = [
        (part.ab.shape[-1] / (right - left), part.ab.shape[-2] / (lower - upper))
        for part, (left, upper, right, lower) in zip(found, boxes, strict=True)
    ]
    per_x, per_y = (max(values) for values in zip(*each, strict=True))
    if len(boxes) == 1:
        return per_x, per_y
    # A small photo on a large page has colours at a higher resolution than needed.
    most = min(1.0, math.sqrt(_MAX_CELLS / math.prod(size)))
    return min(per_x, most), min(per_y, most)


def _snapped(picture: Picture, box: Box) -> Box:
    """Refine a box that was found in a small copy: move its sides to the strongest edge nearby.

    A model may predict other colours for a photo with one more row of paper, or one row less of the photo.
    """
    left, upper, right, lower = box
    width, height = picture.size
    reach = _REACH * math.ceil(max(picture.size) / _SIDE)
    rows, columns = picture.pixels[:, left:right], picture.pixels[upper:lower].swapaxes(0, 1)
    upper, lower = (_steepest(rows, y, reach) if 0 < y < height else y for y in (upper, lower))
    left, right = (_steepest(columns, x, reach) if 0 < x < width else x for x in (left, right))
    return (left, upper, right, lower) if left < right and upper < lower else box


def _steepest(rows: np.ndarray, place: int, reach: int) -> int:
    """Of the rows within `reach` of `place`, the one that differs most from the row before it."""
    first = max(0, place - reach - 1)
    near = rows[first : place + reach + 1].mean(axis=2, dtype=np.float32)
    return first + 1 + int(np.abs(np.diff(near, axis=0)).mean(axis=1).argmax())


def _borders_of(codes: np.ndarray) -> tuple[int, int, float | None]:
    """Height of the borders above and below, and their level; (0, 0, None) unless there are both."""
    first, level = _rows_of_border(codes)
    last, other = _rows_of_border(codes[::-1])
    if not first or not last or abs(level - other) > _STEP:
        return 0, 0, None
    return first + _MARGIN, last + _MARGIN, level


def _rows_of_border(codes: np.ndarray) -> tuple[int, float]:
    """Height of a border that begins at the first row (0: there is none), and its level."""
    means, spreads = codes.mean(axis=1), codes.std(axis=1)
    level = float(means[0])
    is_border = (spreads <= _SPREAD) & (np.abs(means - level) <= _STEP)
    num = len(codes) if is_border.all() else int(np.argmin(is_border))
    is_plain = level >= _PAPER or level <= _FILM
    return (num if is_plain and _THINNEST <= num / len(codes) <= _SHARE else 0), level
