"""TIFFs that Pillow cannot read: more than 8 bits per sample, or codecs that only imagecodecs has; pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin

from media.decode import UnknownKind
from media.metadata import DESCRIPTIVE, IPTC_TAG, Metadata, read_metadata
from media.white import WHITE_LEVEL, find_white, normalize

STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The first bytes of TIFFs and BigTIFFs."""

_GRAY_OR_RGB, _YCBCR, _LAB = (0, 1, 2), 6, 8  # photometric interpretations
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha
_REDUCED, _MASK = 1, 4  # bits of NewSubfileType
_OLD_REDUCED = 2
_SUBFILE, _OLD_SUBFILE, _MAX_SAMPLE, _SMAX_SAMPLE, _XMP = 254, 255, 281, 341, 700
# Without WebP (50001): Pillow has a name for it, but its libtiff mostly has no decoder.
_OF_PILLOW = frozenset(TiffImagePlugin.COMPRESSION_INFO) - {50001}
# CIELAB in TIFF has the illuminant D50; XYZ (D50) to linear sRGB, Bradford-adapted (brucelindbloom.com).
_WHITE_D50 = (0.96422, 1.0, 0.82521)
_D50_TO_SRGB = (
    (3.1338561, -1.6168667, -0.4906146),
    (-0.9787684, 1.9161415, 0.0334540),
    (0.0719453, -0.2289914, 1.4052427),
)


@dataclass(frozen=True)
class Deep:
    """A picture decoded without Pillow, or at more than the 8 bits that Pillow gives.

    Attributes:
        colors: (H, W, 1 or 3) uint8, uint16, or float32 in [0, 1].
        alpha: (H, W) of the same dtype, or None.
        metadata: of the picture once it is upright.
        orientation: EXIF orientation, not applied yet.
        profile: an ICC profile, or None.
    """

    colors: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    orientation: int
    profile: bytes | None


def list_pages(file: BinaryIO) -> list[int]:
    """Numbers of the pages of a TIFF, without previews and masks."""
    import tifffile

    with tifffile.TiffFile(file) as tiff:
        pages: Any = tiff.pages
        return [number for number, page in enumerate(pages) if not _is_helper(page.aspage())]


def read_tiff(file: BinaryIO, max_pixels: int, page_number: int, name: str) -> Deep | None:
    """Decode one page that Pillow cannot read in full; None: Pillow reads it, or reports what is wrong."""
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page: Any = tiff.pages[page_number]
            page = page.aspage()
            if page.dtype is None or not _is_for_us(page):
                return None
            if page.imagewidth * page.imagelength > max_pixels:
                raise Image.DecompressionBombError
            if page.compression not in tifffile.TIFF.DECOMPRESSORS:
                raise UnknownKind(f"compression {page.compression}")
            samples = three_axes(page.asarray())
            tags = {tag.code: tag.value for tag in page.tags}
            exif = _read_exif(file, tags, is_big=tiff.is_bigtiff, is_first=page_number == 0)
    except tifffile.TiffFileError:
        return None
    return _split(page, samples, tags, exif, name)


def three_axes(samples: np.ndarray) -> np.ndarray:
    """(H, W, channels) from that or from (H, W).

    Raises:
        ValueError: another number of axes.
    """
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.ndim != 3:
        raise ValueError(f"samples of shape {samples.shape}")
    return samples


def _is_helper(page: Any) -> bool:
    kind, old = page.tags.valueof(_SUBFILE, 0), page.tags.valueof(_OLD_SUBFILE, 0)
    return bool(int(kind) & (_REDUCED | _MASK)) or old == _OLD_REDUCED


def _is_for_us(page: Any) -> bool:
    is_new = page.compression not in _OF_PILLOW
    if page.dtype.itemsize == 1:
        return is_new and page.photometric in (*_GRAY_OR_RGB, _YCBCR)
    return page.photometric in (*_GRAY_OR_RGB, _LAB)


