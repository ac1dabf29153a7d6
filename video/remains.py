"""What clips that were never finished leave behind: work folders that no run takes up."""

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
"""Where folders cannot be locked: one that was not written to for so long has nobody behind it."""


@dataclass(frozen=True)
class Remains:
    """A work folder in which no process works.

    Attributes:
        folder: where it is.
        target: the name of the clip that was to be, as far as it says so.
        num_bytes: that it takes.
    """

    folder: Path
    target: str
    num_bytes: int


def sweep(folders: Iterable[Path], wanted: Collection[Path]) -> str:
    """Look for work folders, delete those that hold no finished part, and say what others there are.

    Whatever a resume could use stays: also that of a source which is gone, for its drive may come back.

    Args:
        folders: of all files of a run, all that is below them; those that are there.
        wanted: work folders that the same command takes up.
    Returns:
        One line about those that stay and are not wanted, or ''.
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
    """Those of a folder and, where wanted, below it."""
    return list((root.rglob if recursive else root.glob)(WORK_FOLDER))


def remove(folder: Path) -> None:
    """Delete a work folder in which no process works."""
    if _inspect(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _inspect(folder: Path) -> Remains | None:
    """None where a process works on it, or it is gone."""
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
