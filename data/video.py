"""Clips: what a file is, and its frames one after the other, by FFmpeg's libraries through PyAV.

Frames are sRGB from here on, upright, whatever matrix, range and rotation the file has;
`data.saving_video` writes them back in the same. R'G'B' of a clip is taken for sRGB, as players do.
"""

from __future__ import annotations

import contextlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from errors import UserError

SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".3gp", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob"),
    *(".ts", ".mts", ".m2ts", ".wmv", ".flv", ".ogv", ".mxf", ".dv"),
)

# Of all that FFmpeg opens: no pictures, and no lists that name other files or addresses.
_DEMUXERS = "mov,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg,mxf,dv"
_PROTOCOLS = "file"

# Numbers of ITU-T H.273, which FFmpeg uses.
_RGB, _BT709, _BT601 = 0, 1, 6
_MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
_HDR_CURVES = {16: "PQ", 18: "HLG"}
LIMITED, FULL = 1, 2
"""Black and white of 8 bits: 16 and 235, or 0 and 255."""
_FULL_BY_NATURE = ("gray", "rgb", "bgr", "gbr", "yuvj", "pal", "mono", "argb", "abgr")

# Headers that say how long a clip is may be a little wrong; a clip that lacks more was cut short.
_TRUNCATED_S = 1.0
_TRUNCATED_SHARE = 0.02


class ClipError(UserError):
    """A clip that cannot be read; the message names the file."""


@dataclass(frozen=True)
class Clip:
    """What a file says, and shows in its first frame.

    Attributes:
        path: the file.
        size: (width, height) as stored, before rotation.
        time_base: seconds of one unit of all its time stamps.
        rate: frames per second, on average.
        num_frames: how many there are, as far as can be told without decoding.
        last_duration: of its last frame, in units of `time_base`; 0 where nobody knows.
        pixel_shape: width over height of a pixel, or None.
        matrix: of Y'CbCr, its number in H.273.
        color_range: `LIMITED` or `FULL`.
        primaries, curve: numbers in H.273, unspecified as they come.
        display_matrix: 9 numbers that rotate it for display, or None.
        turns: quarter turns counterclockwise that make it upright.
        max_pixels: that a frame may have.
    """

    path: Path
    size: tuple[int, int]
    time_base: Fraction
    rate: Fraction
    num_frames: int
    last_duration: int
    pixel_shape: Fraction | None
    matrix: int
    color_range: int
    primaries: int
    curve: int
    display_matrix: tuple[int, ...] | None
    turns: int
    max_pixels: int


@dataclass(frozen=True)
class Frame:
    """One picture of a clip: (H, W, 3) uint8 sRGB, upright, and its time stamp in the clip's units."""

    pixels: np.ndarray
    pts: int


def is_clip(path: Path) -> bool:
    """Whether a name is that of a clip."""
    return path.name.lower().endswith(SUFFIXES)


