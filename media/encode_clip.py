"""Colored frames into files: parts of a clip as they are finished, and the whole from its parts.

A part is a file of the NUT format, which keeps any time stamp exactly. The whole is made of their packets
as they are and of the other streams of the source, and nothing is encoded a second time.
"""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
import logging
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import PlaceError, UserError
from core.files import TEMPORARY
from media.clip import FULL as FULL_RANGE
from media.clip import Clip, Frame
from media.ffmpeg import MATRICES, ClipError, exact_scaling, opened, pyav, reading

log = logging.getLogger(__name__)

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Ending -> FFmpeg's name of the format."""
# What a format says of itself; the new file says it of its own.
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")
# Quality 100, and how much coarser one less is, in x264's constant rate factor, which ends at 51.
_FINEST, _PER_QUALITY, _COARSEST = 12, 0.4, 51


def check_container(path: Path) -> None:
    """
    Raises:
        UserError: clips of this ending are not written.
    """
    if path.suffix.lower() not in CONTAINERS:
        raise UserError(f"cannot write {path}: the ending of a clip must be one of {', '.join(CONTAINERS)}")


def endings_for(path: Path) -> list[str]:
    """Endings of `CONTAINERS` whose files can hold the audio of a clip as it is.

    Raises:
        ClipError: the clip cannot be opened, or no container holds its audio.
    """
    av = pyav()
    found = []
    with opened(path) as source:
        streams = source.streams.audio
        for ending, container in CONTAINERS.items() if streams else ():
            with contextlib.suppress(av.error.FFmpegError, ValueError):
                with av.open(io.BytesIO(), "w", format=container) as trial:
                    for stream in streams:
                        _copy_stream(trial, stream)
                    trial.start_encoding()
                found.append(ending)
        names = {s.codec_context.name if s.codec_context else "an unknown codec" for s in streams}
    if streams and not found:
        raise ClipError(
            f"the audio of {path} ({', '.join(sorted(names))}) can be kept in none of "
            f"{', '.join(CONTAINERS)}: convert it first, such as to AAC"
        )
    return found or list(CONTAINERS)


def check_encodable(clip: Clip, output: Path, quality: int) -> None:
    """Find out before the work whether the encoder takes the frames, and the container the audio.

    Raises:
        ClipError: it does not.
    """
    av = pyav()
    endings = endings_for(clip.path)
    if output.suffix.lower() not in endings:
        raise ClipError(
            f"{output.suffix} cannot hold the audio of {clip.path}: write a {' or '.join(endings)}"
        )
    try:
        with av.open(io.BytesIO(), "w", format="nut") as trial:
            _add_encoder(trial, clip, quality)
            trial.start_encoding()
    except (av.error.FFmpegError, OverflowError) as error:
        size = "{}x{}".format(*clip.size)
        raise ClipError(f"{clip.path} cannot be encoded ({size}, {clip.rate} frames/s: {error})") from error


def write_part(path: Path, clip: Clip, frames: Iterable[Frame], quality: int) -> None:
    """Encode upright frames, as the clip has them, into a file that is there when it is whole.

    Raises:
        UserError: the place cannot be written.
    """
    av = pyav()
    with _renamed_to(path) as temporary, av.open(str(temporary), "w", format="nut") as container:
        stream = _add_encoder(container, clip, quality)
        for frame in frames:
            container.mux(stream.encode(_from_rgb(frame, clip)))
        container.mux(stream.encode(None))


def join_parts(output: Path, clip: Clip, parts: Sequence[Path], comment: str) -> None:
    """Make the whole clip: the video of the parts, the audio and subtitles of the source, untouched.

    Args:
        output: the file to write, whole or not at all; its ending is one of `CONTAINERS`.
        clip: the source.
        parts: files of `write_part`, in order.
        comment: joins the metadata.
    Raises:
        UserError: the place cannot be written.
    """
    av = pyav()
    with contextlib.ExitStack() as stack:
        temporary = stack.enter_context(_renamed_to(output))
        target = stack.enter_context(av.open(str(temporary), "w", format=_container(output)))
        source = stack.enter_context(opened(clip.path))
        with av.open(str(parts[0])) as first:
            video = target.add_stream_from_template(first.streams.video[0])
            video.time_base = clip.time_base
        if clip.display_matrix:
            video.set_display_matrix(clip.display_matrix)
        copies = {stream.index: _copy_stream(target, stream) for stream in _to_copy(source, target)}
        _copy_metadata(source, target, comment)
        packets = [_video_packets(parts, clip, video)]
        if copies:
            packets.append(_other_packets(source, clip.path, copies))
        for packet in heapq.merge(*packets, key=lambda packet: packet.dts * packet.time_base):
            target.mux(packet)


