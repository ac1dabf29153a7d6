"""Join the encoded parts of a clip into one file, with the audio and subtitles of the source (remuxing)."""

from __future__ import annotations

import contextlib
import heapq
import io
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import UserError
from core.remarks import remark
from media.aac import ConvertedSound
from media.clip import Clip
from media.encode_part import write_sample, writing_to
from media.ffmpeg import ClipError, clip_errors, opened_clip, pyav, video_stream

CONTAINERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mov", ".mkv": "matroska"}
"""Ending -> FFmpeg's name of the format."""
# Metadata about the source file itself: the new file gets its own.
_OF_THE_FILE = ("major_brand", "minor_version", "compatible_brands", "encoder", "duration")

# Of the video stream: the rest, such as statistics of Matroska, describes the old packets.
_OF_THE_VIDEO = ("title", "language")


@dataclass(frozen=True)
class Target:
    """A file to write, and what of the source it cannot hold as it is.

    Attributes:
        path: its ending is one of `CONTAINERS`.
        converted: indices of the audio streams that are converted to AAC.
        left_out: names of metadata entries that are dropped.
    """

    path: Path
    converted: frozenset[int] = frozenset()
    left_out: frozenset[str] = frozenset()

    @property
    def container(self) -> str:
        """FFmpeg's name of the format."""
        return CONTAINERS[self.path.suffix.lower()]


def check_container(path: Path) -> None:
    """
    Raises:
        UserError: clips of this ending are not written.
    """
    if path.suffix.lower() not in CONTAINERS:
        raise UserError(f"cannot write {path}: the ending of a clip must be one of {', '.join(CONTAINERS)}")


def endings_for(path: Path, *, with_subtitles: bool = True) -> list[str]:
    """Endings of `CONTAINERS`; first those whose containers hold most of a clip.

    They lose none of its subtitles, and take its audio without conversion.

    Args:
        path: of the clip.
        with_subtitles: whether subtitles matter.
    Raises:
        ClipError: the clip cannot be opened.
    """

    def losses(ending: str) -> tuple[int, bool]:
        container = CONTAINERS[ending]
        with pyav().open(io.BytesIO(), "w", format=container) as target:
            lost = sum(not _holds_subtitles(target, stream) for stream in source.streams.subtitles)
        return lost * with_subtitles, bool(_to_convert(source, container))

    with opened_clip(path) as source:
        return sorted(CONTAINERS, key=losses)


def plan_target(clip: Clip, output: Path, quality: int) -> Target:
    """Check before any work that the encoder takes such frames and the container all streams and metadata.

    What the container cannot hold is converted or left out, with a warning.

    Raises:
        ClipError: the clip cannot be written.
    """
    av, part = pyav(), io.BytesIO()
    size = "{}x{}".format(*clip.size)
    try:
        write_sample(part, clip, quality)
    except (av.error.FFmpegError, OverflowError) as error:
        raise ClipError(f"{clip.path} cannot be encoded ({size}, {clip.rate} frames/s: {error})") from error
    with opened_clip(clip.path) as source:
        _remark_on_pictures(source, clip.path)
        target = Target(output)
        target = replace(target, converted=_to_convert(source, target.container))
        for index in target.converted:
            kind = _codec(source.streams[index])
            told = f"its sound ({kind}) becomes AAC, for {output.suffix} cannot hold it"
            remark(f"{clip.path}: {told}", told)
        for left_out in (frozenset[str](), frozenset({"timecode"})):
            target = replace(target, left_out=left_out)
            try:
                _join(io.BytesIO(), target, clip, [part.getvalue()], "", sound=False)
            except (av.error.FFmpegError, ValueError) as error:
                reason = error
                continue
            if left_out:
                told = f"its time code cannot be kept in {output.suffix}, and is left out"
                remark(f"{clip.path}: {told}", told)
            return target
    raise ClipError(f"{clip.path} cannot be written as {output.suffix} ({reason}): try another ending")


