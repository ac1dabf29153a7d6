"""Coloring a clip: frame by frame, in parts that survive a stop, with colours that stay where they are."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from config import VERSION
from data.originals import from_array
from data.places import find_photos
from data.saving_video import CONTAINERS, check_encodable, join_parts, write_part
from data.video import SUFFIXES, Clip, ClipError, Frame, read_frames
from distributed import gather, share
from errors import UserError
from figures import progress_bar
from files import check_writable, read_json, write_bytes, write_json
from inference.chroma import apply_chroma, lightness_seen
from inference.colorizer import Colorizer
from inference.folder import Result
from inference.temporal import SteadyChroma

PART_FRAMES = 240
"""Frames of a part: what a stop loses at most. A part begins with a key frame, as every 250th would be."""


def color_clip(
    colorizer: Colorizer,
    clip: Clip,
    output: Path,
    *,
    temporal: str,
    quality: int,
    settings: Mapping[str, Any],
) -> None:
    """Color a clip; the file is there when it is whole.

    What is finished goes to a hidden folder beside it, part by part. When the same clip is asked for again
    with the same settings, the work goes on after the last whole part, to the same frames.

    Args:
        clip: the source.
        output: the file to write.
        temporal: 'steady' averages the colours along the motion; 'off' takes each frame by itself.
        quality: 1 to 100.
        settings: all that the frames depend on besides the weights and the source, as JSON values.
    Raises:
        UserError: the clip is damaged, or the place cannot be written.
    """
    check_encodable(clip, output, quality)
    check_writable(output.absolute().parent)
    work = work_folder(output)
    stat = clip.path.stat()
    job = {"clip": str(clip.path.absolute()), "bytes": stat.st_size, "changed": stat.st_mtime_ns}
    job |= {"by": colorizer.about, "version": VERSION, **settings}
    job |= {"temporal": temporal, "quality": quality}
    done = _take_up(work, job)
    try:
        parts = _color_parts(colorizer, clip, work, done, temporal, quality)
        join_parts(output, clip, parts, f"Colours inferred by {colorizer.about}")
    except ClipError:  # for which no second try will do better
        shutil.rmtree(work)
        raise
    shutil.rmtree(work)


def color_frames(
    colorizer: Colorizer, frames: Iterator[Frame], steady: SteadyChroma | None
) -> Iterator[Frame]:
    """Frames in colour, each when it is asked for.

    Args:
        colorizer: predicts their colours.
        frames: in order.
        steady: averages the colours; None: each frame by itself.
    """
    for frame in frames:
        original = from_array(frame.pixels)
        chroma = colorizer.infer(original)
        if steady is not None:
            L = lightness_seen(original, (chroma.ab.shape[-1], chroma.ab.shape[-2]))
            chroma = replace(chroma, ab=steady(L, chroma.ab))
        colored = apply_chroma(original, chroma, upsample=colorizer.upsample, saturation=colorizer.saturation)
        yield Frame(colored.pixels, frame.pts)


def work_folder(output: Path) -> Path:
    """Where the parts of a clip are until it is whole."""
    name = hashlib.sha256(output.name.encode("utf-8", "surrogateescape")).hexdigest()[:16]
    return output.absolute().with_name(f".colorizer-{name}.work")


def clips_to_color(folder: Path, output: Path, *, recursive: bool) -> list[Path]:
    """The clips of a folder, without those of an output folder inside it."""
    folder, output = folder.resolve(), output.resolve()
    paths = find_photos(folder, recursive=recursive, suffixes=SUFFIXES)
    return [path for path in paths if output not in path.parents]


def color_clips(
    color: Callable[[Path, Path], None], folder: Path, output: Path, *, recursive: bool, overwrite: bool
) -> list[Result]:
    """Color the clips of a folder one after the other, each process its share.

    They keep their names; where clips of that ending are not written, .mp4 is added. What cannot be read
    costs a line, and what is there already is skipped.

    Args:
        color: colors a clip, given the file and the one to write.
        folder: where the clips are.
        output: where they go.
        recursive: whether the folders below count too.
        overwrite: color also what is there already.
    Returns:
        One result per clip, by name, those of all processes.
    """
    folder, output = folder.resolve(), output.resolve()
    results = []
    for path in share(clips_to_color(folder, output, recursive=recursive)):
        name = path.relative_to(folder)
        target = output / name
        if path.suffix.lower() not in CONTAINERS:
            target = target.with_name(f"{target.name}.mp4")
        status, reason = "colored", ""
        if target.exists() and not overwrite:
            status = "skipped"
        else:
            try:
                color(path, target)
            except UserError as error:
                status, reason = "failed", str(error)
                print(reason, file=sys.stderr)
        results.append(Result(name.as_posix(), status, reason))
    return [result for part in gather(results) for result in part]


def _take_up(work: Path, job: Mapping[str, Any]) -> int:
    """How many parts are there from an earlier try at the same; what is there from another is deleted."""
    about = work / "job.json"
    try:
        same = read_json(about) == job
    except UserError:
        same = False
    if not same:
        shutil.rmtree(work, ignore_errors=True)
        write_json(about, job)
    done = next(number for number in itertools.count() if not _state(work, number + 1).exists())
    if done:
        print(f"going on after {done * PART_FRAMES} frames")
    return done


def _color_parts(
    colorizer: Colorizer, clip: Clip, work: Path, done: int, temporal: str, quality: int
) -> Sequence[Path]:
    """Color what is left of a clip; the parts, all of them."""
    steady = SteadyChroma(_load_state(work, done)) if temporal == "steady" else None
    start = done * PART_FRAMES
    with progress_bar("coloring", clip.num_frames, "frame") as bar:
        bar.update(start)
        frames = color_frames(colorizer, read_frames(clip, start=start), steady)
        for first in frames:
            part = itertools.chain([first], itertools.islice(frames, PART_FRAMES - 1))
            write_part(_part(work, done), clip, _counted(part, bar), quality)
            done += 1
            # The mark of a finished part, too.
            write_bytes(_state(work, done), safetensors.torch.save(steady.state if steady else {}))
    return [_part(work, number) for number in range(done)]


def _counted(frames: Iterator[Frame], bar: Any) -> Iterator[Frame]:
    for frame in frames:
        yield frame
        bar.update()


def _part(work: Path, number: int) -> Path:
    return work / f"{number:06}.nut"


def _state(work: Path, number: int) -> Path:
    """What the part of this number depends on; it is there when the part before is whole."""
    return work / f"{number:06}.safetensors"


def _load_state(work: Path, number: int) -> dict[str, Tensor]:
    return safetensors.torch.load(_state(work, number).read_bytes()) if number else {}