def _container(output: Path) -> str:
    return CONTAINERS[output.suffix.lower()]


@contextlib.contextmanager
def _renamed_to(path: Path) -> Iterator[Path]:
    """A temporary neighbour to write to, which takes the name of `path` at the end of the block.

    Raises:
        UserError: the place cannot be written.
    """
    av = pyav()
    temporary = path.absolute().with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except (av.error.FFmpegError, OSError) as error:
        if isinstance(error, OSError):
            raise PlaceError(
                f"cannot write {path} ({error.strerror or error}): free the place or name another"
            ) from error
        raise ClipError(f"cannot write {path} ({error}): try another ending") from error
    finally:
        temporary.unlink(missing_ok=True)


def _add_encoder(container: Any, clip: Clip, quality: int) -> Any:
    """An H.264 stream in the colours, the range and the time base of the clip.

    Without B-frames every frame is stored where it is shown, and no container has to shift time stamps.
    """
    crf = min(_COARSEST, round(_FINEST + _PER_QUALITY * (100 - quality)))
    stream = container.add_stream("libx264", rate=clip.rate, options={"crf": str(crf), "bf": "0"})
    stream.width, stream.height = clip.size
    stream.pix_fmt = _pixel_format(clip)
    context = stream.codec_context
    context.time_base = stream.time_base = clip.time_base
    if clip.pixel_shape:
        context.sample_aspect_ratio = clip.pixel_shape
    context.colorspace, context.color_range = clip.matrix, clip.color_range
    context.color_primaries, context.color_trc = clip.primaries, clip.curve
    return stream


def _pixel_format(clip: Clip) -> str:
    """Colours of half the size, which every player knows, need even sides."""
    return "yuv444p" if clip.size[0] % 2 or clip.size[1] % 2 else "yuv420p"


def _from_rgb(frame: Frame, clip: Clip) -> Any:
    """A frame of the library, rotated back."""
    stored = np.ascontiguousarray(np.rot90(frame.pixels, -clip.turns))
    matrix = MATRICES[clip.matrix]
    converted = (
        pyav()
        .VideoFrame.from_ndarray(stored, format="rgb24")
        .reformat(
            format=_pixel_format(clip),
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=FULL_RANGE,
            dst_color_range=clip.color_range,
            interpolation=exact_scaling(),
        )
    )
    converted.pts, converted.time_base = frame.pts, clip.time_base
    return converted


def _to_copy(source: Any, target: Any) -> list[Any]:
    """All audio, and the subtitles that the container can hold."""
    streams = list(source.streams.audio)
    for stream in source.streams.subtitles:
        if stream.codec_context and stream.codec_context.name in target.supported_codecs:
            streams.append(stream)
        else:
            log.warning("%s cannot hold the subtitles of the clip, which are left out", target.format.name)
    return streams


def _copy_stream(target: Any, stream: Any) -> Any:
    copy = target.add_stream_from_template(stream)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def _copy_metadata(source: Any, target: Any, comment: str) -> None:
    kept = {key: value for key, value in source.metadata.items() if key.lower() not in _OF_THE_FILE}
    old = kept.pop("comment", "")
    target.metadata.update(kept, comment=f"{old}; {comment}" if old else comment)
    if source.chapters():
        target.set_chapters(source.chapters())


def _video_packets(parts: Sequence[Path], clip: Clip, stream: Any) -> Iterator[Any]:
    """Of all parts, each with the time until the next as its duration."""
    following = itertools.chain.from_iterable(map(_packets_of, parts))
    last = next(following)
    duration = 1
    for packet in following:
        last.duration = duration = packet.pts - last.pts
        last.stream = stream
        yield last
        last = packet
    last.duration = round(clip.last_duration * clip.time_base / last.time_base) or duration
    last.stream = stream
    yield last


def _packets_of(part: Path) -> Iterator[Any]:
    with pyav().open(str(part)) as container:
        for packet in container.demux(video=0):
            if packet.size:
                packet.dts = packet.pts  # of a part of 7 frames the library does not know it
                yield packet


def _other_packets(source: Any, path: Path, copies: dict[int, Any]) -> Iterator[Any]:
    streams = [stream for stream in source.streams if stream.index in copies]
    latest: dict[int, int] = {}
    with reading(path):
        for packet in source.demux(streams):
            if packet.dts is None:  # the mark of the end
                continue
            # No container takes times that do not rise, as sloppy files have them.
            packet.dts = max(packet.dts, latest.get(packet.stream_index, packet.dts - 1) + 1)
            packet.pts = max(packet.pts, packet.dts) if packet.pts is not None else packet.dts
            latest[packet.stream_index] = packet.dts
            packet.stream = copies[packet.stream_index]
            yield packet
