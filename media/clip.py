"""Clips: the properties of a video file, read by FFmpeg's libraries through PyAV before its frames are."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from media.clip_times import read_times
from media.ffmpeg import MATRICES, ClipError, clip_errors, decoded, opened_clip, video_stream
from media.ycbcr import FULL_RANGE, LIMITED_RANGE, Coding

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".mxf", ".dv"),
)

# Numbers of ITU-T H.273, which FFmpeg uses.
_RGB, _BT709, _BT601 = 0, 1, 6
_HDR_CURVES = {16: "PQ", 18: "HLG"}
_BOTTOM_FIRST = (3, 5)  # of FFmpeg's field orders
_FULL_BY_NATURE = ("gray", "rgb", "bgr", "gbr", "yuvj", "pal", "mono", "argb", "abgr")


@dataclass(frozen=True)
class Clip:
    """Properties of a clip, from its headers, its packets and its first frame.

    Attributes:
        path: the file.
        size: (width, height) as stored, before rotation.
        time_base: length of one unit of its time stamps, seconds.
        rate: frames per second, on average.
        start: seconds to subtract from all time stamps, of video and audio.
        num_frames: number of frames, as far as it is known without decoding.
        last_duration: duration of its last frame, in units of `time_base`; 0 if unknown.
        pixel_shape: pixel aspect ratio, width over height, or None.
        coding: matrix, range and bit depth of its planes, and of the planes that are written.
        primaries, curve: colour primaries and transfer function, as numbers of H.273; passed on unchanged.
        display_matrix: 9 numbers that turn or mirror it for display, or None.
        turns: counterclockwise quarter turns that make it upright, before it is mirrored.
        is_mirrored: whether left and right are exchanged, once it is upright.
        max_pixels: upper limit of the pixels of a frame.
        field_order: 'tff' or 'bff' if it is interlaced, top or bottom field first; '' if it is progressive.
        deinterlace: whether its frames are deinterlaced as they are read.
        invert: whether it is a negative, which is inverted as it is read.
        own: numbers of the frames that keep their own colours.
        mask: (h, w) float32 in [0, 1], of the size and orientation of the stored chroma planes: 0 where the
            clip keeps its own colours, 1 where it gets new ones; None: no mask was given.
    """

    path: Path
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    start: Fraction
    num_frames: int
    last_duration: int
    pixel_shape: Fraction | None
    coding: Coding
    primaries: int
    curve: int
    display_matrix: tuple[int, ...] | None
    turns: int
    is_mirrored: bool
    max_pixels: int
    field_order: str = ""
    deinterlace: bool = False
    invert: bool = False
    own: tuple[range, ...] = ()
    mask: np.ndarray | None = None

    @property
    def is_subsampled(self) -> bool:
        """Whether 4:2:0 is written, which every player supports: it takes even sides, also of a field."""
        width, height = self.size
        return width % 2 == 0 and height % (4 if self.field_order else 2) == 0

    def upright(self, codes: np.ndarray) -> np.ndarray:
        """Turn and mirror (H, W, ...) as stored, so that it is as shown."""
        turned = np.rot90(codes, self.turns)
        return turned[:, ::-1] if self.is_mirrored else turned

    def as_stored(self, shown: Tensor) -> Tensor:
        """Turn and mirror (..., h, w) as shown, so that it is as stored."""
        return torch.rot90(shown.flip(-1) if self.is_mirrored else shown, -self.turns, (-2, -1))

    @property
    def upright_size(self) -> tuple[int, int]:
        """(width, height) as shown."""
        return self.size[::-1] if self.turns % 2 else self.size

    @property
    def chroma_size(self) -> tuple[int, int]:
        """(width, height) of the chroma planes."""
        width, height = self.size
        return (width // 2, height // 2) if self.is_subsampled else (width, height)

    @property
    def pixel_format(self) -> str:
        """FFmpeg's name of the pixel format that is written."""
        return ("yuv420p" if self.is_subsampled else "yuv444p") + ("10le" if self.coding.bits == 10 else "")


def is_clip(path: Path) -> bool:
    """Whether a name is that of a clip."""
    return path.name.lower().endswith(SUFFIXES)


def open_clip(path: Path, *, max_pixels: int, deinterlace: bool = False) -> Clip:
    """Read the properties of a clip; all packets are read, but only the first frame is decoded.

    Args:
        path: a regular file.
        max_pixels: clips with larger frames are refused before they are decoded.
        deinterlace: deinterlace the frames as they are read.
    Raises:
        ClipError: the file is missing, not a clip, has no frames, is cut short, is HDR or is too large.
    """
    with opened_clip(path) as container, clip_errors(path):
        stream = video_stream(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_pixels:
            raise ClipError(f"{path} has frames of {width}x{height}: shrink it or raise --max_pixels")
        times = read_times(container, stream, path)
        rate = times.rate(stream)
        pixel_shape, time_base = stream.sample_aspect_ratio or None, stream.time_base
        field_order = _field_order(stream.codec_context)
    first = next(decoded(path, max_pixels), None)
    if first is None:
        raise ClipError(f"{path} holds no frame: name another clip")
    if first.color_trc in _HDR_CURVES:
        kind = _HDR_CURVES[first.color_trc]
        raise ClipError(f"{path} is HDR ({kind}): convert it to SDR first, such as with FFmpeg's tonemap")
    matrix = first.colorspace
    if matrix not in MATRICES:  # unspecified: guessed from the size, as players do
        matrix = _BT709 if first.width >= 1280 or first.height > 576 else _BT601
    display_matrix = _display_matrix(first)
    return Clip(
        path,
        (first.width, first.height),
        time_base,
        rate,
        times.start or Fraction(0),
        times.num_frames,
        times.last_duration,
        pixel_shape,
        Coding(matrix, _range_to_write(first), 8 if first.format.components[0].bits <= 8 else 10),
        first.color_primaries,
        first.color_trc,
        display_matrix,
        *_orientation(display_matrix),
        max_pixels,
        field_order if first.interlaced_frame and not deinterlace else "",
        deinterlace,
    )


def _field_order(context: Any) -> str:
    """The field order of an interlaced stream: 'tff' or 'bff'."""
    is_bottom_first = context.field_order in _BOTTOM_FIRST or context.name == "dvvideo"
    return "bff" if is_bottom_first else "tff"


def range_of(frame: Any) -> int:
    """`LIMITED_RANGE` or `FULL_RANGE`: as the frame says, or else as its pixel format implies."""
    if frame.color_range in (LIMITED_RANGE, FULL_RANGE):
        return int(frame.color_range)
    return FULL_RANGE if frame.format.name.startswith(_FULL_BY_NATURE) else LIMITED_RANGE


def _range_to_write(frame: Any) -> int:
    """The range of the source, so that luma codes stay the same; limited for RGB, which has no luma."""
    is_rgb = frame.colorspace == _RGB or frame.format.is_rgb
    return LIMITED_RANGE if is_rgb else range_of(frame)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", bytes(data))


def _orientation(matrix: tuple[int, ...] | None) -> tuple[int, bool]:
    """Counterclockwise quarter turns, and whether it is mirrored after them.

    A pixel (x, y), x to the right and y downward, is shown at (a x + c y, b x + d y), with a, b, c, d the
    numbers 0, 1, 3 and 4 of the matrix.
    """
    if matrix is None:
        return 0, False
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    is_mirrored = a * d - b * c < 0
    clockwise = math.atan2(b, -a if is_mirrored else a)
    return -round(clockwise / (math.pi / 2)) % 4, is_mirrored
