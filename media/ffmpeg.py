"""FFmpeg's libraries through PyAV: which files they may open, and errors that name a broken file."""

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

# The demuxers allowed: none for pictures, and none for playlists, which name other files or addresses.
_DEMUXERS = "mov,matroska,webm,avi,mpeg,mpegts,asf,flv,ogg,mxf,dv"
_PROTOCOLS = "file"

MATRICES = {1: "ITU709", 4: "FCC", 5: "ITU601", 6: "ITU601", 7: "SMPTE240M", 9: "BT2020"}
"""Number of a Y'CbCr matrix in ITU-T H.273 -> the library's name of it."""


OR_USE = "or color what is there with --damaged=use"
"""The end of a message on a damaged clip of which that flag makes something."""


class ClipError(UserError):
    """A clip that cannot be read; the message names the file."""


class DamagedClip(ClipError):
    """A clip whose data are damaged, so that trying again is of no use."""


class PartlyDamagedClip(ClipError):
    """A clip whose first frames can be decoded, so that `--damaged=use` goes on with them."""


def pyav() -> ModuleType:
    """Import PyAV.

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
    """Open an input container.

    Raises:
        ClipError: the file is missing, or not a clip.
    """
    av = pyav()
    if not path.is_file():
        what = "is no regular file" if path.exists() else "does not exist"
        raise ClipError(f"{path} {what}: name a clip")
    options = {"format_whitelist": _DEMUXERS, "protocol_whitelist": _PROTOCOLS}
    try:
        # An absolute path, since FFmpeg takes anything before a colon for a protocol.
        container = av.open(str(path.absolute()), container_options=options, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, OSError):
            raise ClipError(f"cannot read {path} ({error.strerror}): check its rights") from error
        raise ClipError(f"{path} is not a clip, or its header is damaged: get an intact copy") from error
    with container:
        yield container


@contextlib.contextmanager
def clip_errors(path: Path) -> Iterator[None]:
    """Turn what the library raises on a broken clip into an error that names the file.

    Raises:
        ClipError: the file cannot be read.
        DamagedClip: it was read, but cannot be decoded.
    """
    av = pyav()
    try:
        yield
    except av.error.FFmpegError as error:
        if isinstance(error, OSError):
            raise ClipError(f"cannot read {path} ({error.strerror}): try again, or get a copy") from error
        raise DamagedClip(f"{path} is damaged ({error.strerror}): get an intact copy") from error


def video_stream(container: Any, path: Path) -> Any:
    """The first video stream that is not a cover picture.

    Raises:
        ClipError: there is none, or no decoder for it.
    """
    cover = pyav().stream.Disposition.attached_pic
    streams = [stream for stream in container.streams.video if not stream.disposition & cover]
    if not streams:
        raise ClipError(f"{path} holds no video: name another clip")
    if streams[0].codec_context is None:
        raise ClipError(f"{path} is in a codec that is not known here: convert it to H.264 first")
    return streams[0]


def decoded(path: Path, max_pixels: int, *, deinterlace: bool = False) -> Iterator[Any]:
    """Decode a clip: PyAV's frames, in display order.

    Args:
        path: of the clip.
        max_pixels: upper limit of the pixels of a frame.
        deinterlace: deinterlace the frames; their number and times stay the same.
    Raises:
        ClipError: it cannot be read.
        DamagedClip: its data are damaged, and no frame could be decoded.
        PartlyDamagedClip: its data are damaged after some frames, and `media.use_damaged` is off.
    """
    num = 0
    try:
        for frame in _decoded(path, max_pixels, deinterlace=deinterlace):
            yield frame
            num += 1
    except DamagedClip as error:
        if not num:
            raise
        if not is_used():
            raise PartlyDamagedClip(f"{error}, {OR_USE}") from error
        told = f"is damaged after {num} frames, which are colored"
        remark(f"{path} {told}", told)


def _decoded(path: Path, max_pixels: int, *, deinterlace: bool) -> Iterator[Any]:
    with opened_clip(path) as container, clip_errors(path):
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        # A safety net for a size that changes within the clip; doubled, since the library counts padding too.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels + 2**20)}
        frames = _in_time if container.format.name == "avi" else container.decode
        whole = (_whole(frame, path) for frame in frames(stream))
        yield from _deinterlaced(whole, stream) if deinterlace else whole


def _whole(frame: Any, path: Path) -> Any:
    """The same frame.

    Raises:
        DamagedClip: the frame is corrupt.
    """
    if frame.is_corrupt:
        raise DamagedClip(f"{path} is damaged at {frame.time or 0:.2f} s: get an intact copy")
    return frame


def _deinterlaced(frames: Iterator[Any], stream: Any) -> Iterator[Any]:
    """Deinterlace by the filter bwdif, which passes progressive frames on unchanged."""
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
    """Decode an AVI, giving its frames in display order the times of its packets in file order."""
    times: deque[int | None] = deque()
    for packet in stream.container.demux(stream):
        if packet.size:
            times.append(packet.dts)
        for frame in packet.decode():
            frame.pts = times.popleft() if times else None
            yield frame


def exact_scaling() -> int:
    """Flags for the conversion of pixel formats: exact rounding, where the library's default truncates."""
    kinds = pyav().video.reformatter.Interpolation
    return int(kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP)