def _remark_on_pictures(source: Any, path: Path) -> None:
    """Tell of what can be seen and is not written."""
    pixel_format = video_stream(source, path).codec_context.format
    has_alpha = pixel_format and any(component.is_alpha for component in pixel_format.components)
    cover = pyav().stream.Disposition.attached_pic
    has_cover = any(stream.disposition & cover for stream in source.streams.video)
    for is_there, what in ((has_alpha, "transparency"), (has_cover, "cover picture")):
        if is_there:
            told = f"its {what} is left out"
            remark(f"{path}: {told}", told)


def join_parts(target: Target, clip: Clip, parts: Sequence[Path], comment: str) -> None:
    """Make the whole clip: the video of the parts, the audio and subtitles of the source.

    Args:
        target: the file to write, from `plan_target`; it is written atomically.
        clip: the source.
        parts: files of `write_part`, in order.
        comment: is added to the metadata.
    Raises:
        UserError: the place cannot be written.
    """
    with writing_to(target.path) as temporary:
        _join(str(temporary), target, clip, parts, comment)


def write_preview(path: Path, clip: Clip, part: Path) -> None:
    """Write one part of a clip, without audio, as an .mp4 that browsers play.

    Raises:
        UserError: the place cannot be written.
    """
    with writing_to(path) as temporary, pyav().open(str(temporary), "w", format="mp4") as target:
        target.mux(_video_packets([part], clip, _add_video(target, clip, part)))


def _join(
    file: str | BinaryIO,
    plan: Target,
    clip: Clip,
    parts: Sequence[Path | bytes],
    comment: str,
    *,
    sound: bool = True,
) -> None:
    """Write a whole file; if `sound` is false the audio streams are declared, but stay empty."""
    av = pyav()
    with contextlib.ExitStack() as stack:
        target = stack.enter_context(av.open(file, "w", format=plan.container))
        source = stack.enter_context(opened_clip(clip.path))
        video = _add_video(target, clip, parts[0])
        old = video_stream(source, clip.path).metadata
        video.metadata.update({key: old[key] for key in _OF_THE_VIDEO if key in old})
        copies = {s.index: _add_copy(target, s, plan) for s in _to_copy(source, target)}
        _copy_metadata(source, target, comment, plan.left_out)
        packets = [_video_packets(parts, clip, video)]
        if copies and sound:
            packets.append(_other_packets(source, clip, copies))
        for packet in heapq.merge(*packets, key=lambda packet: packet.dts * packet.time_base):
            target.mux(packet)


def _add_video(target: Any, clip: Clip, part: Path | bytes) -> Any:
    """Add an output video stream with the parameters of a part."""
    with _open_part(part) as first:
        video = target.add_stream_from_template(first.streams.video[0])
    video.time_base = clip.time_base
    video.codec_context.framerate = clip.rate
    if clip.display_matrix:
        video.set_display_matrix(clip.display_matrix)
    return video


def _to_convert(source: Any, container: str) -> frozenset[int]:
    """Indices of the audio streams that a container does not take without conversion."""
    av, found = pyav(), set()
    for stream in source.streams.audio:
        try:
            with av.open(io.BytesIO(), "w", format=container) as trial:
                copy = _copy_stream(trial, stream)
                trial.start_encoding()
                # Some containers find out only when they are closed, and only of a stream with packets.
                if packet := _first_packet(source, stream):
                    packet.stream = copy
                    trial.mux(packet)
        except (av.error.FFmpegError, ValueError):
            found.add(stream.index)
    return frozenset(found)


def _first_packet(source: Any, stream: Any) -> Any:
    with contextlib.suppress(pyav().error.FFmpegError):  # what cannot be wound back was not read before
        source.seek(0)
    return next((packet for packet in source.demux(stream) if packet.dts is not None), None)


def _codec(stream: Any) -> str:
    return stream.codec_context.name if stream.codec_context else "an unknown codec"


