"""Comparison pictures: photos colored by several models, or one photo in several colourings."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from config import VERSION
from core.errors import UserError
from core.figures import montage
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.own_color import Own
from media.decode import PhotoError, is_gray
from media.metadata import Metadata, mark_inferred
from media.picture import Picture, from_image, load_picture, size_within

log = logging.getLogger(__name__)

_SIDE = 400  # pixels of each photo's long side


def side_by_side(
    colorizers: Mapping[str, Colorizer], paths: Sequence[Path], *, max_pixels: int, skip_unreadable: bool
) -> Picture:
    """Draw a row for each photo: in gray, as each model colors it, and the original if it has colour.

    Args:
        colorizers: title of the column -> model.
        paths: of the photos.
        max_pixels: larger photos are refused.
        skip_unreadable: skip a photo that cannot be read, with a warning; an error if none can be read.
    Raises:
        UserError: a photo, or every photo, cannot be read.
    """
    originals = read_each(paths, max_pixels=max_pixels, skip_unreadable=skip_unreadable)
    rows = [_row(colorizers, original) for _, original in originals]
    titles = ["gray", *colorizers, "photo"]
    if all(row[-1] is None for row in rows):
        titles, rows = titles[:-1], [row[:-1] for row in rows]
    by = ", ".join(f"{title} {colorizer.loaded.sha256[:16]}" for title, colorizer in colorizers.items())
    metadata = mark_inferred(Metadata(), f"colorizer {VERSION}, weights sha256 {by}")
    return Picture(montage(rows, titles), None, metadata)


def contact_sheet(
    original: Picture,
    colorings: Mapping[str, Chroma],
    *,
    upsample: str,
    saturation: float,
    own: Own | None = None,
) -> Picture:
    """Draw a photo in gray and in each of several colourings, side by side.

    Args:
        original: the photo.
        colorings: title -> colours.
        upsample: a name of `UPSAMPLERS`.
        saturation: factor of the chroma.
        own: where the photo keeps its own colours; None: nowhere.
    """
    small = shrink(original, _SIDE)
    row: list[np.ndarray | None] = [without_color(small).pixels]
    for chroma in colorings.values():
        chroma = chroma.resized(small.size)
        row.append(apply_chroma(small, chroma, upsample=upsample, saturation=saturation, own=own).pixels)
    by = next(iter(colorings.values())).by
    return Picture(montage([row], ["gray", *colorings]), None, mark_inferred(Metadata(), by))


def read_each(
    paths: Sequence[Path], *, max_pixels: int, skip_unreadable: bool
) -> Iterator[tuple[Path, Picture]]:
    """Read photos one after the other; arguments and errors as for `side_by_side`."""
    num = 0
    for path in paths:
        try:
            original = load_picture(path, max_pixels=max_pixels)
        except PhotoError as error:
            if not skip_unreadable:
                raise
            log.warning("left out: %s", error)
        else:
            num += 1
            yield path, original
    if not num:
        raise UserError("none of the photos could be read: see the warnings above")


def color_small(colorizers: Mapping[str, Colorizer], original: Picture, small: Picture) -> list[np.ndarray]:
    """A photo as each model colors it: (h, w, 3) uint8 of the size of `small`, a smaller copy of it."""
    pictures = []
    for colorizer in colorizers.values():
        chroma = colorizer.predict_chroma(original).resized(small.size)  # the model sees the photo as it is
        colored = apply_chroma(small, chroma, upsample=colorizer.upsample, saturation=colorizer.saturation)
        pictures.append(colored.pixels)
    return pictures


def shrink(original: Picture, side: int) -> Picture:
    """A photo in 8 bits, on white where transparent, its long side at most `side` pixels."""
    size = size_within(original.size, side)
    small = original.preview(side).resize(size, Image.Resampling.LANCZOS)
    return from_image(small, "the photo")


def _row(colorizers: Mapping[str, Colorizer], original: Picture) -> list[np.ndarray | None]:
    """The small pictures of a row; None in place of the original if it has no colour."""
    small = shrink(original, _SIDE)
    photo = None if is_gray(Image.fromarray(small.pixels)) else small.pixels
    return [without_color(small).pixels, *color_small(colorizers, original, small), photo]
