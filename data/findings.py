"""Inspect one photo of a training folder: size, kind, border, and marks to find duplicates by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from data.inspection import fault_of, read
from data.listing import Photo
from data.near import hashes_and_copy
from data.own_color import is_toned, small_lab
from inference.borders import find_photo
from media.picture import Picture

_SHOWN = 512  # long side of the copy in which borders are detected, pixels


@dataclass(frozen=True)
class Finding:
    """The result of inspecting a photo.

    Attributes:
        sha256: of the file's bytes; '' if it cannot be read.
        fault: the reason why a training leaves it out, or ''.
        size: (width, height).
        kind: 'color'; 'gray'; 'toned', in one hue; '' if it cannot be read.
        has_border: whether there is a near-constant border around it.
        marks: its `hashes_and_copy`, without its border; None if it cannot be read.
    """

    sha256: str
    fault: str
    size: tuple[int, int] = (0, 0)
    kind: str = ""
    has_border: bool = False
    marks: tuple[np.ndarray, np.ndarray] | None = None


def inspect_photo(photo: Photo, max_pixels: int) -> Finding:
    """Read and inspect a photo.

    Args:
        photo: of a listing.
        max_pixels: larger photos count as unreadable.
    """
    digest, pixels, fault = read(photo, max_pixels)
    if pixels is None:
        return Finding(digest, fault)
    fault = fault_of(photo, pixels)
    kind = "gray" if fault else "toned" if is_toned(small_lab(pixels)) else "color"
    inside = _within_border(pixels)
    return Finding(digest, fault, pixels.size, kind, inside is not pixels, hashes_and_copy(inside))


def _within_border(pixels: Image.Image) -> Image.Image:
    """Crop the border off a photo; returns the same object if there is none."""
    scale = min(1.0, _SHOWN / max(pixels.size))
    width, height = (max(1, round(scale * length)) for length in pixels.size)
    small = pixels if scale == 1 else pixels.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    box = find_photo(Picture(np.asarray(small)))
    if box == (0, 0, width, height):
        return pixels
    left, upper, right, lower = (round(place / scale) for place in box)
    return pixels.crop((left, upper, right, lower))
