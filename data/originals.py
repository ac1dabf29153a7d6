"""Photographs as archives keep them: their own depth, alpha, profile and metadata.

Training and scoring look at 8 bits (`data.photos`). What a person gets back has the depth of what was
given: 8- and 16-bit integers and floats, gray or RGB. Colours are sRGB from here on, whatever profile the
file came with; `data.saving` writes them.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import ExifTags, Image

from data.metadata import Metadata, Reading, read_metadata, srgb_profile
from data.photos import decoding_errors, open_photo, opened, split_alpha

log = logging.getLogger(__name__)

FULL = {"uint8": 255, "uint16": 65535, "float32": 1}
"""The value of white, by dtype."""

_STRIP_PIXELS = 2**20
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24  # in the first chunk
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_TURNS = {
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}
"""What makes a photo upright, by its EXIF orientation."""


@dataclass(frozen=True)
class Original:
    """An upright photo in sRGB, at the depth of its file.

    Attributes:
        pixels: (H, W, 3) uint8, uint16 or float32; white is 255, 65535 or 1.
        alpha: (H, W) of the same dtype, or None.
        metadata: what belongs to it.
    """

    pixels: np.ndarray
    alpha: np.ndarray | None = None
    metadata: Metadata = field(default_factory=Metadata)

    def preview(self) -> Image.Image:
        """The photo in 8 bits, on white where transparent."""
        return Image.fromarray(on_white(to_dtype(self.pixels, "uint8"), self.alpha))


def load_original(path: Path, *, max_pixels: int) -> Original:
    """Decode a photo at the depth of its file.

    Args:
        path: any format that `data.photos.load_photo` reads.
        max_pixels: larger photos are refused before they are decoded.
    Raises:
        PhotoError: missing, not a regular file, not a photo, damaged, or too large.
    """
    name = str(path)
    with open_photo(path) as file, decoding_errors(name, max_pixels):
        deep = _read_deep(file, max_pixels)
        if deep is None:
            with opened(file, max_pixels) as image:
                image.load()
                metadata, _ = read_metadata(image.getexif(), image.info)
                return from_image(image, name, metadata)
    samples, metadata, reading = deep
    samples = _TURNS.get(reading.orientation, lambda a: a)(_normalize(samples, reading.is_inverted))
    num_colors = 3 if samples.shape[2] >= 3 else 1
    alpha = samples[..., num_colors].copy() if samples.shape[2] in (2, 4) else None
    colors = _to_srgb(samples[..., :num_colors], reading.profile, name)
    return Original(_three_channels(colors), alpha, metadata)


def from_image(image: Image.Image, name: str, metadata: Metadata = Metadata()) -> Original:  # noqa: B008
    """An 8-bit Pillow image of any mode."""
    rgb, alpha = split_alpha(image, name)
    return Original(np.asarray(rgb), None if alpha is None else np.asarray(alpha), metadata)


def from_array(array: np.ndarray) -> Original:
    """sRGB-coded samples: (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8, uint16 or floats in [0, 1].

    Raises:
        ValueError: another shape or dtype.
    """
    samples = np.asarray(array)
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples.astype(np.float32)).clip(0, 1)
    if samples.ndim == 2:
        samples = samples[..., None]
    if samples.ndim != 3 or samples.shape[2] not in (1, 3, 4) or samples.dtype.name not in FULL:
        raise ValueError(
            f"expected (H, W[, 1, 3 or 4]) of {', '.join(FULL)}, got {array.shape} {array.dtype}"
        )
    alpha = samples[..., 3] if samples.shape[2] == 4 else None
    colors = samples[..., :3]
    return Original(_three_channels(colors), alpha)


def beside(left: Original, right: Original) -> Original:
    """Two photos of one size and dtype in one picture."""
    alpha = None
    if left.alpha is not None and right.alpha is not None:
        alpha = np.concatenate((left.alpha, right.alpha), axis=1)
    return Original(np.concatenate((left.pixels, right.pixels), axis=1), alpha, right.metadata)


def to_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Samples at another depth, rounded."""
    if values.dtype.name == dtype:
        return values
    scaled = values.astype(np.float32) * (FULL[dtype] / FULL[values.dtype.name])
    return (scaled if dtype == "float32" else scaled + 0.5).astype(dtype)


def _read_deep(file: BinaryIO, max_pixels: int) -> tuple[np.ndarray, Metadata, Reading] | None:
    """Samples (H, W, 1 to 4) as the file has them, or None where it has 8 bits."""
    start = file.read(_PNG_DEPTH_AT + 1)
    file.seek(0)
    if start[:4] in _TIFF:
        return _read_deep_tiff(file, max_pixels)
    if start.startswith(_PNG) and start[_PNG_DEPTH_AT:] == b"\x10":
        with opened(file, max_pixels) as image:
            image.load()  # for what stands behind the pixels
            metadata, reading = read_metadata(image.getexif(), image.info)
        import imagecodecs  # here, because few photos need it

        file.seek(0)
        samples = imagecodecs.png_decode(file.read())
        return _three_axes(samples), metadata, reading
    with opened(file, max_pixels) as image:
        if image.mode not in ("I", "F") and not image.mode.startswith("I;16"):
            file.seek(0)
            return None
        samples = np.asarray(image)
        return _three_axes(samples), *read_metadata(image.getexif(), image.info)


def _read_deep_tiff(file: BinaryIO, max_pixels: int) -> tuple[np.ndarray, Metadata, Reading] | None:
    """The first page, where it is deep and tifffile knows it; Pillow reads the others, or says why not."""
    import tifffile

    try:
        with tifffile.TiffFile(file) as tiff:
            page: Any = tiff.pages[0]
            if page.dtype is None or page.dtype.itemsize == 1 or page.photometric not in (0, 1, 2):
                return None
            if page.imagewidth * page.imagelength > max_pixels:
                raise Image.DecompressionBombError
            samples = page.asarray()
            if page.planarconfig == 2 and samples.ndim == 3:
                samples = np.moveaxis(samples, 0, -1)
    except tifffile.TiffFileError:
        return None
    finally:
        file.seek(0)
    exif = Image.Exif()
    exif.load_from_fp(file)  # an EXIF block is a TIFF without pixels
    tags = {
        "icc_profile": exif.get(ExifTags.Base.InterColorProfile),
        "xmp": exif.get(ExifTags.Base.XMLPacket),
    }
    if exif.get(ExifTags.Base.ResolutionUnit, 2) == 2:
        tags["dpi"] = (exif.get(ExifTags.Base.XResolution), exif.get(ExifTags.Base.YResolution))
    return _three_axes(samples), *read_metadata(exif, tags)


def _three_axes(samples: np.ndarray) -> np.ndarray:
    samples = samples[..., None] if samples.ndim == 2 else samples
    if samples.ndim != 3 or not 1 <= samples.shape[2] <= 4:
        raise ValueError(f"samples of shape {samples.shape}")
    return samples


def _three_channels(colors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))


