"""How each file format stores the metadata of a photo, and what a format cannot store."""

from __future__ import annotations

import functools
import logging
import re
import struct
from dataclasses import replace
from typing import Any

from PIL import PngImagePlugin

from media.metadata import IPTC_RESOURCE, Metadata
from media.picture import WHITE_LEVEL, Picture

log = logging.getLogger(__name__)

RAW_IPTC = "Raw profile type iptc"
"""Keyword under which PNGs store IPTC records, a convention of ImageMagick."""

_SEGMENT = 65533  # maximum size in bytes of the body of a JPEG segment
_XMP_NAME = 29  # bytes of the name that precedes XMP in its segment
_LOST = {
    "JPEG": ("texts", "transparency"),
    "TIFF": ("texts",),
    "WEBP": ("IPTC records", "texts"),
    "GIF": ("EXIF", "dots per inch", "IPTC records", "texts"),
    "BMP": ("EXIF", "XMP", "IPTC records", "texts", "transparency"),
}


def png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    """XMP, texts and IPTC as PNG chunks."""
    chunks = PngImagePlugin.PngInfo()
    if metadata.xmp:
        chunks.add_itxt("XML:com.adobe.xmp", metadata.xmp.decode("utf-8", "replace"))
    for keyword, text in metadata.texts:
        chunks.add_itxt(keyword, text)
    if metadata.iptc:
        block = _photoshop_block(metadata.iptc)
        lines = re.sub("(.{72})", r"\1\n", block.hex())
        chunks.add_text(RAW_IPTC, f"\niptc\n{len(block):8}\n{lines}\n", zip=True)
    return chunks


def for_jpeg(metadata: Metadata) -> Metadata:
    """The metadata without EXIF, XMP and comments that are too long for a JPEG's segments, with a warning."""
    if len(metadata.exif) > _SEGMENT:
        _warn("JPEG", "EXIF of more than 64 KB")
        metadata = replace(metadata, exif=b"")
    if len(metadata.xmp) > _SEGMENT - _XMP_NAME:
        _warn("JPEG", "XMP of more than 64 KB")
        metadata = replace(metadata, xmp=b"")
    if len(dict(metadata.texts).get("Comment", "").encode()) > _SEGMENT:
        _warn("JPEG", "comments of more than 64 KB")
        metadata = replace(metadata, texts=())
    return metadata


def jpeg_segment(metadata: Metadata) -> bytes:
    """IPTC as a JPEG segment (APP13), or b"" if there is none."""
    if not metadata.iptc:
        return b""
    body = b"Photoshop 3.0\0" + _photoshop_block(metadata.iptc)
    if len(body) > _SEGMENT:
        _warn("JPEG", "IPTC records of more than 64 KB")
        return b""
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def warn_of_losses(picture: Picture, file_format: str) -> None:
    """Warn, once per run and format, of metadata and transparency that the format cannot store."""
    metadata, alpha = picture.metadata, picture.alpha
    texts = [key for key, _ in metadata.texts if not (file_format == "JPEG" and key == "Comment")]
    has: dict[str, Any] = {
        "EXIF": metadata.exif,
        "XMP": metadata.xmp,
        "IPTC records": metadata.iptc,
        "texts": texts,
    }
    has["dots per inch"] = metadata.dpi or ()
    has["transparency"] = alpha is not None and alpha.min() < WHITE_LEVEL[alpha.dtype.name]
    for what in _LOST.get(file_format, ()):
        if has[what]:
            _warn(file_format, what)


@functools.cache
def _warn(file_format: str, what: str) -> None:
    log.warning("%s has no place for %s, left out here; PNG has", file_format, what)


def _photoshop_block(iptc: bytes) -> bytes:
    """IPTC wrapped in a Photoshop image resource block (8BIM)."""
    return struct.pack(">4sH2sI", b"8BIM", IPTC_RESOURCE, b"\0\0", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
