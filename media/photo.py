"""Decode a photo for training, scoring and the search for references: 8 bits, on white."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from PIL import Image

from media.decode import open_photo
from media.picture import read_picture
from media.samples import on_white, to_dtype


def load_photo(path: Path, *, max_pixels: int, box: tuple[int, int, int, int] | None = None) -> Image.Image:
    """Decode a photo as a person sees it: upright, sRGB, 8 bits, on white where transparent.

    Args:
        path: any format of `media.formats`; the first picture if there are several.
        max_pixels: larger photos are refused before they are decoded.
        box: (left, upper, right, lower) pixels of the upright photo to keep.
    Returns:
        An RGB image in sRGB.
    Raises:
        PhotoError: missing, not a regular file, not a photo, damaged, or too large.
    """
    with open_photo(path) as file:
        return decode(file, name=str(path), max_pixels=max_pixels, box=box)


def decode(
    file: BinaryIO,
    *,
    name: str,
    max_pixels: int,
    box: tuple[int, int, int, int] | None = None,
) -> Image.Image:
    """`load_photo` for an open binary file; `name` is what errors call it."""
    picture = read_picture(file, name=name, max_pixels=max_pixels)
    rgb = Image.fromarray(on_white(to_dtype(picture.pixels, "uint8"), picture.alpha))
    return rgb.crop(box) if box else rgb