def _split(page: Any, samples: np.ndarray, tags: dict[int, Any], exif: Image.Exif, name: str) -> Deep:
    """Colours and alpha of one page."""
    bits = page.bitspersample
    if page.planarconfig == 2 and samples.shape[0] == page.samplesperpixel:
        samples = np.moveaxis(samples, 0, -1)
    num_colors = 1 if page.photometric in (0, 1) else 3
    colors, extra = samples[..., :num_colors], samples[..., num_colors:]
    if page.photometric == _LAB:
        colors = _lab_to_srgb(colors)
    else:
        white = find_white(colors, bits, _largest(tags), name)
        colors, extra = normalize(colors, white), normalize(extra, white)
    if page.photometric == 0:  # white is zero
        colors = WHITE_LEVEL[colors.dtype.name] - colors
    info = {"xmp": tags.get(_XMP), "dpi": _dpi(tags), "iptc": tags.get(IPTC_TAG)}
    metadata, orientation = read_metadata(exif, info)
    alpha = None
    for i, kind in enumerate(page.extrasamples[: extra.shape[2]]):
        if kind in (_ASSOCIATED, _UNASSOCIATED):  # others are masks, or infrared
            alpha = extra[..., i]
            colors = _divide(colors, alpha) if kind == _ASSOCIATED else colors
            break
    return Deep(colors, alpha, metadata, orientation, tags.get(ExifTags.Base.InterColorProfile))


def _largest(tags: dict[int, Any]) -> float | None:
    value = tags.get(_SMAX_SAMPLE, tags.get(_MAX_SAMPLE))
    value = max(value) if isinstance(value, tuple) and value else value
    return float(value) if isinstance(value, (int, float)) else None


def _lab_to_srgb(samples: np.ndarray) -> np.ndarray:
    """TIFF's 16-bit CIELAB (H, W, 3) to sRGB: L* is unsigned, a* and b* are signed, in units of 1/256."""
    L = samples[..., 0].astype(np.uint16) * (100 / WHITE_LEVEL["uint16"])
    a, b = (samples[..., i].astype(np.uint16).view(np.int16) / 256 for i in (1, 2))
    y = (L + 16) / 116
    f = np.stack((y + a / 500, y, y - b / 200), axis=-1)
    xyz = np.where(f > 6 / 29, f**3, 3 * (6 / 29) ** 2 * (f - 4 / 29)) * _WHITE_D50
    light = (xyz @ np.transpose(_D50_TO_SRGB)).clip(0, 1)
    coded = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    return (coded * WHITE_LEVEL["uint16"] + 0.5).astype(np.uint16)


def _read_exif(file: BinaryIO, tags: dict[int, Any], *, is_big: bool, is_first: bool) -> Image.Exif:
    exif = Image.Exif()
    if not is_big and is_first:
        file.seek(0)
        exif.load_from_fp(file)  # an EXIF block is a TIFF without pixels
        return exif
    # Pillow reads EXIF of the first page only: for others the descriptive tags are copied, the rest is lost.
    for tag in (*DESCRIPTIVE, ExifTags.Base.Orientation):
        if tag in tags:
            exif[tag] = int(tags[tag]) if tag == ExifTags.Base.Orientation else tags[tag]
    return exif


def _dpi(tags: dict[int, Any]) -> tuple[float, float] | None:
    per_inch = {2: 1.0, 3: 2.54}.get(int(tags.get(ExifTags.Base.ResolutionUnit, 2)))
    pairs = [tags.get(tag) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
    if per_inch is None or not all(isinstance(pair, tuple) and len(pair) == 2 and pair[1] for pair in pairs):
        return None
    x, y = (per_inch * pair[0] / pair[1] for pair in pairs if pair)
    return x, y


def _divide(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undo the premultiplication of colours with alpha."""
    full = WHITE_LEVEL[colors.dtype.name]
    divided = colors.astype(np.float32) * full / np.maximum(alpha, full * 1e-6)[..., None]
    return divided.clip(0, full).astype(colors.dtype)