def _normalize(samples: np.ndarray, inverted: bool) -> np.ndarray:
    """To uint16 or to float32 in [0, 1]."""
    if samples.dtype.kind == "f":
        samples = np.nan_to_num(samples.astype(np.float32)).clip(0, 1)
        return 1 - samples if inverted else samples
    if samples.dtype.itemsize > 2 and samples.max(initial=0) > FULL["uint16"]:
        samples = samples.astype(np.int64) >> 16 if samples.dtype.kind == "u" else samples >> 15
    samples = samples.clip(0, FULL["uint16"]).astype(np.uint16)
    return FULL["uint16"] - samples if inverted else samples


def _to_srgb(colors: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """(H, W, 1 or 3) as the embedded ICC profile means them; without one they are sRGB already."""
    if profile in (None, srgb_profile()):
        return colors
    import imagecodecs

    height, width, channels = colors.shape
    result = np.empty((height, width, 3), colors.dtype)
    rows = max(1, _STRIP_PIXELS // width)
    try:
        for top in range(0, height, rows):
            # In floats: for 16 bits the library takes a table, which is coarser than 8 bits.
            strip = np.ascontiguousarray(to_dtype(colors[top : top + rows], "float32"))
            converted = imagecodecs.cms_transform(
                strip[..., 0] if channels == 1 else strip,
                profile,
                srgb_profile(),
                colorspace="gray" if channels == 1 else "rgb",
                outcolorspace="rgb",
                outdtype=np.float32,
            )
            result[top : top + rows] = to_dtype(converted.clip(0, 1), colors.dtype.name)
    except (imagecodecs.CmsError, ValueError, TypeError) as error:
        reason = f"its colour profile does not fit its pixels and is ignored ({error})"
        log.warning("%s: %s", name, reason)
        return colors
    return result


def on_white(rgb_uint8: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """(H, W, 3) uint8 over white, as far as alpha (H, W) lets it through."""
    if alpha is None:
        return rgb_uint8
    mask = Image.fromarray(to_dtype(alpha, "uint8"))
    white = Image.new("RGB", mask.size, "white")
    return np.asarray(Image.composite(Image.fromarray(rgb_uint8), white, mask))
