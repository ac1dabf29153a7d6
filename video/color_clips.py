"""Color the clips of a folder, one after the other; several processes share them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from core.distributed import gather, share, world
from core.errors import UserError
from inference.folder import Color, FolderJob, clip_targets
from inference.report import Result
from media.encode_clip import endings_for
from video.parts import work_folder
from video.remains import remove


def color_clips(color: Color, paths: Sequence[Path], job: FolderJob) -> list[Result]:
    """Color the clips of a folder.

    They keep their names; if clips of that ending are not written, the ending of a container that can hold
    the subtitles and the audio is added. A clip that cannot be read or written is reported in one line; one
    that is there already is skipped.

    Args:
        color: colors one clip.
        paths: of all clips.
        job: where they go.
    Returns:
        One result per clip, of all processes.
    Raises:
        UserError: a place cannot be written.
    """

    def color_to_its_container(path: Path, place: Path) -> None:
        targets = clip_targets(place)
        ending = "" if len(targets) == 1 else endings_for(path)[0]
        color(path, place.with_name(place.name + ending))

    results = []
    for path in share(paths):
        place = job.output / path.relative_to(job.folder)
        is_there = any(target.exists() for target in clip_targets(place))
        result = job.run(color_to_its_container, path, target=place, is_there=is_there)
        if job.overwrite and result.status == "colored":
            for target in clip_targets(place):  # left by an earlier run with another container
                remove(work_folder(target))
        if result.reason:
            print(result.reason, file=sys.stderr)
        results.append(result)
    return [result for part in gather(results) for result in part]


def leave_out_clips(paths: Sequence[Path], job: FolderJob, error: UserError) -> list[Result]:
    """Report all clips as failed for the same reason, which is printed once."""
    if paths and world().is_main:
        print(f"{len(paths)} clips are left out: {error}", file=sys.stderr)
    results = [Result(path.relative_to(job.folder).as_posix(), "failed", str(error)) for path in share(paths)]
    for result in results:
        job.report.add(result)
    return [result for part in gather(results) for result in part]
