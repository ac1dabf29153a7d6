"""FFmpeg's libraries through PyAV: which files they may open, and errors that name a broken file."""

from __future__ import annotations

import contextlib
import itertools
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
    """A clip of which `--damaged=use` may make something, so that it goes on with finished frames."""


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

    With `media.use_damaged` those that the decoder makes of damaged data are among them, and those of which
    it makes nothing are left out.

    Args:
        path: of the clip.
        max_pixels: upper limit of the pixels of a frame.
        deinterlace: deinterlace the frames; their number and times stay the same.
    Raises:
        ClipError: it cannot be read.
        DamagedClip: its data are damaged, and no frame could be decoded.
        PartlyDamagedClip: its data are damaged, and `media.use_damaged` is off.
    """
    num = num_damaged = 0
    try:
        for frame in _decoded(path, max_pixels, deinterlace=deinterlace):
            num_damaged += frame is None or frame.is_corrupt
            if frame is not None:
                yield frame
                num += 1
    except DamagedClip as error:
        if not is_used():
            raise PartlyDamagedClip(f"{error}, {OR_USE}") from error
        if not num:
            raise
        told = f"is damaged after {num} frames, which are colored"
        remark(f"{path} {told}", told)
    if num_damaged and not num:
        raise DamagedClip(f"{path} is damaged, and none of its frames can be decoded: get an intact copy")
    if num_damaged:
        places = "1 place" if num_damaged == 1 else f"{num_damaged} places"
        told = f"is damaged at {places}; the {num} frames that can be decoded are colored"
        remark(f"{path} {told}", told)


def _decoded(path: Path, max_pixels: int, *, deinterlace: bool) -> Iterator[Any]:
    """The frames; None stands for one of which the decoder makes nothing."""
    with opened_clip(path) as container, clip_errors(path):
        stream = video_stream(container, path)
        stream.thread_type = "AUTO"
        # A safety net for a size that changes within the clip; doubled, since the library counts padding too.
        stream.codec_context.options = {"max_pixels": str(2 * max_pixels + 2**20)}
        frames: Iterator[Any] = (_checked(frame, path) for frame in _frames(stream))
        if container.format.name.startswith("matroska"):
            frames = itertools.dropwhile(_is_before_0, frames)
        yield from _deinterlaced(frames, stream) if deinterlace else frames


def _frames(stream: Any) -> Iterator[Any]:
    """Decode a stream; frames of an AVI get, in display order, the times of its packets in file order."""
    is_avi = stream.container.format.name == "avi"
    times: deque[int | None] = deque()
    for packet in stream.container.demux(stream):
        if packet.size:
            times.append(packet.dts)
        for frame in _frames_of(packet):
            time = times.popleft() if times else None
            if is_avi and frame is not None:
                frame.pts = time
            yield frame


def _frames_of(packet: Any) -> list[Any]:
    """The frames that a packet completes; [None] if it is damaged and `media.use_damaged` is on."""
    try:
        return list(packet.decode())
    except pyav().error.InvalidDataError:
        if not is_used():
            raise
        return [None]


def _is_before_0(frame: Any) -> bool:
    """Whether a frame at the start of a Matroska, of which such times are lost, is not to be shown."""
    return frame is not None and frame.pts is None and frame.dts is None


def _checked(frame: Any, path: Path) -> Any:
    """The same frame.

    Raises:
        DamagedClip: the frame is corrupt, and `media.use_damaged` is off.
    """
    if frame is not None and frame.is_corrupt and not is_used():
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
        if frame is None:
            yield None
            continue
        graph.vpush(frame)
        yield from ready()
    graph.vpush(None)
    yield from ready()


def exact_scaling() -> int:
    """Flags for the conversion of pixel formats: exact rounding, where the library's default truncates."""
    kinds = pyav().video.reformatter.Interpolation
    return int(kinds.BICUBIC | kinds.ACCURATE_RND | kinds.FULL_CHR_H_INT | kinds.FULL_CHR_H_INP)
