"""Metadata of a photo, such as EXIF, XMP and resolution, and the mark that its colours are inferred."""

from __future__ import annotations

import contextlib
import functools
import struct
from collections.abc import Mapping
from dataclasses import dataclass, replace
from operator import sub
from typing import Any

from PIL import ExifTags, Image, ImageCms

from media.xmp import mark_xmp, upright_xmp

# Tags of a TIFF's main directory that describe the photo: the others say how its old pixels are stored.
DESCRIPTIVE = frozenset(
    (
        *(ExifTags.Base.DocumentName, ExifTags.Base.ImageDescription, ExifTags.Base.Make),
        *(ExifTags.Base.Model, ExifTags.Base.PageName, ExifTags.Base.DateTime, ExifTags.Base.Artist),
        *(ExifTags.Base.HostComputer, ExifTags.Base.Rating, ExifTags.Base.Copyright),
        *(ExifTags.Base.XPTitle, ExifTags.Base.XPComment, ExifTags.Base.XPAuthor),
        *(ExifTags.Base.XPKeywords, ExifTags.Base.XPSubject),
    )
)
# EXIF tags that are not copied: an offset into the old file, and its pixel size.
_OF_THE_OLD_FILE = (
    ExifTags.IFD.Interop,
    ExifTags.Base.ExifImageWidth,
    ExifTags.Base.ExifImageHeight,
)
IPTC_TAG = 33723  # of a TIFF
IPTC_RESOURCE, _IPTC_START = 0x0404, b"\x1c"
_NO_TEXTS = ("XML:com.adobe.xmp", "Software", "Raw profile type exif", "Raw profile type iptc")
_NO_COMMENTS = ("b'Created by OpenJPEG", "Created by OpenJPEG")
_SRGB = 1
_INCH, _CENTIMETRE = 2, 3  # units of a resolution
_PER_INCH = {_INCH: 1.0, _CENTIMETRE: 2.54}
_USUAL_GAMMA, _SAME_GAMMA, _SAME_POINT = 2.2, 0.03, 0.005
_SRGB_POINTS = (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)  # white, red, green, blue
_TURNED = range(5, 9)  # orientations that exchange width and height
# What Pillow raises on a malformed EXIF block.
_UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)

DIRECTORIES = frozenset(int(tag) for tag in ExifTags.IFD)
"""EXIF tags that point to a subdirectory of further tags."""


@dataclass(frozen=True)
class Metadata:
    """Metadata of an upright photo in sRGB.

    Attributes:
        exif: an EXIF block as Pillow takes it, or b"".
        xmp: an XMP packet, or b"".
        dpi: horizontal and vertical, or None.
        iptc: records of IPTC-IIM, or b"".
        texts: pairs of keyword and text of PNG, GIF and JPEG; a comment has the keyword Comment.
    """

    exif: bytes = b""
    xmp: bytes = b""
    dpi: tuple[float, float] | None = None
    iptc: bytes = b""
    texts: tuple[tuple[str, str], ...] = ()


def read_metadata(exif: Image.Exif, info: Mapping[Any, Any]) -> tuple[Metadata, int]:
    """Read the metadata of a photo; damaged parts are left out.

    Args:
        exif: of an opened image.
        info: of an opened image, see `info_of`: xmp, dpi, photoshop or iptc, comment, and texts of a PNG.
    Returns:
        The metadata that fit the photo once it is turned upright, and its EXIF orientation, 1 to 8.
    """
    block, orientation = b"", 1
    with contextlib.suppress(*_UNREADABLE):
        orientation = int(exif.get(ExifTags.Base.Orientation, 1))
        block = _clean(exif)
    xmp = info.get("xmp")
    xmp = xmp.encode() if isinstance(xmp, str) else xmp
    dpi = _sane_dpi(info.get("dpi")) or _dpi_of(exif)
    dpi = dpi[::-1] if dpi and orientation in _TURNED else dpi
    xmp = upright_xmp(xmp) if isinstance(xmp, bytes) else b""
    return Metadata(block, xmp, dpi, _read_iptc(info), _read_texts(info)), orientation


def info_of(image: Image.Image) -> dict[Any, Any]:
    """The `info` that `read_metadata` takes, of an image that was opened and loaded."""
    tags = getattr(image, "tag_v2", {})
    return {**image.info, "texts": getattr(image, "text", None), "iptc": tags.get(IPTC_TAG)}


