"""Work folders of clips that were never finished, and that no run resumes."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from core.errors import UserError
from core.files import read_json
from core.locks import try_lock, unlock
from video.parts import JOB, STATE, WORK_FOLDER

_QUIET_S = 3600
"""Where folders cannot be locked, one not written to for so many seconds is taken to be abandoned."""


@dataclass(frozen=True)
class Remains:
    """A work folder in which no process works.

    Attributes:
        folder: where it is.
        target: the name of the clip that was to be written, or of the folder if that is not known.
        num_bytes: its size.
    """

    folder: Path
    target: str
    num_bytes: int


def sweep(folders: Iterable[Path], wanted: Collection[Path]) -> str:
    """Delete work folders without a finished part, and report the others.

    Whatever could be resumed is kept, even if the source is missing: its drive may be connected again.

    Args:
        folders: the work folders found.
        wanted: those that this command resumes.
    Returns:
        One line about those that are kept and not wanted, or ''.
    """
    found = []
    for folder in sorted(set(folders) - set(wanted)):
        remains = _inspect(folder)
        if remains and not (folder / STATE).is_file():
            shutil.rmtree(folder, ignore_errors=True)
        elif remains:
            found.append(remains)
    if not found:
        return ""
    num_mb = sum(remains.num_bytes for remains in found) / 1e6
    names = ", ".join(remains.target for remains in found)
    num = len(found)
    what = "1 clip of an earlier run is" if num == 1 else f"{num} clips of earlier runs are"
    return (
        f"{what} unfinished and not taken up, {num_mb:.1f} MB ({names}): the same settings and --overwrite "
        f"go on; else delete {', '.join(str(remains.folder) for remains in found)}"
    )


def work_folders(root: Path, *, recursive: bool) -> list[Path]:
    """The work folders in a folder and, if `recursive`, below it."""
    return list((root.rglob if recursive else root.glob)(WORK_FOLDER))


def remove(folder: Path) -> None:
    """Delete a work folder in which no process works."""
    if _inspect(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _inspect(folder: Path) -> Remains | None:
    """None if a process works in it, or it no longer exists."""
    try:
        lock = try_lock(folder)
    except OSError:
        return None
    unlock(lock)
    files = [path for path in folder.rglob("*") if path.is_file()]
    stats = []
    for path in [folder, *files]:
        with contextlib.suppress(OSError):
            stats.append(path.stat())
    if not stats or (lock is None and time.time() - max(stat.st_mtime for stat in stats) < _QUIET_S):
        return None
    return Remains(folder, _target(folder), sum(stat.st_size for stat in stats[1:]))


def _target(folder: Path) -> str:
    with contextlib.suppress(UserError, KeyError, TypeError):
        return str(read_json(folder / JOB)["target"])
    return folder.name
