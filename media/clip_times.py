"""What the packets of a clip say of its times, read through once without decoding."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from core.remarks import remark
from media.ffmpeg import ClipError
from media.use_damaged import is_used

# Headers that say how long a clip is may be a little wrong; a clip that lacks more was cut short.
_TRUNCATED_S = 1.0
_TRUNCATED_SHARE = 0.02
# Times of a stream, in order of decoding, never fall; by so little they do in files that are merely sloppy.
_FALLS_S = 0.25
# Formats that are cut out of a broadcast: their clock began when that did.
_CLOCKS = ("mpegts", "mpeg")
# A container's rate of more frames per second is a clock's and not that of frames.
_HIGHEST_RATE = 1000


@dataclass
class ClipTimes:
    """
    Attributes:
        num_frames: that are shown.
        last_duration: of the last of them, in units of the stream; 0 where nobody knows.
        first, last: time stamps of frames in units of the stream; None: they have none.
        start: seconds at which sound or pictures begin.
        end: seconds at which all ends.
        num_packets: of pictures, also of those that are not shown.
    """

    num_frames: int = 0
    last_duration: int = 0
    first: int | None = None
    last: int | None = None
    start: Fraction | None = None
    end: Fraction = Fraction(0)
    num_packets: int = 0

    def rate(self, stream: Any) -> Fraction:
        """Frames per second: as the container says, or the times of the frames where that is no such rate."""
        rate = Fraction(stream.average_rate or stream.guessed_rate or 25)
        if rate <= _HIGHEST_RATE:
            return rate
        if self.first is None or self.last is None or self.last <= self.first:
            return Fraction(25)
        return (self.num_frames - 1) / ((self.last - self.first) * stream.time_base)

    def add(self, packet: Any, *, is_video: bool) -> None:
        """Count a packet."""
        self.num_packets += is_video
        if packet.is_discard:  # what an edit list leaves out
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
    """The times of a clip, whose pictures are those of `stream`.

    Raises:
        ClipError: there is less than the header says, unless that is wanted, or the times begin again.
    """
    times, latest = ClipTimes(), dict[int, Fraction]()
    for packet in container.demux():
        if packet.is_corrupt and not is_used():
            raise ClipError(f"{path} is cut short or damaged: get an intact copy")
        if not packet.size or packet.is_corrupt:
            continue
        if packet.dts is not None and packet.stream.type in ("video", "audio"):
            time = packet.dts * packet.time_base
            if time < latest.get(packet.stream_index, time) - _FALLS_S:
                at = float(latest[packet.stream_index])
                raise ClipError(f"the times of {path} begin again after {at:.2f} s: split it there")
            latest[packet.stream_index] = time
        times.add(packet, is_video=packet.stream_index == stream.index)
    if _is_cut_short(container, stream, times.num_packets, float(times.end)):
        if not is_used():
            raise ClipError(
                f"{path} is shorter than its header says, cut short or damaged: get an intact copy"
            )
        told = f"is shorter than its header says; {float(times.end):.1f} s of it are there and are colored"
        remark(f"{path} {told}", told)
    if times.start is None or container.format.name not in _CLOCKS:
        times.start = Fraction(0)
    return times


def _is_cut_short(container: Any, stream: Any, num_packets: int, end_s: float) -> bool:
    """Whether there is less of a clip than its header says."""
    kind = container.format.name
    if kind.startswith("matroska") and container.duration:
        return bool(container.duration / 1e6 - end_s > _TRUNCATED_S)
    if kind == "avi" and stream.duration:  # whose header counts frames that were dropped
        duration_s = float(stream.duration * stream.time_base)
        return duration_s - end_s > min(_TRUNCATED_S, max(0.1, _TRUNCATED_SHARE * duration_s))
    expected = len(stream.index_entries) if kind.startswith("mov") else stream.frames
    return bool(num_packets < expected * (1 - _TRUNCATED_SHARE))