def profile_of(info: Mapping[Any, Any], *, is_gray: bool) -> bytes | None:
    """The ICC profile of an opened image, or one built from a PNG's gAMA and cHRM chunks; None: sRGB.

    Source: PNG, third edition, 11.3.2: an ICC profile and sRGB take precedence over gAMA and cHRM.
    """
    profile, gamma = info.get("icc_profile"), info.get("gamma")
    is_usual = "srgb" in info or not gamma or abs(gamma * _USUAL_GAMMA - 1) < _SAME_GAMMA
    points = info.get("chromaticity")
    has_points = points and "srgb" not in info and max(map(abs, map(sub, points, _SRGB_POINTS))) > _SAME_POINT
    if profile or (is_usual and not has_points):
        return profile
    import imagecodecs  # here, because few photos need it

    exponent = 1 / gamma if gamma else _USUAL_GAMMA
    if is_gray:
        return bytes(imagecodecs.cms_profile("gray", gamma=exponent))
    x, y, *primaries = points or _SRGB_POINTS
    return bytes(
        imagecodecs.cms_profile("rgb", whitepoint=(x, y), primaries=tuple(primaries), gamma=exponent)
    )


@functools.cache
def srgb_profile() -> bytes:
    """The ICC profile of sRGB, always the same bytes."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    profile[24:36] = struct.pack(">6H", 2000, 1, 1, 0, 0, 0)  # the creation date, which would be now
    return bytes(profile)


def mark_inferred(metadata: Metadata, by: str) -> Metadata:
    """Say in EXIF and XMP that the colours are inferred.

    Args:
        metadata: of the photo.
        by: program and weights.
    """
    exif = _loaded(metadata.exif)
    exif[ExifTags.Base.Software] = f"{by}: colours inferred"
    return replace(metadata, exif=exif.tobytes(), xmp=mark_xmp(metadata.xmp, by))


def exif_with_dpi(metadata: Metadata) -> bytes:
    """The EXIF block with the resolution, for formats that have no other place for that."""
    if metadata.dpi is None:
        return metadata.exif
    exif = _loaded(metadata.exif)
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = metadata.dpi
    exif[ExifTags.Base.ResolutionUnit] = _INCH
    return exif.tobytes()


def _loaded(block: bytes) -> Image.Exif:
    """An EXIF block to be changed, whose texts stay as they are: Pillow would write them as ASCII."""
    exif = Image.Exif()
    exif.load(block)
    for tag, value in list(exif.items()):
        if isinstance(value, str):
            exif[tag] = value.encode("latin-1", "replace")
    return exif


def _read_iptc(info: Mapping[Any, Any]) -> bytes:
    """IPTC records from a JPEG's or a PNG's Photoshop resources, or from a TIFF's tag."""
    found = info.get("iptc") or _of_png(info.get("texts") or {})
    if isinstance(resources := info.get("photoshop"), dict):
        found = resources.get(IPTC_RESOURCE, b"")
    if isinstance(found, tuple) and all(isinstance(word, int) for word in found):  # TIFF readers differ
        with contextlib.suppress(struct.error):
            found = struct.pack(f"<{len(found)}I", *found)
    return found if isinstance(found, bytes) and found.startswith(_IPTC_START) else b""


def _of_png(texts: Mapping[str, str]) -> bytes:
    """IPTC from the text chunk in which `media.attach` and other programs store it in a PNG."""
    with contextlib.suppress(ValueError, struct.error):
        block = bytes.fromhex(
            str(texts.get("Raw profile type iptc", "")).partition("iptc\n")[2].partition("\n")[2]
        )
        kind, number, _, length = struct.unpack_from(">4sH2sI", block)
        if (kind, number) == (b"8BIM", IPTC_RESOURCE):
            return block[12 : 12 + length]
    return b""


def _read_texts(info: Mapping[Any, Any]) -> tuple[tuple[str, str], ...]:
    texts = {key: value for key, value in (info.get("texts") or {}).items() if key not in _NO_TEXTS}
    comment = info.get("comment")
    if comment and not str(comment).startswith(_NO_COMMENTS):
        texts["Comment"] = comment
    return tuple(
        (str(key), value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))
        for key, value in texts.items()
        if isinstance(value, (str, bytes))
    )


def _sane_dpi(dpi: Any) -> tuple[float, float] | None:
    try:
        x, y = map(float, dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if 0 < x < 1e6 and 0 < y < 1e6 else None


def _dpi_of(exif: Image.Exif) -> tuple[float, float] | None:
    """The resolution in EXIF; None too if it is damaged, or says the shape of the pixels alone."""
    with contextlib.suppress(*_UNREADABLE):
        per_unit = _PER_INCH[exif.get(ExifTags.Base.ResolutionUnit, _INCH)]
        x, y = (exif[tag] * per_unit for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution))
        return _sane_dpi((x, y))
    return None


def _clean(old: Image.Exif) -> bytes:
    """A copy without the orientation, which has been applied, and without tags about the old file."""
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
