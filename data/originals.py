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

from data.metadata import DESCRIPTIVE, Metadata, read_metadata, srgb_profile
from data.photos import decoding_errors, open_photo, opened, split_alpha

log = logging.getLogger(__name__)

FULL = {"uint8": 255, "uint16": 65535, "float32": 1}
"""The value of white, by dtype."""

STRIP_PIXELS = 2**20
"""Full-resolution colour maths takes so many pixels at a time: its temporaries are larger than a photo."""

_PREVIEW_GAP = 4  # Pillow says of its own `reducing_gap` that 3 cannot be told from the whole
_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_DEPTH_AT = 24  # in the first chunk
_ASSOCIATED, _UNASSOCIATED = 1, 2  # alpha, as TIFF calls it
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

    @property
    def size(self) -> tuple[int, int]:
        """(width, height)."""
        return self.pixels.shape[1], self.pixels.shape[0]

    def preview(self, side: int) -> Image.Image:
        """The photo in 8 bits, on white where transparent, for shrinking to about `side` pixels.

        It may be smaller than the photo by a whole factor, but stays large enough that what is made of
        it is the same: so neither memory nor time goes into a second large picture.
        """
        width, height = self.size
        factor = max(1, min(width, height) // (_PREVIEW_GAP * side))
        rows = max(1, STRIP_PIXELS // (width * factor)) * factor
        parts = []
        for top in range(0, height, rows):
            strip = slice(top, top + rows)
            alpha = None if self.alpha is None else self.alpha[strip]
            part = on_white(to_dtype(self.pixels[strip], "uint8"), alpha)
            parts.append(part if factor == 1 else np.asarray(Image.fromarray(part).reduce(factor)))
        return Image.fromarray(parts[0] if len(parts) == 1 else np.concatenate(parts))


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
    turn = _TURNS.get(deep.orientation, lambda a: a)
    colors = _to_srgb(turn(deep.colors), deep.profile, name)
    alpha = None if deep.alpha is None else np.ascontiguousarray(turn(deep.alpha))
    return Original(_three_channels(colors), alpha, deep.metadata)


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


@dataclass(frozen=True)
class _Deep:
    """A file of more than 8 bits: colours (H, W, 1 or 3), alpha (H, W); uint16, or float32 in [0, 1]."""

    colors: np.ndarray
    alpha: np.ndarray | None
    metadata: Metadata
    orientation: int
    profile: bytes | None


def _read_deep(file: BinaryIO, max_pixels: int) -> _Deep | None:
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
    return _Deep(samples[..., :num_colors], alpha, metadata, orientation, profile)


def _read_deep_tiff(file: BinaryIO, max_pixels: int) -> _Deep | None:
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
    return _Deep(colors, alpha, metadata, orientation, tags.get(ExifTags.Base.InterColorProfile))


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


def _three_channels(colors: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.broadcast_to(colors, (*colors.shape[:2], 3)))


def _normalize(samples: np.ndarray, bits: int) -> np.ndarray:
    """Integers of so many bits to uint16, floats to float32 in [0, 1]."""
    if samples.dtype.kind == "f":
        return np.nan_to_num(samples.astype(np.float32, copy=False)).clip(0, 1)
    if samples.dtype == np.uint16 and bits == 16:
        return samples
    full = 2 ** (bits - (samples.dtype.kind == "i" and samples.dtype.itemsize * 8 == bits)) - 1
    scaled = samples.clip(0, full).astype(np.float64) * (FULL["uint16"] / full)
    return (scaled + 0.5).astype(np.uint16)


def _to_srgb(colors: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """(H, W, 1 or 3) as the embedded ICC profile means them; without one they are sRGB already."""
    if not isinstance(profile, bytes) or profile == srgb_profile():
        return colors
    import imagecodecs

    height, width, channels = colors.shape
    result = np.empty((height, width, 3), colors.dtype)
    rows = max(1, STRIP_PIXELS // width)
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
