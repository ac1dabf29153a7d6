"""FFmpeg's libraries through PyAV: what they open, and what they say of files that are broken."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from core.errors import UserError
from core.extras import installing
from core.remarks import remark
from media.use_damaged import is_used

# Of all that FFmpeg opens: no pictures, and no lists that name other files or addresses.
_DEMUXERS = "mov,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg,mxf,dv"
_PROTOCOLS = "file"

MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
"""Number of a Y'CbCr matrix in ITU-T H.273 -> what the library calls it."""


class ClipError(UserError):
    """A clip that cannot be read; the message names the file."""


class DamagedClip(ClipError):
    """A clip of which no second try will read more."""


def pyav() -> ModuleType:
    """The library.

    Raises:
        UserError: it is not installed.
    """
    try:
        import av
    except ImportError as error:
        raise UserError(f"clips need PyAV: {installing('video')}") from error
    return av


@contextlib.contextmanager
def opened_clip(path: Path) -> Iterator[Any]:
    """An input container.

    Raises:
        ClipError: missing, or no clip.
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
        if isinstance(error, OSError):
            raise ClipError(f"cannot read {path} ({error.strerror}): check its rights") from error
        raise ClipError(f"{path} is not a clip, or its header is damaged: get an intact copy") from error
    with container:
        yield container


@contextlib.contextmanager
def clip_errors(path: Path) -> Iterator[None]:
    """Turn what the library says of a broken clip into an error that names it.

    Raises:
        ClipError: the file cannot be read.
        DamagedClip: it was read, and makes no sense.
    """
    av = pyav()
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise ClipError(f"cannot read {path} ({error.strerror}): try again, or get a copy") from error
        raise DamagedClip(f"{path} is damaged ({error.strerror}): get an intact copy") from error


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


def decoded(path: Path, max_pixels: int, *, deinterlace: bool = False) -> Iterator[Any]:
    """The library's frames of a clip, in the order in which they are shown.

    Args:
        path: of the clip.
        max_pixels: that a frame may have.
        deinterlace: make whole frames of fields, as many as before, each at its time.
    Raises:
        ClipError: it cannot be read.
        DamagedClip: its data make no sense, from the first frame on where what is there is wanted.
    """
    num = 0
    try:
        for frame in _decoded(path, max_pixels, deinterlace=deinterlace):
            yield frame
            num += 1
    except DamagedClip:
        if not is_used() or not num:
            raise
        told = f"is damaged after {num} frames, which are colored"
        remark(f"{path} {told}", told)


def _decoded(path: Path, max_pixels: int, *, deinterlace: bool) -> Iterator[Any]:
    with opened_clip(path) as container, clip_errors(path):
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        # A net under a size that changes on the way; the library counts more than what is shown.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels + 2**20)}
        frames = _in_time if container.format.name == "avi" else container.decode
        whole = (_whole(frame, path) for frame in frames(stream))
        yield from _deinterlaced(whole, stream) if deinterlace else whole


def _whole(frame: Any, path: Path) -> Any:
    """
    Raises:
        DamagedClip: the frame is not.
    """
    if frame.is_corrupt:
        raise DamagedClip(f"{path} is damaged at {frame.time or 0:.2f} s: get an intact copy")
    return frame


def _deinterlaced(frames: Iterator[Any], stream: Any) -> Iterator[Any]:
    """By the filter bwdif, which makes nothing of frames that are whole but a copy."""
    av = pyav()
    graph = av.filter.Graph()
    source, sink = graph.add_buffer(template=stream), graph.add("buffersink")
    graph.link_nodes(source, graph.add("bwdif", "mode=send_frame:deint=interlaced"), sink).configure()

    def ready() -> Iterator[Any]:
        with contextlib.suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                frame = graph.vpull()
                if frame.pts is not None:
                    frame.pts = round(frame.pts * frame.time_base / stream.time_base)
                yield frame

    for frame in frames:
        graph.vpush(frame)
        yield from ready()
    graph.vpush(None)
    yield from ready()


def _in_time(stream: Any) -> Iterator[Any]:
    """The frames of an AVI, whose packets have times, but not those of the frames that they hold."""
    times: deque[int | None] = deque()
    for packet in stream.container.demux(stream):
        if packet.size:
            times.append(packet.dts)
        for frame in packet.decode():
            frame.pts = times.popleft() if times else None
            yield frame


def exact_scaling() -> int:
    """How pixels are converted: rounded where the library's default cuts off."""
    kinds = pyav().video.reformatter.Interpolation
    return int(kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP)
