"""Decode photos by Pillow: which formats are allowed, and errors that name the file."""

from __future__ import annotations

import contextlib
import functools
import io
import struct
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import ExifTags, Image, ImageChops, ImageCms, ImageOps

from core.errors import UserError
from core.extras import installing
from core.remarks import remark
from media.formats import HEIF_BRANDS, WRITTEN, kind_of_bytes
from media.library_lines import reading
from media.metadata import profile_of

DECODER_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    AssertionError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
"""What decoders raise on broken files; each was seen when damaged photos were decoded (fuzzing)."""

_TIFF_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0

# A photo is gray if its channels never differ by more: JPEG and rounding to 8 bits cause up to this much.
_GRAY_SPREAD = 2


_opening = threading.Lock()


class PhotoError(UserError):
    """A photo that cannot be read; the message names the file."""


class UnknownKind(Exception):
    """A file that may be intact, but is of a kind that cannot be read here; the message says which."""


def open_photo(path: Path) -> io.BufferedReader:
    """Open a regular file for reading. A pipe or a device is refused: reading it might never end.

    Raises:
        PhotoError: missing, not a regular file, or not readable.
    """
    try:
        if path.is_file():
            return open(path, "rb")
        what = "is a folder, not a photo" if path.is_dir() else "is no regular file"
        raise PhotoError(f"{path} {what if path.exists() else 'does not exist'}: name a photo")
    except OSError as error:
        raise PhotoError(f"cannot read {path} ({error.strerror or error}): check its rights") from error


@contextlib.contextmanager
def opened(file: BinaryIO, max_pixels: int) -> Iterator[Image.Image]:
    """Open an image of at most `max_pixels`; to be used within `decoding_errors`."""
    with _opening:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None  # Pillow's limit is global
        try:
            picture = Image.open(file, formats=_readable_formats())
        except Image.UnidentifiedImageError as error:
            file.seek(0)
            head = file.read(64)
            if head[4:8] == b"ftyp" and head[8:12] in HEIF_BRANDS:
                raise UnknownKind(f"HEIC needs pillow-heif: {installing('heif')}") from error
            if kind_of_bytes(head) == "photo":
                raise UnknownKind("a header that is damaged, or of a rare kind") from error
            raise
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    with picture as image:
        check_pixels(image, max_pixels)
        yield image


def check_pixels(image: Image.Image, max_pixels: int) -> None:
    """Refuse an image that is too large, before it is decoded; to be used within `decoding_errors`."""
    if image.width * image.height > max_pixels:
        raise Image.DecompressionBombError


@contextlib.contextmanager
def decoding_errors(name: str, max_pixels: int) -> Iterator[None]:
    """Turn whatever decoders raise on a broken file into a `PhotoError` that names the file."""
    try:
        with reading(name):
            yield
    except Image.DecompressionBombError as error:
        raise PhotoError(
            f"{name} has more than {max_pixels:,} pixels: shrink it or raise --max_pixels"
        ) from error
    except Image.UnidentifiedImageError as error:
        raise PhotoError(f"{name} is not a photo in a format known here: name another") from error
    except UnknownKind as error:
        raise PhotoError(
            f"{name} cannot be read here ({error}): save it anew with another program"
        ) from error
    except DECODER_ERRORS as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PhotoError(f"{name} is damaged ({reason}): get an intact copy") from error


@functools.cache
def _readable_formats() -> tuple[str, ...]:
    """The allowed formats; not all of Pillow's, some of which start other programs (EPS: Ghostscript)."""
    wanted = ["JPEG", "MPO", "PNG", "WEBP", "BMP", "DIB", "TIFF", "GIF", "PPM", "JPEG2000", "AVIF", "HEIF"]
    wanted.append("TGA")  # last: it has no signature, so that others must be tried first
    Image.init()
    with contextlib.suppress(ImportError):
        import pillow_heif  # an extra

        pillow_heif.register_heif_opener()
    return tuple(name for name in wanted if name in Image.OPEN)


