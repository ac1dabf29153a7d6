"""Formats that imagecodecs reads and Pillow does not: JPEG XL, JPEG-LS, JPEGs and JPEG 2000 beyond 8 bits."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image

from media.metadata import read_metadata
from media.tiff_reader import Deep, three_axes
from media.white import find_white, normalize

_JXL, _JXL_BOX = b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"
_JP2, _J2K = b"\0\0\0\x0cjP  \r\n\x87\n", b"\xff\x4f\xff\x51"
_SOI, _EXIF, _XMP, _ICC = b"\xff\xd8\xff", b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0", b"ICC_PROFILE\0"
_LS_FRAME, _FRAMES, _SCAN = 0xF7, (0xC0, 0xC1, 0xC2, 0xC3, 0xF7), 0xDA
_SIZE_BITS = (9, 13, 18, 30)
_RATIOS = {1: (1, 1), 2: (12, 10), 3: (4, 3), 4: (3, 2), 5: (16, 9), 6: (5, 4), 7: (2, 1)}


def read_coded(data: bytes, max_pixels: int, name: str) -> Deep | None:
    """Decode a whole file; None if Pillow reads it without loss of depth.

    Raises:
        Image.DecompressionBombError: larger than `max_pixels`; raised before anything is decoded.
    """
    import imagecodecs  # it loads each codec on first use

    if data.startswith((_JXL, _JXL_BOX)):
        _check_size(_jxl_size(data), max_pixels)
        exif, info = _of_boxes(data) if data.startswith(_JXL_BOX) else (Image.Exif(), {})
        deep = _deep(imagecodecs.jpegxl_decode(data), 0, exif, info, name)
        return Deep(deep.colors, deep.alpha, deep.metadata, 1, None)  # the decoder applied the orientation
    if data.startswith((_JP2, _J2K)):
        bits, size = _of_codestream(data)
        if bits <= 8:
            return None
        _check_size(size, max_pixels)
        return _deep(imagecodecs.jpeg2k_decode(data), bits, Image.Exif(), {}, name)
    if data.startswith(_SOI):
        marker, bits, size, exif, info = _of_segments(data)
        if bits <= 8 and marker not in (_LS_FRAME, 0xC3):
            return None
        _check_size(size, max_pixels)
        decode = imagecodecs.jpegls_decode if marker == _LS_FRAME else imagecodecs.jpeg_decode
        return _deep(decode(data), bits, exif, info, name)
    return None


def _deep(samples: np.ndarray, bits: int, exif: Image.Exif, info: dict[str, Any], name: str) -> Deep:
    samples = three_axes(samples)
    num_colors = 3 if samples.shape[2] >= 3 else 1
    bits = bits or samples.dtype.itemsize * 8
    white = find_white(samples[..., :num_colors], bits, None, name)
    scaled = normalize(samples, white)
    alpha = scaled[..., num_colors] if scaled.shape[2] > num_colors else None
    metadata, orientation = read_metadata(exif, info)
    return Deep(scaled[..., :num_colors], alpha, metadata, orientation, info.get("icc_profile"))


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    if size[0] * size[1] > max_pixels:
        raise Image.DecompressionBombError


def _of_segments(data: bytes) -> tuple[int, int, tuple[int, int], Image.Exif, dict[str, Any]]:
    """Parse a JPEG: the marker of its frame, bits per sample, (width, height), EXIF, XMP and ICC."""
    exif, info, at = Image.Exif(), {}, 2
    profile: dict[int, bytes] = {}
    while at + 4 <= len(data):
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        body = data[at + 4 : at + 2 + length]
        if data[at] != 0xFF or marker == _SCAN:
            break
        if marker in _FRAMES:
            height, width = (int.from_bytes(body[i : i + 2], "big") for i in (1, 3))
            if profile:
                info["icc_profile"] = b"".join(profile[number] for number in sorted(profile))
            return marker, body[0], (width, height), exif, info
        if body.startswith(_EXIF):
            exif.load(body)
        elif body.startswith(_XMP):
            info["xmp"] = body.removeprefix(_XMP)
        elif body.startswith(_ICC):
            profile[body[len(_ICC)]] = body[len(_ICC) + 2 :]
        at += 2 + length
    return 0, 0, (0, 0), exif, info


def _of_codestream(data: bytes) -> tuple[int, tuple[int, int]]:
    """Parse a JPEG 2000: bits per sample, and (width, height); by ITU-T T.800, A.5.1."""
    at = data.find(_J2K)
    right, bottom, left, top = (int.from_bytes(data[at + i : at + i + 4], "big") for i in (8, 12, 16, 20))
    depth = data[at + 42] if 0 <= at < len(data) - 42 else 0
    return (depth & 0x7F) + 1, (right - left, bottom - top)


def _of_boxes(data: bytes) -> tuple[Image.Exif, dict[str, Any]]:
    """EXIF and XMP of a JPEG XL in a container; compressed boxes are skipped."""
    exif, info, at = Image.Exif(), {}, 0
    while at + 8 <= len(data):
        length, kind = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8]
        body = data[at + 8 : at + length if length else len(data)]
        if kind == b"Exif":
            exif.load(_EXIF + body[4:])
        elif kind == b"xml ":
            info["xmp"] = body
        if length < 8:
            break
        at += length
    return exif, info


def _jxl_size(data: bytes) -> tuple[int, int]:
    """(width, height) from the size header of a JPEG XL codestream, ISO/IEC 18181-1."""
    at = data.find(_JXL, len(_JXL_BOX) if data.startswith(_JXL_BOX) else 0)
    bits, at_bit = int.from_bytes(data[at + 2 : at + 18], "little"), 0

    def take(num: int) -> int:
        nonlocal at_bit
        value = bits >> at_bit & ((1 << num) - 1)
        at_bit += num
        return value

    is_small = take(1)

    def length() -> int:
        return 8 * (1 + take(5)) if is_small else 1 + take(_SIZE_BITS[take(2)])

    height = length()
    ratio = _RATIOS.get(take(3))
    width = height * ratio[0] // ratio[1] if ratio else length()
    return width, height
