"""Photos at the depth of their files, with alpha and metadata, in sRGB.

Training and scoring use 8 bits (`media.photo`). A colored photo has the depth of its original: 8- or 16-bit
integers or floats, gray or RGB; `media.encode` writes it.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image

from core.errors import UserError
from core.remarks import remark
from media.damaged import loaded
from media.decode import (
    DECODER_ERRORS,
    PhotoError,
    check_pixels,
    decoding_errors,
    is_inverted,
    open_photo,
    opened,
    split_alpha,
)
from media.deep import read_deep
from media.metadata import Metadata, info_of, profile_of, read_metadata
from media.pages import page_number
from media.samples import STRIP_PIXELS, on_white, to_dtype, to_srgb
from media.use_damaged import is_used
from media.white import WHITE_LEVEL

Box = tuple[int, int, int, int]
"""(left, upper, right, lower) pixels."""

CHANNELS = (1, 3, 4)
"""Number of channels that an array may have: gray, RGB, or RGB and alpha."""

_FLOAT_LIMIT = 1.5
"""Floats that reach further, such as 0 to 255, are on another scale; resampling alone exceeds 1 by less."""
_LEAST_OF_16_BITS = 4096  # a smaller maximum of integers means fewer bits, as in `media.white`
_PREVIEW_GAP = 4  # by Pillow's documentation a `reducing_gap` of 3 is almost indistinguishable from none
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""EXIF orientation -> the operation that makes a photo upright."""


@dataclass(frozen=True)
class Picture:
    """An upright photo in sRGB, at the depth of its file.

    Attributes:
        pixels: (H, W, 3) uint8, uint16 or float32; white is 255, 65535 or 1.
        alpha: (H, W) of the same dtype, or None.
        metadata: what belongs to it.
        missing: (H, W) bool, where a damaged file holds nothing; None: it is whole.
        is_one_bit: whether its file holds black and white alone.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)
    missing: np.ndarray | None = None
    is_one_bit: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def crop(self, box: Box) -> Picture:
        """A view of a part of it, with the metadata of the whole."""
        left, upper, right, lower = box
        alpha, missing = (
            None if plane is None else plane[upper:lower, left:right] for plane in (self.alpha, self.missing)
        )
        return replace(self, pixels=self.pixels[upper:lower, left:right], alpha=alpha, missing=missing)

    def preview(self, side: int) -> Image.Image:
        """The photo in 8 bits, on white where transparent, to be shrunk to about `side` pixels.

        It may already be reduced by an integer factor, which saves the memory and time of a second large
        picture, but is large enough that the shrunk picture is practically the same.
        """
        width, height = self.size
        factor = max(1, min(width, height) // (_PREVIEW_GAP * side))
        rows = max(1, STRIP_PIXELS // (width * factor)) * factor
        parts = []
        for top in range(0, height, rows):
            strip = slice(top, top + rows)
            alpha = None if self.alpha is None else self.alpha[strip]
            part = on_white(to_dtype(self.pixels[strip], "uint8"), alpha)
            parts.append(part if factor == 1 else np.asarray(Image.fromarray(part).reduce(factor)))
        return Image.fromarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


def load_picture(path: Path, *, max_pixels: int, page: int = 0) -> Picture:
    """Decode a photo at the depth of its file.

    Args:
        path: any format of `media.formats`.
        max_pixels: larger photos are refused before they are decoded.
        page: of a file that holds several pictures, as `media.pages` numbers them.
    Raises:
        PhotoError: missing, not a regular file, not a photo, damaged, or too large.
    """
    with open_photo(path) as file:
        return read_picture(file, name=str(path), max_pixels=max_pixels, page=page)


def read_picture(file: BinaryIO, *, name: str, max_pixels: int, page: int = 0) -> Picture:
    """`load_picture` for an open binary file; `name` is what errors call it."""
    with decoding_errors(name, max_pixels):
        number = page_number(file, page)
        try:
            deep = read_deep(file, max_pixels, number, name)
        except DECODER_ERRORS as error:
            if isinstance(error, Image.DecompressionBombError) or not is_used():
                raise
            return _read_damaged(file, max_pixels, number, name)
        if deep is None:
            return _read_shallow(file, max_pixels, number, name)
    turn = _TURNS.get(deep.orientation, lambda a: a)
    colors = to_srgb(turn(deep.colors), deep.profile, name)
    alpha = None if deep.alpha is None else np.ascontiguousarray(turn(deep.alpha))
    return Picture(_three_channels(colors), alpha, deep.metadata)


def _read_damaged(file: BinaryIO, max_pixels: int, number: int, name: str) -> Picture:
    """Decode what is there of a file that `read_deep` fails on, to 8 bits: of parts Pillow alone knows."""
    file.seek(0)
    picture = _read_shallow(file, max_pixels, number, name)
    told = "is damaged, and what is there is read in 8 bits"  # not of a file that turns out to be no photo
    remark(f"{name} {told}", told)
    return picture


def _read_shallow(file: BinaryIO, max_pixels: int, number: int, name: str) -> Picture:
    """Decode to 8 bits."""
    with loaded(file, max_pixels, number, name) as (image, missing):
        check_pixels(image, max_pixels)  # pages may differ in size
        metadata, _ = read_metadata(image.getexif(), info_of(image))
        is_one_bit = image.mode == "1"
        if missing is not None:
            orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
            missing = _TURNS.get(orientation, lambda a: a)(missing)
        rgb, alpha = split_alpha(image, name)
    # By now the image before conversion to sRGB is released.
    pixels, opacity = np.asarray(rgb), None if alpha is None else np.asarray(alpha)
    return Picture(pixels, opacity, metadata, missing, is_one_bit)


def count_pixels(path: Path) -> int | None:
    """Number of pixels of a photo, from its header alone; None if that cannot be read."""
    try:
        with (
            open_photo(path) as file,
            decoding_errors(str(path), sys.maxsize),
            opened(file, sys.maxsize) as image,
        ):
            return image.width * image.height
    except PhotoError:
        return None


def from_image(image: Image.Image, name: str) -> Picture:
    """A Pillow image of any mode, at its depth.

    Raises:
        ValueError: floats as `from_array` refuses them, or integers of mode I that do not fill 16 bits.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return _from_deep_image(image, name)
    rgb, alpha = split_alpha(image, name)
    return Picture(np.asarray(rgb), None if alpha is None else np.asarray(alpha))


