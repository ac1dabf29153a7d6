"""Files of more than 8 bits a sample, which Pillow reads as 8 or not at all: PNG and TIFF."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from media.decode import opened
from media.metadata import DESCRIPTIVE, Metadata, read_metadata

FULL = {"uint8": 255, "uint16": 65535, "float32": 1}
"""The value of white, by dtype."""

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24  # in the first chunk
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha, as TIFF calls it
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Deep:
    """A file of more than 8 bits: colours (H, W, 1 or 3), alpha (H, W); uint16, or float32 in [0, 1]."""

    colors: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    orientation: int
    profile: bytes | None


def read_deep(file: BinaryIO, max_pixels: int) -> Deep | None:
    """None where the file has 8 bits."""
    start = file.read(_PNG_DEPTH_AT + 1)
    file.seek(0)
    if start[:4] in _TIFF:
        return _read_deep_tiff(file, max_pixels)
    is_png = start.startswith(_PNG) and start[_PNG_DEPTH_AT:] == b"\x10"
    with opened(file, max_pixels) as image:
        if not is_png and image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            file.seek(0)
            return None
        image.load()  # for what stands behind the pixels
        samples = np.asarray(image)
        metadata, orientation = read_metadata(image.getexif(), image.info)
        profile = image.info.get("icc_profile")
    if is_png:
        import imagecodecs  # here, because few photos need it

        file.seek(0)
        samples = imagecodecs.png_decode(file.read())
    samples = _normalize(_three_axes(samples), 16)
    num_colors = 3 if samples.shape[2] >= 3 else 1
    alpha = samples[..., num_colors] if samples.shape[2] > num_colors else None
    return Deep(samples[..., :num_colors], alpha, metadata, orientation, profile)


def _read_deep_tiff(file: BinaryIO, max_pixels: int) -> Deep | None:
    """The first page, where it is deep and tifffile knows it; Pillow reads the others, or says why not."""
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page: Any = tiff.pages[0]
            if page.dtype is None or page.dtype.itemsize == 1 or page.photometric not in (0, 1, 2):
                return None
            if page.imagewidth * page.imagelength > max_pixels:
                raise Image.DecompressionBombError
            samples = _three_axes(page.asarray())
            tags = {tag.code: tag.value for tag in page.tags}
            exif = _tiff_exif(file, tags, is_big=tiff.is_bigtiff)
    except tifffile.TiffFileError:
        return None
    finally:
        file.seek(0)
    if page.planarconfig == 2 and page.samplesperpixel > 1:
        samples = np.moveaxis(samples.reshape(page.samplesperpixel, page.imagelength, page.imagewidth), 0, -1)
    samples = _normalize(samples, page.bitspersample)
    num_colors = 3 if page.photometric == 2 else 1
    colors, extra = samples[..., :num_colors], samples[..., num_colors:]
    if page.photometric == 0:  # white is zero
        colors = FULL[colors.dtype.name] - colors
    metadata, orientation = read_metadata(exif, {"xmp": tags.get(700), "dpi": _tiff_dpi(tags)})
    alpha = None
    for i, kind in enumerate(page.extrasamples[: extra.shape[2]]):
        if kind in (_ASSOCIATED, _UNASSOCIATED):  # others are masks, or infrared
            alpha = extra[..., i]
            colors = _divide(colors, alpha) if kind == _ASSOCIATED else colors
            break
    return Deep(colors, alpha, metadata, orientation, tags.get(ExifTags.Base.InterColorProfile))


def _tiff_exif(file: BinaryIO, tags: dict[int, Any], *, is_big: bool) -> Image.Exif:
    exif = Image.Exif()
    if not is_big:
        file.seek(0)
        exif.load_from_fp(file)  # an EXIF block is a TIFF without pixels
        return exif
    # Pillow reads no such directory: what speaks of the photo is copied, EXIF proper is lost.
    for tag in (*DESCRIPTIVE, ExifTags.Base.Orientation):
        if tag in tags:
            exif[tag] = int(tags[tag]) if tag == ExifTags.Base.Orientation else tags[tag]
    return exif


def _tiff_dpi(tags: dict[int, Any]) -> tuple[float, float] | None:
    per_inch = {2: 1.0, 3: 2.54}.get(int(tags.get(ExifTags.Base.ResolutionUnit, 2)))
    pairs = [tags.get(tag) for tag in (ExifTags.Base.XResolution, ExifTags.Base.YResolution)]
    if per_inch is None or not all(isinstance(pair, tuple) and len(pair) == 2 and pair[1] for pair in pairs):
        return None
    x, y = (per_inch * pair[0] / pair[1] for pair in pairs if pair)
    return x, y


def _divide(colors: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Undo the multiplication of colours with alpha."""
    full = FULL[colors.dtype.name]
    divided = colors.astype(np.float32) * full / np.maximum(alpha, full * 1e-6)[..., None]
    return divided.clip(0, full).astype(colors.dtype)


def _three_axes(samples: np.ndarray) -> np.ndarray:
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.ndim != 3:
        raise ValueError(f"samples of shape {samples.shape}")
    return samples


def _normalize(samples: np.ndarray, bits: int) -> np.ndarray:
    """Integers of so many bits to uint16, floats to float32 in [0, 1]."""
    if samples.dtype.kind == "f":
        return np.nan_to_num(samples.astype(np.float32, copy=False)).clip(0, 1)
    if samples.dtype == np.uint16 and bits == 16:
        return samples
    full = 2 ** (bits - (samples.dtype.kind == "i" and samples.dtype.itemsize * 8 == bits)) - 1
    scaled = samples.clip(0, full).astype(np.float64) * (FULL["uint16"] / full)
    return (scaled + 0.5).astype(np.uint16)
