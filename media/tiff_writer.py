"""Write TIFFs of any depth, also of several pages; Pillow writes colours of 8 bits only."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from typing import Any

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from core.distributed import num_cores
from media.metadata import DIRECTORIES, IPTC_TAG, srgb_profile
from media.picture import Picture
from media.samples import STRIP_PIXELS, to_dtype


def pack_pages(pictures: Iterable[Picture]) -> list[bytes]:
    """The bytes of a file of several pages, in parts; each page is taken after those before were packed.

    Raises:
        struct.error: they are too large for a TIFF, whose offsets have 32 bits.
    """
    parts: list[bytes] = []
    at = link = 0  # offset of the next page; index of the part that is the last page's directory
    for picture in pictures:
        page = pack_page(picture, at)
        if parts:
            parts[link] = _with_link(parts[link], at)
        link = len(parts) if parts else 1
        parts += page
        at += sum(map(len, page))
        if at % 2:
            parts.append(b"\0")
            at += 1
    return parts


def pack_page(original: Picture, offset: int = 0) -> list[bytes]:
    """The bytes of one page, in parts: its directory, then its strips, compressed by deflate.

    Args:
        original: the photo.
        offset: where in the file the page begins; 0: it is the first, and the file header precedes it.
    """
    samples = samples_of(original, original.pixels.dtype.name)
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
        tags[ExifTags.Base.ExtraSamples] = 2  # unassociated alpha
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
        # Pillow reads text as Latin-1, whatever it is, and would write it as ASCII.
        value = value.encode("latin-1", "replace") if isinstance(value, str) else value
        directory[tag] = exif.get_ifd(tag) if tag in DIRECTORIES else value
    for tag, value in tags.items():
        directory[tag] = value
    if metadata.iptc:
        directory[IPTC_TAG] = metadata.iptc
    # Pillow adds the end of the directory to the offsets of the strips.
    header = [] if offset else [struct.pack("<2sHI", b"II", 42, 8)]
    return [*header, directory.tobytes(offset or 8), *strips]


def samples_of(original: Picture, dtype: str) -> np.ndarray:
    """Samples (H, W, 3), or (H, W, 4) with alpha, converted to a dtype."""
    pixels = to_dtype(original.pixels, dtype)
    return pixels if original.alpha is None else np.dstack((pixels, to_dtype(original.alpha, dtype)))


def _with_link(directory: bytes, offset: int) -> bytes:
    """A TIFF directory with the offset of the next one set."""
    linked = bytearray(directory)
    struct.pack_into("<I", linked, 2 + 12 * struct.unpack_from("<H", linked)[0], offset)
    return bytes(linked)
