"""Decode at full depth the files that Pillow reduces to 8 bits or cannot read at all."""

from __future__ import annotations

from typing import BinaryIO

import numpy as np

from media.coded import read_coded
from media.decode import opened
from media.metadata import info_of, profile_of, read_metadata
from media.tiff_reader import STARTS, Deep, read_tiff, three_axes
from media.white import find_white, normalize

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24  # in the first chunk
_FOR_IMAGECODECS = (b"\xff\x0a", b"\0\0\0\x0cJXL", b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51", b"\xff\xd8\xff")
_BITS_OF_A_SAMPLE = {"I": 16, "F": 32}


def read_deep(file: BinaryIO, max_pixels: int, page: int, name: str) -> Deep | None:
    """Decode a file at its full depth; None if Pillow reads it, or this page of it, without loss of depth.

    Args:
        file: positioned at its beginning, as it is again afterwards.
        max_pixels: larger pictures are refused.
        page: number of the page, of a TIFF.
        name: what warnings call the file.
    """
    start = file.read(_PNG_DEPTH_AT + 1)
    file.seek(0)
    if start[:4] in STARTS:
        deep = read_tiff(file, max_pixels, page, name)
    elif start.startswith(_FOR_IMAGECODECS):
        deep = read_coded(file.read(), max_pixels, name)
    else:
        is_deep_png = start.startswith(_PNG) and start[_PNG_DEPTH_AT:] == b"\x10"
        deep = _read_gray_or_png(file, max_pixels, name, is_deep_png=is_deep_png)
    file.seek(0)
    return deep


def _read_gray_or_png(file: BinaryIO, max_pixels: int, name: str, *, is_deep_png: bool) -> Deep | None:
    with opened(file, max_pixels) as image:
        if not is_deep_png and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            return None
        image.load()  # also reads the metadata that is stored after the pixels
        samples = np.asarray(image)
        metadata, orientation = read_metadata(image.getexif(), info_of(image))
        profile = profile_of(image.info, is_gray=True)
        if is_deep_png:
            import imagecodecs  # here, because few photos need it

            file.seek(0)
            samples = imagecodecs.png_decode(file.read())
            profile = profile_of(image.info, is_gray=samples.ndim == 2 or samples.shape[2] < 3)
    samples = three_axes(samples)
    num_colors = 3 if samples.shape[2] >= 3 else 1
    white = find_white(samples[..., :num_colors], _BITS_OF_A_SAMPLE.get(image.mode, 16), None, name)
    samples = normalize(samples, white)
    alpha = samples[..., num_colors] if samples.shape[2] > num_colors else None
    return Deep(samples[..., :num_colors], alpha, metadata, orientation, profile)