def _from_deep_image(image: Image.Image, name: str) -> Picture:
    """A gray Pillow image of more than 8 bits."""
    samples = np.asarray(image)
    if image.mode == "I":
        _check_fills_16_bits(samples)
    # Read after the samples: Pillow itself turns a TIFF upright when it loads it.
    orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    upright = _TURNS.get(orientation, lambda a: a)(samples)
    gray = from_array(upright if image.mode == "F" else upright.astype(np.uint16)).pixels[..., :1]
    if is_inverted(image):
        gray = WHITE_LEVEL[gray.dtype.name] - gray
    return Picture(_three_channels(to_srgb(gray, profile_of(image.info, is_gray=True), name)))


def _check_fills_16_bits(samples: np.ndarray) -> None:
    """
    Raises:
        ValueError: integers of 32 bits that are probably of another depth than 16.
    """
    low, high = int(samples.min(initial=0)), int(samples.max(initial=0))
    if low < 0 or high > WHITE_LEVEL["uint16"] or 0 < high < _LEAST_OF_16_BITS:
        raise ValueError(
            f"expected integers that fill 16 bits in a Pillow image of mode I, got {low} to {high}: pass the "
            "file itself, or an array of uint8 or uint16"
        )


def from_array(array: np.ndarray) -> Picture:
    """From sRGB samples: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, uint16 or floats in [0, 1].

    Raises:
        ValueError: another shape or dtype, no pixel, or floats far beyond 1 or not finite.
    """
    samples = np.asarray(array)
    if not samples.size:
        raise ValueError(f"expected a photo with at least one pixel, got shape {samples.shape}")
    if samples.dtype.kind == "f":
        samples = samples.astype(np.float32)
        if not np.isfinite(samples).all():
            raise ValueError("expected floats from 0 to 1, got NaN or infinity: replace them")
        if (highest := samples.max()) > _FLOAT_LIMIT:
            raise ValueError(f"expected floats from 0 to 1, got up to {highest:g}: divide by their white")
        samples = samples.clip(0, 1)
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.ndim != 3 or samples.shape[2] not in CHANNELS or samples.dtype.name not in WHITE_LEVEL:
        raise ValueError(
            f"expected (H, W[, 1, 3 or 4]) of {', '.join(WHITE_LEVEL)}, got {array.shape} {array.dtype}"
        )
    alpha = samples[..., 3] if samples.shape[2] == 4 else None
    colors = samples[..., :3]
    return Picture(_three_channels(colors), alpha)


def size_within(size: tuple[int, int], side: int) -> tuple[int, int]:
    """`size` scaled down so that its long side is at most `side` pixels."""
    scale = min(1.0, side / max(size))
    first, second = (max(1, round(scale * length)) for length in size)
    return first, second


def check_size(name: str, size: tuple[int, int], other: str, wanted: tuple[int, int]) -> None:
    """Check that a file has the size of the photo or clip that it is given for.

    Args:
        name, size: of the file, and its (width, height).
        other, wanted: the same of the photo or clip.
    Raises:
        UserError: the sizes differ.
    """
    if size != wanted:
        found, expected = ("{}x{}".format(*pair) for pair in (size, wanted))
        raise UserError(f"{name} is {found}, {other} {expected}: the sizes must agree")


def beside(left: Picture, right: Picture) -> Picture:
    """Two photos of the same size and dtype side by side in one picture."""
    alpha = None
    if left.alpha is not None and right.alpha is not None:
        alpha = np.concatenate((left.alpha, right.alpha), axis=1)
    return Picture(np.concatenate((left.pixels, right.pixels), axis=1), alpha, right.metadata)


def _three_channels(colors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))
