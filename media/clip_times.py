"""Time stamps of a clip, collected from all of its packets without decoding."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.remarks import remark
from media.ffmpeg import OR_USE, ClipError
from media.use_damaged import is_used

# The duration or frame count in a header may be a little wrong; if more is missing, the clip was cut short.
_TRUNCATED_S = 1.0
_TRUNCATED_SHARE = 0.02
# Decoding time stamps never decrease in a correct file. A decrease up to this is tolerated as sloppiness.
_FALLS_S = 0.25
# What becomes of corrupt packets, by the kind of their stream.
_DAMAGED = {"video": "video: frames may look wrong or be missing", "audio": "sound, left out"}
# Formats of broadcasts: their time stamps do not begin at 0 but at the time of the broadcast's clock.
_CLOCKS = ("mpegts", "mpeg")
# A higher frame rate in a container is really the rate of its clock.
_HIGHEST_RATE = 1000


@dataclass
class ClipTimes:
    """
    Attributes:
        num_frames: number of frames that are shown.
        last_duration: duration of the last of them, in units of the stream; 0 if unknown.
        first, last: smallest and largest time stamp of a frame, in units of the stream; None: there are none.
        start: time of the first video or audio packet, seconds.
        end: time at which the last packet ends, seconds.
        num_packets: number of video packets, including those that are not shown.
    """

    num_frames: int = 0
    last_duration: int = 0
    first: int | None = None
    last: int | None = None
    start: Fraction | None = None
    end: Fraction = Fraction(0)
    num_packets: int = 0

    def rate(self, stream: Any) -> Fraction:
        """Frames per second: of the container, or, if that is not plausible, from the frames' time stamps."""
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        if rate <= _HIGHEST_RATE:
            return rate
        if self.first is None or self.last is None or self.last <= self.first:
            return Fraction(25)
        return (self.num_frames - 1) / ((self.last - self.first) * stream.time_base)

    def add(self, packet: Any, *, is_video: bool) -> None:
        """Count a packet."""
        self.num_packets += is_video
        if packet.is_discard:  # excluded by an edit list
            return
        self.num_frames += is_video
        if packet.pts is None:
            return
        time = packet.pts * packet.time_base
        self.end = max(self.end, time + (packet.duration or 0) * packet.time_base)
        if packet.stream.type in ("video", "audio"):
            self.start = time if self.start is None else min(self.start, time)
        if is_video:
            self.first = packet.pts if self.first is None else min(self.first, packet.pts)
            if self.last is None or packet.pts >= self.last:
                self.last, self.last_duration = packet.pts, packet.duration or 0


def read_times(container: Any, stream: Any, path: Path) -> ClipTimes:
    """Collect the times of a clip; `stream` is its video stream.

    Raises:
        ClipError: the clip is cut short and `media.use_damaged` is off, or its time stamps start over.
    """
    times, latest, damaged = ClipTimes(), dict[int, Fraction](), Counter[str]()
    for packet in container.demux():
        if packet.is_corrupt and not is_used():
            raise ClipError(f"{path} is cut short or damaged: get an intact copy, {OR_USE}")
        if not packet.size or packet.is_corrupt:
            damaged[packet.stream.type] += packet.is_corrupt
            continue
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            time = packet.dts * packet.time_base
            if time < latest.get(packet.stream_index, time) - _FALLS_S:
                at = float(latest[packet.stream_index])
                raise ClipError(f"the times of {path} begin again after {at:.2f} s: split it there")
            latest[packet.stream_index] = time
        times.add(packet, is_video=packet.stream_index == stream.index)
    _remark_on(damaged, path)
    if _is_cut_short(container, stream, times.num_packets, float(times.end)):
        if not is_used():
            raise ClipError(
                f"{path} is shorter than its header says, cut short or damaged: get an intact copy, {OR_USE}"
            )
        told = f"is shorter than its header says; {float(times.end):.1f} s of it are there and are colored"
        remark(f"{path} {told}", told)
    if times.start is None or container.format.name not in _CLOCKS:
        times.start = Fraction(0)
    return times


def _remark_on(damaged: Counter[str], path: Path) -> None:
    """Tell how many packets of each kind of stream are corrupt."""
    for kind, fate in _DAMAGED.items():
        if num := damaged[kind]:
            packets = "1 packet" if num == 1 else f"{num} packets"
            told = f"is damaged in {packets} of its {fate}"
            remark(f"{path} {told}", told)


def _is_cut_short(container: Any, stream: Any, num_packets: int, end_s: float) -> bool:
    """Whether a clip is shorter than its header says."""
    kind = container.format.name
    if kind.startswith("matroska") and container.duration:
        return bool(container.duration / 1e6 - end_s > _TRUNCATED_S)
    if kind == "avi" and stream.duration:  # its header also counts dropped frames
        duration_s = float(stream.duration * stream.time_base)
        return duration_s - end_s > min(_TRUNCATED_S, max(0.1, _TRUNCATED_SHARE * duration_s))
    expected = len(stream.index_entries) if kind.startswith("mov") else stream.frames
    return bool(num_packets < expected * (1 - _TRUNCATED_SHARE))