def _to_copy(source: Any, target: Any) -> list[Any]:
    """The source streams to take over: all audio, and the subtitles that the container can hold."""
    streams = []
    for stream in source.streams.audio:
        if stream.codec_context:
            streams.append(stream)
        else:
            told = "a stream of sound in a codec that is not known here is left out"
            remark(f"{source.name}: {told}", told)
    for stream in source.streams.subtitles:
        if _holds_subtitles(target, stream):
            streams.append(stream)
        else:
            told = f"its subtitles are left out, for {target.format.name} cannot hold them"
            remark(f"{source.name}: {told}", told)
    return streams


def _holds_subtitles(target: Any, stream: Any) -> bool:
    return bool(stream.codec_context) and stream.codec_context.name in target.supported_codecs


def _add_copy(target: Any, stream: Any, plan: Target) -> Any:
    """Add an output stream for a source stream: a plain copy, or a converter to AAC."""
    if stream.index not in plan.converted:
        return _copy_stream(target, stream)
    converted = ConvertedSound(target, stream)
    _describe(converted.stream, stream)
    return converted


def _copy_stream(target: Any, stream: Any) -> Any:
    copy = target.add_stream_from_template(stream)
    # PCM in AVI and MKV states the number of channels only, which .mp4 does not take for two.
    if stream.type == "audio" and stream.codec_context.layout.name == "2 channels":
        copy.codec_context.layout = "stereo"
    _describe(copy, stream)
    return copy


def _describe(copy: Any, stream: Any) -> None:
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition


def _copy_metadata(source: Any, target: Any, comment: str, left_out: frozenset[str]) -> None:
    codes = [stream.metadata["timecode"] for stream in source.streams if "timecode" in stream.metadata]
    found = {"timecode": codes[0]} if codes else {}
    found |= source.metadata
    kept = {key: value for key, value in found.items() if key.lower() not in (*_OF_THE_FILE, *left_out)}
    old = kept.pop("comment", "")
    target.metadata.update(kept, comment=f"{old}; {comment}" if old else comment)
    if source.chapters():
        target.set_chapters(source.chapters())


def _video_packets(parts: Sequence[Path | bytes], clip: Clip, stream: Any) -> Iterator[Any]:
    """The packets of all parts; the duration of each is set to the time until the next."""
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


def _open_part(part: Path | bytes) -> Any:
    return pyav().open(io.BytesIO(part) if isinstance(part, bytes) else str(part))


def _packets_of(part: Path | bytes) -> Iterator[Any]:
    with _open_part(part) as container:
        for packet in container.demux(video=0):
            if packet.size:
                packet.dts = packet.pts  # unset by the library in a part of few frames, such as 7
                yield packet


def _other_packets(source: Any, clip: Clip, copies: dict[int, Any]) -> Iterator[Any]:
    """The audio and subtitle packets, their time stamps shifted so that the clip starts at 0."""
    streams = [stream for stream in source.streams if stream.index in copies]
    latest: dict[int, int] = {}
    with clip_errors(clip.path):
        for packet in source.demux(streams):
            if packet.is_corrupt:  # the last packet of a clip that was cut short
                continue
            copy = copies[packet.stream.index]
            if isinstance(copy, ConvertedSound):
                yield from copy.convert(packet, clip.start)
            elif packet.dts is not None:  # the empty packet at the end has none
                _shift(packet, clip.start, latest)
                packet.stream = copy
                yield packet


def _shift(packet: Any, start: Fraction, latest: dict[int, int]) -> None:
    """Subtract `start` seconds from its time stamps and make them strictly increasing, as containers need."""
    index, shift = packet.stream_index, round(start / packet.time_base)
    dts = packet.dts - shift
    packet.dts = latest[index] = max(dts, latest.get(index, dts - 1) + 1)
    packet.pts = max(packet.pts - shift, packet.dts) if packet.pts is not None else packet.dts
