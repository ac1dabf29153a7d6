"""Color a clip, in parts that survive an interruption."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from config import VERSION
from core.figures import progress_bar
from core.files import check_writable
from core.interrupts import held_interrupts
from core.remarks import remark
from inference.colorizer import Colorizer
from media.clip import Clip
from media.encode_clip import Target, join_parts, plan_target
from media.encode_part import write_part
from media.ffmpeg import DamagedClip
from media.frames import ColoredFrame, read_frames
from video.color_frames import TOGETHER, color_frames
from video.parts import ClipParts
from video.temporal import SteadyChroma

PART_FRAMES = 240
"""Frames per part: a kill loses at most so many. Each part begins with a key frame; x264 sets one per 250."""


@dataclass(frozen=True)
class Watch:
    """Callbacks that report the progress of a clip.

    Attributes:
        frame: called after each frame with the number of finished ones; an exception that it raises ends the
            work, and all finished parts are kept.
        first_part: called with the file of the first part, when that is finished.
        first_frames: number of frames of the first part; None: as many as of the others.
    """

    frame: Callable[[int], object]
    first_part: Callable[[Path], None] = lambda _: None
    first_frames: int | None = None


def color_clip(
    colorizer: Colorizer,
    clip: Clip,
    output: Path,
    *,
    temporal: str,
    every: int,
    quality: int,
    overwrite: bool = False,
    watch: Watch | None = None,
) -> None:
    """Color a clip; the output file is only there once it is whole.

    Finished parts go to a hidden folder beside it. When the same clip is colored again with the same
    settings, the work goes on after the last part and gives the same colours. Ctrl-C or SIGTERM
    finishes the current frame and keeps it and all frames before it.

    Args:
        colorizer: predicts the colours.
        clip: the source.
        output: the file to write.
        temporal: 'steady' averages the colours along the motion; 'off' takes each frame by itself.
        every: the model is shown every n-th frame; more than 1 only with 'steady'.
        quality: 1 to 100.
        overwrite: delete finished parts of other settings.
        watch: callbacks for the progress; None: a progress bar is drawn.
    Raises:
        UserError: the clip is damaged, the place cannot be written, or it holds finished parts of other
            settings and `overwrite` is off.
    """
    target = plan_target(clip, output, quality)
    if clip.field_order:
        told = "is interlaced, and colored as it is"
        remark(f"{clip.path} {told}: --deinterlace makes whole frames of it", told)
    check_writable(output.absolute().parent)
    stat = clip.path.stat()
    job = {"clip": str(clip.path.absolute()), "bytes": stat.st_size, "changed": stat.st_mtime_ns}
    job |= {"by": colorizer.about, "version": VERSION, "settings": colorizer.settings}
    job |= {"temporal": temporal, "every": every, "quality": quality, "deinterlace": clip.deinterlace}
    job |= {"precision": str(colorizer.fast_precision), "invert": clip.invert}
    job |= {"own": [[frames.start, frames.stop] for frames in clip.own]}
    job |= {"mask": None if clip.mask is None else hashlib.sha256(clip.mask.tobytes()).hexdigest()}
    with contextlib.closing(ClipParts(output, job, overwrite=overwrite)) as parts:
        _finish(colorizer, clip, target, parts, temporal=temporal, every=every, quality=quality, watch=watch)


def _finish(
    colorizer: Colorizer,
    clip: Clip,
    target: Target,
    parts: ClipParts,
    *,
    temporal: str,
    every: int,
    quality: int,
    watch: Watch | None,
) -> None:
    """Color the frames of a clip that are not finished yet, and join its parts."""
    if parts.num_frames:
        print(f"going on after {parts.num_frames} frames")
    try:
        steady = SteadyChroma(parts.state) if temporal == "steady" else None
        frames = color_frames(
            colorizer,
            clip,
            read_frames(clip, start=parts.num_frames),
            steady,
            start=parts.num_frames,
            every=every,
        )
        with _watched(watch, clip, parts.num_frames) as watcher:
            _write_parts(frames, clip, parts, quality, watcher)
        join_parts(target, clip, parts.files, f"Colours inferred by {colorizer.about}")
    except DamagedClip:  # of no use for an intact copy; a `PartlyDamagedClip` can be gone on with
        parts.delete()
        raise
    except KeyboardInterrupt:
        kept = f"{parts.num_frames} frames are kept in {parts.folder}; the same command goes on"
        print(kept, file=sys.stderr)
        raise
    parts.delete()


@contextlib.contextmanager
def _watched(watch: Watch | None, clip: Clip, done: int) -> Iterator[Watch]:
    if watch is not None:
        yield watch
        return
    with progress_bar("coloring", clip.num_frames, "frame") as bar:
        bar.update(done)
        yield Watch(lambda _: bar.update())


def _write_parts(
    colored: Iterator[tuple[ColoredFrame, dict[str, Tensor]]],
    clip: Clip,
    parts: ClipParts,
    quality: int,
    watch: Watch,
) -> None:
    """Encode the remaining frames of a clip, part by part."""
    num, state = parts.num_frames, parts.state
    if parts.files:
        watch.first_part(parts.files[0])
    with held_interrupts() as stop:

        def counted(frames: Iterable[tuple[ColoredFrame, dict[str, Tensor]]]) -> Iterator[ColoredFrame]:
            nonlocal num, state
            for frame, state_after in frames:
                yield frame
                num, state = num + 1, state_after
                watch.frame(num)
                if stop.is_set() and num % TOGETHER == 0:  # not between two that the model sees together
                    return

        for first in colored:
            size = PART_FRAMES if parts.files else watch.first_frames or PART_FRAMES
            size += -size % TOGETHER
            part = itertools.chain([first], itertools.islice(colored, size - 1))
            write_part(parts.next_file, clip, counted(part), quality)
            parts.add(num, state)
            if len(parts.files) == 1:
                watch.first_part(parts.files[0])
            if stop.is_set():
                return  # `held_interrupts` raises KeyboardInterrupt now
