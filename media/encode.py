"""Write photos at their own depth, with an sRGB profile and their metadata."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from core.device import is_out_of_memory
from core.files import write_bytes
from media.attach import for_jpeg, jpeg_segment, png_texts, warn_of_losses
from media.decode import PhotoError, photo_format
from media.metadata import Metadata, exif_with_dpi, srgb_profile
from media.picture import Picture
from media.samples import on_white, to_dtype
from media.tiff_writer import pack_page, pack_pages, samples_of

ANIMATED = ("PNG", "WEBP", "GIF")
"""Formats that hold animations."""


def save_picture(path: Path, original: Picture, *, quality: int) -> None:
    """Write a photo atomically, with its metadata and an sRGB profile; the ending of `path` sets the format.

    PNG holds 8 and 16 bits, TIFF also floats, the others 8 bits; JPEG and BMP have no alpha.

    Args:
        path: the file to write.
        original: the photo.
        quality: of JPEG and WebP, 1 to 100.
    Raises:
        PhotoError: the format cannot hold the picture.
        UserError: the ending is unknown, or the place cannot be written.
    """
    file_format = photo_format(path)
    warn_of_losses(original, file_format)
    with _encoding(path):
        if file_format == "PNG" and original.pixels.dtype != np.uint8:
            parts: Sequence[bytes | memoryview] = _deep_png(original)
        elif file_format == "TIFF":
            parts = pack_page(original)
        else:
            parts = [_shallow(file_format, original, quality)]
    write_bytes(path, *parts)


def save_pages(path: Path, pictures: Iterable[Picture]) -> None:
    """Write a TIFF of several pages; each is taken from the iterable after those before it were encoded.

    Raises:
        PhotoError: they are too large for a TIFF.
        UserError: the place cannot be written.
    """
    try:
        parts = pack_pages(pictures)
    except struct.error as error:
        raise _cannot_hold(path, error) from error
    write_bytes(path, *parts)


def save_animation(
    path: Path, pictures: Iterable[Picture], durations: Sequence[int], loops: int, *, quality: int
) -> None:
    """Write an animation: GIF, WebP or PNG by the ending.

    Args:
        path: the file to write.
        pictures: its frames, of one size.
        durations: duration of each frame, ms.
        loops: number of times that it is played; 0: for ever.
        quality: of WebP, 1 to 100.
    Raises:
        PhotoError: the format holds no animations, or not this one.
        UserError: the place cannot be written.
    """
    file_format = photo_format(path)
    if file_format not in ANIMATED:
        raise PhotoError(f"{path} cannot hold an animation: use .png, .webp or .gif")
    pictures = iter(pictures)
    first = next(pictures)
    warn_of_losses(first, file_format)
    options = _options(file_format, first.metadata, quality) | {"duration": list(durations)}
    if file_format != "GIF" or loops != 1:  # a GIF that is played once has no loop count
        options["loop"] = loops
    if file_format == "GIF":
        options["disposal"] = 2  # cleared after each frame, lest it shows through the next
    options["append_images"] = [_to_image(picture, has_alpha=True) for picture in pictures]
    buffer = io.BytesIO()
    with _encoding(path):
        _to_image(first, has_alpha=True).save(buffer, file_format, save_all=True, **options)
    write_bytes(path, buffer.getvalue())


@contextlib.contextmanager
def _encoding(path: Path) -> Iterator[None]:
    """Turn what encoders raise on a picture that is too large, or not theirs, into a `PhotoError`."""
    try:
        yield
    except (OSError, ValueError, struct.error, RuntimeError, OverflowError) as error:
        if is_out_of_memory(error):
            raise
        raise _cannot_hold(path, error) from error


def _cannot_hold(path: Path, error: Exception) -> PhotoError:
    other = ".tif" if path.suffix.lower() == ".png" else ".png"
    return PhotoError(f"{path} cannot hold this picture ({error}): use {other}")


def _shallow(file_format: str, original: Picture, quality: int) -> bytes:
    """Encode as a file of 8 bits per sample."""
    buffer = io.BytesIO()
    image = _to_image(original, has_alpha=file_format not in ("JPEG", "BMP"))
    image.save(buffer, file_format, **_options(file_format, original.metadata, quality))
    return buffer.getvalue()


def _options(file_format: str, metadata: Metadata, quality: int) -> dict[str, Any]:
    """Arguments of `Image.save`."""
    options: dict[str, Any] = {"dpi": metadata.dpi} if metadata.dpi else {}
    if file_format in ("BMP", "GIF"):
        return options
    metadata = for_jpeg(metadata) if file_format == "JPEG" else metadata
    exif = exif_with_dpi(metadata) if file_format == "WEBP" else metadata.exif
    options |= {"icc_profile": srgb_profile(), "exif": exif}
    options |= {"xmp": metadata.xmp} if metadata.xmp else {}
    if file_format in ("JPEG", "WEBP"):
        options["quality"] = quality
    if file_format == "JPEG":
        options["subsampling"] = 0  # 4:4:4: the colours are the point of the picture
        options["extra"] = jpeg_segment(metadata)
        options["comment"] = dict(metadata.texts).get("Comment", "")
    if file_format == "PNG":
        options["pnginfo"] = png_texts(metadata)
    return options


def _to_image(original: Picture, *, has_alpha: bool) -> Image.Image:
    """A Pillow image of 8 bits; composited on white if alpha cannot be kept."""
    rgb = to_dtype(original.pixels, "uint8")
    if original.alpha is None or not has_alpha:
        return Image.fromarray(on_white(rgb, original.alpha))
    return Image.fromarray(np.dstack((rgb, to_dtype(original.alpha, "uint8"))))


def _deep_png(original: Picture) -> list[bytes | memoryview]:
    """Encode as a PNG of 16 bits, which Pillow cannot write in colour."""
    import imagecodecs

    data = memoryview(imagecodecs.png_encode(samples_of(original, "uint16")))
    metadata, chunks = original.metadata, []
    chunks.append((b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
    if metadata.dpi:
        per_metre = [round(d / 0.0254) for d in metadata.dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    chunks += [chunk[:2] for chunk in png_texts(metadata).chunks]
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    own = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    first = 8 + 25  # signature and IHDR
    return [data[:first], own, data[first:]]
