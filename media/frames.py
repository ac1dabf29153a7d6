"""Frames of a clip as Y'CbCr planes: the luma is read, and the chroma of colored frames is written."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from media.clip import Clip, range_of
from media.ffmpeg import MATRICES, DamagedClip, decoded, exact_scaling, pyav

# Formats whose first plane is the luma.
_PLANAR = re.compile(r"(yuvj?|yuva)4\d\dp(10le)?|gray(10le)?|nv(12|16|21)")


@dataclass(frozen=True)
class Frame:
    """One picture of a clip, as it is stored, not turned upright.

    Attributes:
        luma: (H, W) codes, see the clip's `coding`.
        pts: time stamp in the clip's units.
        own: (2, h, w) codes of its own Cb and Cr, of the size of the clip's chroma planes; None unless the
            clip has a mask.
    """

    luma: np.ndarray
    pts: int
    own: np.ndarray | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class ColoredFrame(Frame):
    """A frame with its colours.

    Attributes:
        chroma: (2, h, w) codes of Cb and Cr, as `own`.
    """

    chroma: np.ndarray


def read_frames(clip: Clip, *, start: int = 0) -> Iterator[Frame]:
    """Decode the frames of a clip lazily, from number `start` on.

    Frames of `clip.own` come as `ColoredFrame`, with their own colours. Time stamps are made strictly
    increasing: one that is missing or too small is set just after the last. Negatives are inverted.

    Raises:
        ClipError: the file cannot be read.
        DamagedClip, PartlyDamagedClip: see `decoded`; the first also if the frame size changes.
    """
    step = max(1, round(1 / (clip.rate * clip.time_base)))
    shift = round(clip.start / clip.time_base)
    last: int | None = None
    pictures = decoded(clip.path, clip.max_pixels, deinterlace=clip.deinterlace)
    for number, picture in enumerate(pictures):
        pts = picture.pts if picture.pts is not None else picture.dts
        pts = None if pts is None else pts - shift
        if last is not None and (pts is None or pts <= last):
            pts = last + (step if pts is None else 1)
        last = pts = pts or 0
        if (picture.width, picture.height) != clip.size:
            old, new = ("{}x{}".format(*size) for size in (clip.size, (picture.width, picture.height)))
            at = float(pts * clip.time_base)
            raise DamagedClip(
                f"{clip.path} changes its size from {old} to {new} at {at:.2f} s: split it there"
            )
        if number < start:
            continue
        luma = _luma(picture, clip)
        if any(number in frames for frames in clip.own):
            yield ColoredFrame(luma, pts, _chroma(picture, clip))
        else:
            yield Frame(luma, pts, own=None if clip.mask is None else _chroma(picture, clip))


def to_library(frame: ColoredFrame, clip: Clip) -> Any:
    """A frame for FFmpeg to encode."""
    picture = pyav().VideoFrame(*clip.size, clip.pixel_format)
    for plane, codes in zip(picture.planes, (frame.luma, *frame.chroma), strict=True):
        _rows(plane, codes.dtype)[:, : codes.shape[1]] = codes
    picture.pts, picture.time_base = frame.pts, clip.time_base
    return picture


def _luma(picture: Any, clip: Clip) -> np.ndarray:
    """Luma codes (H, W) of a PyAV frame: its own plane if that has the clip's coding, else converted."""
    coding, name = clip.coding, picture.format.name
    bits = 10 if name.endswith("10le") else 8
    if not _PLANAR.fullmatch(name) or bits != coding.bits or range_of(picture) != coding.color_range:
        picture = _converted(picture, clip, "yuv444p" if coding.bits == 8 else "yuv444p10le")
    codes = _rows(picture.planes[0], coding.dtype)[:, : picture.width]
    return coding.negative(codes, is_luma=True) if clip.invert else codes.copy()


def _chroma(picture: Any, clip: Clip) -> np.ndarray:
    """Chroma codes (2, h, w) of a PyAV frame, of the size of the planes that are written."""
    name = picture.format.name.replace("yuvj", "yuv")
    if name != clip.pixel_format or range_of(picture) != clip.coding.color_range:
        picture = _converted(picture, clip, clip.pixel_format)
    planes = [_rows(plane, clip.coding.dtype)[:, : plane.width] for plane in picture.planes[1:]]
    codes = np.stack(planes)
    return clip.coding.negative(codes, is_luma=False) if clip.invert else codes


def _converted(picture: Any, clip: Clip, pixel_format: str) -> Any:
    matrix = MATRICES[clip.coding.matrix]
    return picture.reformat(
        format=pixel_format,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=range_of(picture),
        dst_color_range=clip.coding.color_range,
        interpolation=exact_scaling(),
    )


def _rows(plane: Any, dtype: np.dtype) -> np.ndarray:
    """A view (height, padded width) of a PyAV plane, including the padding of its rows."""
    return np.frombuffer(plane, dtype).reshape(plane.height, -1)
