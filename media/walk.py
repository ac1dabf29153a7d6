"""The files of a folder, sorted into photos, clips and others."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from media.formats import kind_of

log = logging.getLogger(__name__)

SIDECAR = ".xmp"


@dataclass(frozen=True)
class Files:
    """The files of a folder, by name; `others` are neither photos, clips nor sidecars of these."""

    photos: list[Path]
    clips: list[Path]
    others: list[Path]

    def outside(self, folder: Path) -> Files:
        """The files that are not in a folder or below it."""
        parts = (self.photos, self.clips, self.others)
        return Files(*([path for path in part if folder not in path.parents] for part in parts))


def sort_files(root: Path, *, recursive: bool) -> Files:
    """Sort the files of a folder, and those below if `recursive`, by content; hidden ones are skipped."""
    files = Files([], [], [])
    for path in sorted(walk(root, recursive=recursive)):
        kind = kind_of(path)
        (files.photos if kind == "photo" else files.clips if kind == "clip" else files.others).append(path)
    known = {part for path in (*files.photos, *files.clips) for part in (path, path.with_suffix(""))}
    files.others[:] = [path for path in files.others if not _is_sidecar(path, known)]
    return files


def count_endings(paths: Sequence[Path]) -> str:
    """'4 files were no photos or clips: .doc 2, .xyz 1, none 1'."""
    counts = Counter(path.suffix.lower() or "none" for path in paths)
    most_first = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    endings = ", ".join(f"{ending} {num}" for ending, num in most_first)
    what = "file was no photo or clip" if len(paths) == 1 else "files were no photos or clips"
    return f"{len(paths)} {what}: {endings}"


def walk(root: Path, *, recursive: bool = True) -> Iterator[Path]:
    """Files below `root`, hidden ones left out; links to folders are followed, each folder once."""
    seen = set()
    for folder, subfolders, files in os.walk(root, followlinks=True, onerror=_warn_of_folder):
        real = os.path.realpath(folder)
        if real in seen:
            subfolders.clear()
            continue
        seen.add(real)
        subfolders[:] = sorted(s for s in subfolders if recursive and not s.startswith("."))
        yield from (Path(folder, name) for name in files if not name.startswith("."))


def _is_sidecar(path: Path, known: set[Path]) -> bool:
    """Whether a file is the sidecar of a known one: photo.jpg.xmp or photo.xmp of photo.jpg."""
    return path.suffix.lower() == SIDECAR and path.with_suffix("") in known


def _warn_of_folder(error: OSError) -> None:
    log.warning("cannot look into %s (%s): its photos are left out", error.filename, error.strerror)
