"""How what belongs to a photo stands in a file of each format, and what a format has no place for."""

from __future__ import annotations

import functools
import logging
import re
import struct

from PIL import PngImagePlugin

from media.metadata import IPTC_RESOURCE, Metadata

log = logging.getLogger(__name__)

RAW_IPTC = "Raw profile type iptc"
"""Keyword under which PNGs keep IPTC, as ImageMagick has introduced it."""

_SEGMENT = 65533  # bytes that a segment of a JPEG holds at most
_LOST = {
    "JPEG": ("texts",),
    "TIFF": ("texts",),
    "WEBP": ("IPTC records", "texts"),
    "GIF": ("EXIF", "IPTC records", "texts"),
    "BMP": ("EXIF", "XMP", "IPTC records", "texts"),
}


def png_texts(metadata: Metadata) -> PngImagePlugin.PngInfo:
    """XMP, texts and IPTC as chunks of a PNG."""
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


def jpeg_segment(metadata: Metadata) -> bytes:
    """IPTC as a segment of a JPEG, or b"" where there is none."""
    if not metadata.iptc:
        return b""
    body = b"Photoshop 3.0\0" + _photoshop_block(metadata.iptc)
    if len(body) > _SEGMENT:
        _warn("JPEG", "IPTC records of more than 64 KB")
        return b""
    return b"\xff\xed" + struct.pack(">H", len(body) + 2) + body


def warn_of_losses(metadata: Metadata, file_format: str) -> None:
    """Name, once in a run, what a format has no place for."""
    texts = [key for key, _ in metadata.texts if not (file_format == "JPEG" and key == "Comment")]
    has = {"EXIF": metadata.exif, "XMP": metadata.xmp, "IPTC records": metadata.iptc, "texts": texts}
    for what in _LOST.get(file_format, ()):
        if has[what]:
            _warn(file_format, what)


@functools.cache
def _warn(file_format: str, what: str) -> None:
    log.warning("%s has no place for %s, which are left out; PNG has", file_format, what)


def _photoshop_block(iptc: bytes) -> bytes:
    """A resource of Photoshop's."""
    return struct.pack(">4sH2sI", b"8BIM", IPTC_RESOURCE, b"\0\0", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
