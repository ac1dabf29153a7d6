"""What belongs to a photo beside its pixels: EXIF, XMP, resolution; and that its colours are inferred."""

from __future__ import annotations

import contextlib
import functools
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from PIL import ExifTags, Image, ImageCms

# https://cv.iptc.org/newscodes/digitalsourcetype: a photograph in which a trained model made a part.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_EMPTY_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
# Of a TIFF's own directory, what speaks of the photo: the rest describes how its old pixels are stored.
DESCRIPTIVE = frozenset(
    (
        *(ExifTags.Base.DocumentName, ExifTags.Base.ImageDescription, ExifTags.Base.Make),
        *(ExifTags.Base.Model, ExifTags.Base.PageName, ExifTags.Base.DateTime, ExifTags.Base.Artist),
        *(ExifTags.Base.HostComputer, ExifTags.Base.Rating, ExifTags.Base.Copyright),
        *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor),
        *(ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject),
    )
)
# Of EXIF proper: an offset into the old file, and sizes that another program looks up.
_OF_THE_OLD_FILE = (
    ExifTags.IFD.Interop,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
)
_SRGB = 1
_TURNED = range(5, 9)  # orientations that exchange width and height
# What a lying EXIF block makes Pillow raise.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)

DIRECTORIES = frozenset(int(tag) for tag in ExifTags.IFD)
"""EXIF tags that stand for tags of their own."""


@dataclass(frozen=True)
class Metadata:
    """Of an upright photo in sRGB.

    Attributes:
        exif: a block as Pillow takes it, or b"".
        xmp: a packet, or b"".
        dpi: horizontal and vertical, or None.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None


def read_metadata(exif: Image.Exif, info: Mapping[Any, Any]) -> tuple[Metadata, int]:
    """Take what belongs to a photo, as far as it can be read; damaged parts are left out.

    Args:
        exif: of an opened picture.
        info: of an opened picture: xmp, dpi.
    Returns:
        The metadata of the photo when it is upright, and its EXIF orientation, 1 to 8.
    """
    block, orientation = b"", 1
    with contextlib.suppress(*_UNREADABLE):
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
        block = _clean(exif)
    xmp = info.get("xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    dpi = _sane_dpi(info.get("dpi"))
    dpi = dpi[::-1] if dpi and orientation in _TURNED else dpi
    return Metadata(block, xmp if isinstance(xmp, bytes) else b"", dpi), orientation


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, always the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # when it was made: just now
    return bytes(profile)


def mark_inferred(metadata: Metadata, by: str) -> Metadata:
    """Say in EXIF and XMP that the colours are inferred.

    Args:
        metadata: of the photo.
        by: program and weights.
    """
    exif = Image.Exif()
    exif.load(metadata.exif)
    for tag, value in list(exif.items()):
        if isinstance(value, str):
            exif[tag] = value.encode("latin-1", "replace")
    exif[ExifTags.Base.Software] = f"{by}: colours inferred"
    return Metadata(exif.tobytes(), _mark_xmp(metadata.xmp, by), metadata.dpi)


def _sane_dpi(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = map(float, dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _clean(old: Image.Exif) -> bytes:
    """What EXIF says of the photo, without the orientation, which is applied, and without the old file."""
    new = Image.Exif()
    for tag in DESCRIPTIVE & set(old):
        value = old[tag]
        # Pillow reads text as Latin-1, whatever it is, and would write it as ASCII.
        new[tag] = value.encode("latin-1", "replace") if isinstance(value, str) else value
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        values = {tag: value for tag, value in old.get_ifd(ifd).items() if tag not in _OF_THE_OLD_FILE}
        if ExifTags.Base.ColorSpace in values and ifd == ExifTags.IFD.Exif:
            values[ExifTags.Base.ColorSpace] = _SRGB
        if values:
            new.get_ifd(ifd).update(values)
    return new.tobytes() if len(new) or new._ifds else b""


def _mark_xmp(xmp: bytes, by: str) -> bytes:
    text = xmp.decode("utf-8", "replace").rstrip("\0 \n")
    if "</rdf:RDF>" not in text:
        text = _EMPTY_XMP
    # The orientation is applied; a property that stands twice would make the packet invalid.
    for name in ("tiff:Orientation", "Iptc4xmpExt:DigitalSourceType", "colorizer:InferredBy"):
        text = re.sub(rf'\s*{name}="[^"]*"|<{name}>[^<]*</{name}>', "", text)
    note = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:colorizer="urn:colorizer:1">'
        f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<colorizer:InferredBy>{escape(by)}</colorizer:InferredBy></rdf:Description>"
    )
    head, _, tail = text.rpartition("</rdf:RDF>")
    return f"{head}{note}</rdf:RDF>{tail}".encode()