def split_alpha(image: Image.Image, name: str) -> tuple[Image.Image, Image.Image | None]:
    """Any Pillow image as a person sees it: upright, sRGB, 8 bits, and its alpha, in mode L, if it has one.

    Args:
        image: of any mode; floats are in [0, 1].
        name: what warnings call it.
    """
    inverted = is_inverted(image)  # read now: a copy loses the tag
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:  # `exif_transpose` always copies
        image = ImageOps.exif_transpose(image)
    profile = profile_of(image.info, is_gray=image.mode in ("1", "L", "LA", "I", "F"))
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _to_8_bit(image, inverted)
    if image.mode in ("La", "RGBa"):  # premultiplied
        image = image.convert({"La": "LA", "RGBa": "RGBA"}[image.mode])
    if image.has_transparency_data and image.mode != "LA":  # LA stays gray, for its profile
        image = image.convert("RGBA")
    elif image.mode in ("P", "1", "PA"):
        image = image.convert("RGB")

    alpha = image.getchannel("A") if image.mode in ("RGBA", "LA") else None
    if alpha is not None:
        image = image.convert(image.mode[:-1])
    return _apply_profile(image, profile, name), alpha


def is_inverted(image: Image.Image) -> bool:
    """Whether 0 is white in an opened TIFF: Pillow inverts those of 8 bits, but not deeper ones."""
    return bool(getattr(image, "tag_v2", {}).get(_TIFF_PHOTOMETRIC) == _WHITE_IS_ZERO)


def resize(photo: Image.Image, image_size: int, mode: str) -> Image.Image:
    """Antialiased resize to the square that a model sees.

    Args:
        photo: RGB.
        image_size: side of the result, pixels.
        mode: 'squash' goes straight to the square, as the published protocol does; 'crop' takes
            the short side to `image_size` and cuts out the centre.
    """
    size = (image_size, image_size)
    if mode == "crop":
        return ImageOps.fit(photo, size, Image.Resampling.BILINEAR)
    return photo.resize(size, Image.Resampling.BILINEAR)


def is_gray(photo: Image.Image) -> bool:
    """Whether an RGB photo has no colour beyond rounding errors."""
    red, green, blue = photo.split()
    lightest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    darkest = ImageChops.darker(ImageChops.darker(red, green), blue)
    spread = np.asarray(ImageChops.subtract(lightest, darkest)).max(initial=0)
    return bool(spread <= _GRAY_SPREAD)


def photo_format(path: Path) -> str:
    """Pillow's name of the format that a file's ending stands for.

    Raises:
        UserError: files of this ending cannot be written.
    """
    if path.suffix.lower() not in WRITTEN:
        raise UserError(f"cannot write {path}: its ending must be one of {', '.join(WRITTEN)}")
    return WRITTEN[path.suffix.lower()]


def _to_8_bit(image: Image.Image, inverted: bool) -> Image.Image:
    """16-bit and float grays to mode L; Pillow's own conversion would clip at 255."""
    values = np.asarray(image, dtype=np.float32)
    full = 1.0 if image.mode == "F" else 65535.0
    values = np.nan_to_num(values / full).clip(0, 1)
    values = 1 - values if inverted else values
    return Image.fromarray((values * 255 + 0.5).astype(np.uint8))


def _apply_profile(image: Image.Image, profile: bytes | None, name: str) -> Image.Image:
    """Convert colours from the embedded ICC profile to sRGB; without a profile they are sRGB already."""
    if image.mode != "LAB" and profile is None:
        return image if image.mode == "RGB" else image.convert("RGB")
    try:
        lab = ImageCms.createProfile("LAB")
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile) if profile and image.mode != "LAB" else lab)
        srgb = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, srgb, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError) as error:
        told = f"its colour profile does not fit its pixels and is ignored ({error})"
        remark(f"{name}: {told}", told)
        return image.convert("RGB")
    assert converted is not None  # only an in-place conversion returns None
    return converted
