"""Coloring the clips of a folder, one after the other, each process its share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from core.distributed import gather, share
from inference.folder import Result, photos_to_color
from media.clip import SUFFIXES
from media.encode_clip import CONTAINERS, endings_for
from media.ffmpeg import ClipError


def clips_to_color(folder: Path, output: Path, *, recursive: bool) -> list[Path]:
    """The clips of a folder, without those of an output folder inside it.

    Raises:
        UserError: the originals would be written over.
    """
    return photos_to_color(folder, output, recursive=recursive, suffixes=SUFFIXES)


def color_clips(
    color: Callable[[Path, Path], None], folder: Path, output: Path, *, recursive: bool, overwrite: bool
) -> list[Result]:
    """Color the clips of a folder.

    They keep their names; where clips of that ending are not written, one that can hold the audio is added.
    What cannot be read costs a line, and what is there already is skipped.

    Args:
        color: colors a clip, given the file and the one to write.
        folder: where the clips are.
        output: where they go.
        recursive: whether the folders below count too.
        overwrite: color also what is there already.
    Returns:
        One result per clip, by name, those of all processes.
    Raises:
        UserError: a place cannot be written.
    """
    folder, output = folder.resolve(), output.resolve()
    results = []
    for path in share(clips_to_color(folder, output, recursive=recursive)):
        name = path.relative_to(folder)
        status, reason = "skipped", ""
        if overwrite or not any(target.exists() for target in _targets(output / name)):
            try:
                color(path, _target(path, output / name))
                status = "colored"
            except ClipError as error:
                status, reason = "failed", str(error)
                print(reason, file=sys.stderr)
        results.append(Result(name.as_posix(), status, reason))
    return [result for part in gather(results) for result in part]


def _targets(place: Path) -> list[Path]:
    """The files that a clip may go to."""
    if place.suffix.lower() in CONTAINERS:
        return [place]
    return [place.with_name(place.name + ending) for ending in CONTAINERS]


def _target(path: Path, place: Path) -> Path:
    targets = _targets(place)
    return targets[0] if len(targets) == 1 else place.with_name(place.name + endings_for(path)[0])
