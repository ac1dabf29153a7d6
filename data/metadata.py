"""What belongs to a photo beside its pixels: EXIF, XMP, resolution; and that its colours are inferred."""

from __future__ import annotations

import contextlib
import functools
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from PIL import ExifTags, Image, ImageCms

# https://cv.iptc.org/newscodes/digitalsourcetype: a photograph in which a trained model made a part.
_SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
_EMPTY_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
)
# They describe the file that was, not the one that is written.
_OF_THE_OLD_FILE = (
    *(ExifTags.Base.ImageWidth, ExifTags.Base.ImageLength, ExifTags.Base.BitsPerSample),
    *(ExifTags.Base.Compression, ExifTags.Base.PhotometricInterpretation, ExifTags.Base.StripOffsets),
    *(ExifTags.Base.SamplesPerPixel, ExifTags.Base.RowsPerStrip, ExifTags.Base.StripByteCounts),
    *(ExifTags.Base.PlanarConfiguration, ExifTags.Base.Predictor, ExifTags.Base.ColorMap),
    *(ExifTags.Base.TileWidth, ExifTags.Base.TileLength, ExifTags.Base.TileOffsets),
    *(ExifTags.Base.TileByteCounts, ExifTags.Base.ExtraSamples, ExifTags.Base.SampleFormat),
    *(ExifTags.Base.FillOrder, ExifTags.Base.InterColorProfile, ExifTags.Base.XMLPacket),
    *(ExifTags.Base.JPEGTables, ExifTags.Base.YCbCrSubSampling, ExifTags.Base.YCbCrPositioning),
    *(ExifTags.Base.ReferenceBlackWhite, ExifTags.Base.NewSubfileType, ExifTags.Base.TransferFunction),
    *(ExifTags.Base.WhitePoint, ExifTags.Base.PrimaryChromaticities, ExifTags.Base.Orientation),
)
_SRGB, _WHITE_IS_ZERO = 1, 0
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


@dataclass(frozen=True)
class Reading:
    """How the samples of a file are to be read.

    Attributes:
        orientation: of EXIF, 1 to 8; 1 is upright.
        profile: an ICC profile, or None for sRGB.
        is_inverted: whether 0 is white.
    """

    orientation: int = 1
    profile: bytes | None = None
    is_inverted: bool = False


def read_metadata(exif: Image.Exif, info: Mapping[Any, Any]) -> tuple[Metadata, Reading]:
    """Take what belongs to a photo, as far as it can be read; damaged parts are left out.

    Args:
        exif: of an opened picture.
        info: of an opened picture: icc_profile, xmp, dpi.
    """
    xmp, profile = info.get("xmp") or b"", info.get("icc_profile")
    block, orientation, is_inverted = b"", 1, False
    with contextlib.suppress(*_UNREADABLE):
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
        is_inverted = exif.get(ExifTags.Base.PhotometricInterpretation) == _WHITE_IS_ZERO
        block = _clean(exif)
    return (
        Metadata(block, xmp.encode() if isinstance(xmp, str) else bytes(xmp), _sane_dpi(info.get("dpi"))),
        Reading(orientation, profile if isinstance(profile, bytes) else None, is_inverted),
    )


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
    exif[ExifTags.Base.Software] = f"{by}: colours inferred"
    return Metadata(exif.tobytes(), _mark_xmp(metadata.xmp, by), metadata.dpi)


def _sane_dpi(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = map(float, dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _clean(old: Image.Exif) -> bytes:
    """The same tags without orientation, which is applied, and without what described the old pixels."""
    new = Image.Exif()
    for tag, value in old.items():
        if tag not in _OF_THE_OLD_FILE and tag not in DIRECTORIES:
            new[tag] = value
    for ifd in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
        values: dict[int, Any] = old.get_ifd(ifd)
        if values:
            new.get_ifd(ifd).update({k: v for k, v in values.items() if k != ExifTags.IFD.Interop})
    if ExifTags.Base.ColorSpace in new.get_ifd(ExifTags.IFD.Exif):
        new.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ColorSpace] = _SRGB
    return new.tobytes() if len(new) or new._ifds else b""


def _mark_xmp(xmp: bytes, by: str) -> bytes:
    text = xmp.decode("utf-8", "replace").rstrip("\0 \n")
    if "</rdf:RDF>" not in text:
        text = _EMPTY_XMP
    # The orientation is applied, here too.
    text = re.sub(r'\s*tiff:Orientation="\d+"|<tiff:Orientation>\d+</tiff:Orientation>', "", text)
    note = (
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        'xmlns:photoshop="http://ns.adobe.com/photoshop/1.0/">'
        f"<Iptc4xmpExt:DigitalSourceType>{_SOURCE_TYPE}</Iptc4xmpExt:DigitalSourceType>"
        f"<photoshop:Instructions>Colours inferred by {by}</photoshop:Instructions></rdf:Description>"
    )
    head, _, tail = text.rpartition("</rdf:RDF>")
    return f"{head}{note}</rdf:RDF>{tail}".encode()