def pyav() -> ModuleType:
    """The library.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise UserError("clips need PyAV: pip install -r requirements-video.txt") from error
    return av


def open_clip(path: Path, *, max_pixels: int) -> Clip:
    """Look through a clip, without decoding more than its beginning.

    Args:
        path: a regular file.
        max_pixels: clips with larger frames are refused before they are decoded.
    Raises:
        ClipError: missing, no clip, without frames, cut short, HDR, or too large.
    """
    with opened(path) as container:
        stream = video_stream(container, path)
        width, height = stream.codec_context.width, stream.codec_context.height
        if width * height > max_pixels:
            raise ClipError(f"{path} has frames of {width}x{height}: shrink it or raise --max_pixels")
        num_frames, last_duration = _look_through(container, stream, path)
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        pixel_shape, time_base = stream.sample_aspect_ratio or None, stream.time_base
    first = next(_decoded(path, max_pixels), None)
    if first is None:
        raise ClipError(f"{path} holds no frame: name another clip")
    if first.color_trc in _HDR_CURVES:
        kind = _HDR_CURVES[first.color_trc]
        raise ClipError(f"{path} is HDR ({kind}): convert it to SDR first, such as with FFmpeg's tonemap")
    matrix = first.colorspace
    if matrix not in _MATRICES:  # as players guess
        matrix = _BT709 if first.width >= 1280 or first.height > 576 else _BT601
    return Clip(
        path,
        (first.width, first.height),
        time_base,
        Fraction(rate),
        num_frames,
        last_duration,
        pixel_shape,
        matrix,
        _range_to_write(first),
        first.color_primaries,
        first.color_trc,
        _display_matrix(first),
        round(first.rotation / 90) % 4,
        max_pixels,
    )


def read_frames(clip: Clip, *, start: int = 0) -> Iterator[Frame]:
    """The frames of a clip from number `start` on, each when it is asked for.

    Time stamps come out strictly increasing: where they do not, or are missing, they follow the last.

    Raises:
        ClipError: damaged, or the size changes.
    """
    step = max(1, round(1 / (clip.rate * clip.time_base)))
    last: int | None = None
    for number, frame in enumerate(_decoded(clip.path, clip.max_pixels)):
        pts = frame.pts if frame.pts is not None else frame.dts
        if last is not None and (pts is None or pts <= last):
            pts = last + (step if pts is None else 1)
        last = pts = pts or 0
        if (frame.width, frame.height) != clip.size:
            old, new = ("{}x{}".format(*size) for size in (clip.size, (frame.width, frame.height)))
            at = float(pts * clip.time_base)
            raise ClipError(f"{clip.path} changes its size from {old} to {new} at {at:.2f} s: split it there")
        if number >= start:
            yield Frame(np.ascontiguousarray(np.rot90(_to_rgb(frame, clip), clip.turns)), pts)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """An input container.

    Raises:
        ClipError: missing, or no clip; also for what the library says within the block.
    """
    av = pyav()
    if not path.is_file():
        what = "is no regular file" if path.exists() else "does not exist"
        raise ClipError(f"{path} {what}: name a clip")
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": _PROTOCOLS}
    try:
        # Absolute, for FFmpeg takes what stands before a colon for a protocol.
        container = av.open(str(path.absolute()), container_options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, PermissionError):
            raise ClipError(f"cannot read {path} ({error.strerror}): check its rights") from error
        raise ClipError(f"{path} is not a clip, or its header is damaged: get an intact copy") from error
    with container, reading_errors(path):
        yield container


@contextlib.contextmanager
def reading_errors(path: Path) -> Iterator[None]:
    """Turn what the library says of a broken clip into a `ClipError` that names it."""
    av = pyav()
    try:
        yield
    except av.error.FFmpegError as error:
        raise ClipError(f"{path} is damaged ({error.strerror}): get an intact copy") from error


def video_stream(container: Any, path: Path) -> Any:
    """The first that is no cover picture.

    Raises:
        ClipError: there is none, or nothing here decodes it.
    """
    cover = pyav().stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise ClipError(f"{path} holds no video: name another clip")
    if streams[0].codec_context is None:
        raise ClipError(f"{path} is in a codec that is not known here: convert it to H.264 first")
    return streams[0]


def exact_scaling() -> int:
    """How pixels are converted: rounded where the library's default cuts off."""
    kinds = pyav().video.reformatter.Interpolation
    return int(kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP)


def matrix_name(matrix: int) -> str:
    """What the library calls the Y'CbCr matrix of a number."""
    return _MATRICES[matrix]


def _look_through(container: Any, stream: Any, path: Path) -> tuple[int, int]:
    """Number of frames, and the duration of the last.

    Raises:
        ClipError: there is less than the header says.
    """
    num, last_pts, last_duration, end = 0, None, 0, Fraction(0)
    for packet in container.demux():
        if packet.is_corrupt:
            raise ClipError(f"{path} is cut short or damaged: get an intact copy")
        if not packet.size or packet.is_discard:
            continue
        if packet.pts is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
        if packet.stream_index == stream.index:
            num += 1
            if packet.pts is not None and (last_pts is None or packet.pts >= last_pts):
                last_pts, last_duration = packet.pts, packet.duration or 0
    expected, missing_s = stream.frames, 0.0
    if container.format.name.startswith("mov"):  # with an edit list, fewer than the header says
        expected = len(stream.index_entries)
    elif container.format.name.startswith("matroska") and container.duration:
        missing_s = container.duration / 1e6 - float(end)
    if num < expected * (1 - _TRUNCATED_SHARE) or missing_s > _TRUNCATED_S:
        raise ClipError(f"{path} is shorter than its header says, cut short or damaged: get an intact copy")
    return num, last_duration


def _decoded(path: Path, max_pixels: int) -> Iterator[Any]:
    """The library's frames."""
    with opened(path) as container:
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        # A net under a size that changes on the way; the library counts more than what is shown.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels + 2**20)}
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise ClipError(f"{path} is damaged at {frame.time or 0:.2f} s: get an intact copy")
            yield frame


def _to_rgb(frame: Any, clip: Clip) -> np.ndarray:
    """(height, width, 3) uint8 of a frame of the library, as stored."""
    matrix = _MATRICES[clip.matrix]
    rgb = frame.reformat(
        format="rgb24",
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=_range_of(frame),
        dst_color_range=FULL,
        interpolation=exact_scaling(),
    )
    return np.asarray(rgb.to_ndarray())


def _range_of(frame: Any) -> int:
    """As the frame says, or else its pixel format."""
    if frame.color_range in (LIMITED, FULL):
        return int(frame.color_range)
    return FULL if frame.format.name.startswith(_FULL_BY_NATURE) else LIMITED


def _range_to_write(frame: Any) -> int:
    """The same, so that luma keeps its codes; limited, as is usual, of what has no luma."""
    is_rgb = frame.colorspace == _RGB or frame.format.is_rgb
    return LIMITED if is_rgb else _range_of(frame)


def _display_matrix(frame: Any) -> tuple[int, ...] | None:
    data = frame.side_data.get("DISPLAYMATRIX")
    return None if data is None else struct.unpack("=9i", bytes(data))
