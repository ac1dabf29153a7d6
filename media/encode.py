"""Writing photographs: at their own depth, with an sRGB profile and what else belongs to them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from PIL import ExifTags, Image, PngImagePlugin, TiffImagePlugin

from core.distributed import num_cores
from core.files import write_bytes
from media.decode import PhotoError, photo_format
from media.metadata import DIRECTORIES, srgb_profile
from media.picture import STRIP_PIXELS, Picture, on_white, to_dtype


def save_picture(path: Path, original: Picture, *, quality: int) -> None:
    """Write a photo, format by the ending, whole or not at all, with its metadata and an sRGB profile.

    PNG holds 8 and 16 bits, TIFF also floats, the others 8 bits; JPEG and BMP have no alpha.

    Args:
        path: where to.
        original: the photo.
        quality: of JPEG and WebP, 1 to 100.
    Raises:
        PhotoError: the format cannot hold the picture.
        UserError: the ending is unknown, or the place cannot be written.
    """
    file_format = photo_format(path)
    try:
        if file_format == "PNG" and original.pixels.dtype != np.uint8:
            parts: Sequence[bytes | memoryview] = _deep_png(original)
        elif file_format == "TIFF":
            parts = _tiff(original)
        else:
            parts = [_shallow(file_format, original, quality)]
    except (OSError, ValueError, struct.error) as error:  # such as a WebP beyond 16 383 pixels
        raise PhotoError(f"{path} cannot hold this picture ({error}): use .png") from error
    write_bytes(path, *parts)


def _shallow(file_format: str, original: Picture, quality: int) -> bytes:
    """A file of 8 bits."""
    metadata = original.metadata
    options: dict[str, Any] = {"icc_profile": srgb_profile(), "exif": metadata.exif}
    options |= {"xmp": metadata.xmp} if metadata.xmp else {}
    options |= {"dpi": metadata.dpi} if metadata.dpi else {}
    if file_format in ("JPEG", "WEBP"):
        options["quality"] = quality
    if file_format == "JPEG":
        options["subsampling"] = 0  # colours are what this is about
    if file_format == "PNG" and metadata.xmp:
        text = PngImagePlugin.PngInfo()
        text.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
        options["pnginfo"] = text
    if file_format == "BMP":
        options = {key: value for key, value in options.items() if key == "dpi"}
    buffer = io.BytesIO()
    _to_image(original, has_alpha=file_format not in ("JPEG", "BMP")).save(buffer, file_format, **options)
    return buffer.getvalue()


def _to_image(original: Picture, *, has_alpha: bool) -> Image.Image:
    """8 bits; on white where the alpha has no place."""
    rgb = to_dtype(original.pixels, "uint8")
    if original.alpha is None or not has_alpha:
        return Image.fromarray(on_white(rgb, original.alpha))
    return Image.fromarray(np.dstack((rgb, to_dtype(original.alpha, "uint8"))))


def _samples(original: Picture, dtype: str) -> np.ndarray:
    """(H, W, 3 or 4)."""
    pixels = to_dtype(original.pixels, dtype)
    return pixels if original.alpha is None else np.dstack((pixels, to_dtype(original.alpha, dtype)))


def _deep_png(original: Picture) -> list[bytes | memoryview]:
    """A PNG of 16 bits; Pillow writes none in colour."""
    import imagecodecs

    data = memoryview(imagecodecs.png_encode(_samples(original, "uint16")))
    metadata, chunks = original.metadata, []
    chunks.append((b"iCCP", b"sRGB\0\0" + zlib.compress(srgb_profile())))
    if metadata.dpi:
        per_metre = [round(d / 0.0254) for d in metadata.dpi]
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if metadata.xmp:
        chunks.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if metadata.exif:
        chunks.append((b"eXIf", metadata.exif.removeprefix(b"Exif\0\0")))
    own = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    first = 8 + 25  # signature and IHDR
    return [data[:first], own, data[first:]]


def _tiff(original: Picture) -> list[bytes]:
    """A TIFF of any depth in deflated strips; Pillow writes no colours of more than 8 bits."""
    samples = _samples(original, original.pixels.dtype.name)
    samples = samples.astype(samples.dtype.newbyteorder("<"), copy=False)
    height, width, num = samples.shape
    rows = max(1, STRIP_PIXELS // width)

    def deflate(top: int) -> bytes:
        return zlib.compress(np.ascontiguousarray(samples[top : top + rows]).data)

    with ThreadPoolExecutor(num_cores()) as pool:
        strips = list(pool.map(deflate, range(0, height, rows)))
    sizes = [len(strip) for strip in strips]
    tags: dict[int, Any] = {
        ExifTags.Base.ImageWidth: width,
        ExifTags.Base.ImageLength: height,
        ExifTags.Base.BitsPerSample: (8 * samples.itemsize,) * num,
        ExifTags.Base.Compression: 8,  # deflate
        ExifTags.Base.PhotometricInterpretation: 2,  # RGB
        ExifTags.Base.StripOffsets: tuple(accumulate([0, *sizes[:-1]])),
        ExifTags.Base.SamplesPerPixel: num,
        ExifTags.Base.RowsPerStrip: min(rows, height),
        ExifTags.Base.StripByteCounts: tuple(sizes),
        ExifTags.Base.PlanarConfiguration: 1,
        ExifTags.Base.SampleFormat: (3 if samples.dtype.kind == "f" else 1,) * num,
        ExifTags.Base.InterColorProfile: srgb_profile(),
    }
    if num == 4:
        tags[ExifTags.Base.ExtraSamples] = 2  # alpha that the colours are not multiplied with
    metadata = original.metadata
    if metadata.xmp:
        tags[ExifTags.Base.XMLPacket] = metadata.xmp
    if metadata.dpi:
        tags |= {ExifTags.Base.XResolution: metadata.dpi[0], ExifTags.Base.YResolution: metadata.dpi[1]}
        tags[ExifTags.Base.ResolutionUnit] = 2  # inch
    directory = TiffImagePlugin.ImageFileDirectory_v2()
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag, value in exif.items():
        directory[tag] = exif.get_ifd(tag) if tag in DIRECTORIES else value
    for tag, value in tags.items():
        directory[tag] = value
    # Pillow adds to the offsets of the strips where the directory ends.
    header = struct.pack("<2sHI", b"II", 42, 8)
    return [header, directory.tobytes(8), *strips]
