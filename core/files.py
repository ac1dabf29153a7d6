"""Writing files so that nobody ever finds half of one."""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from core.errors import PlaceError, UserError

TEMPORARY = ".colorizer-*.tmp"
"""Pattern of the names that files have while they are written: what is left of them after a kill."""
_ABANDONED_S = 3600


@contextlib.contextmanager
def renamed_to(path: Path) -> Iterator[Path]:
    """A temporary neighbour to write to, which takes the name of `path` at the end of the block.

    An error in the block, a full disk, a crash or Ctrl-C leaves what stood at `path` before.
    """
    # A short name of its own: long photo names plus a suffix would pass the file system's limit.
    temporary = path.absolute().with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts`, one after the other, to `path` whole or not at all, making missing folders.

    Raises:
        PlaceError: the place cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with renamed_to(path) as temporary, open(temporary, "wb") as file:
            file.writelines(parts)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlaceError(f"cannot write {path}: {reason}; free the place or name another") from error


def remove_leftovers(folder: Path) -> None:
    """Remove what killed processes left of the files that they were writing, in a folder and below it.

    A file under way is written to all the time: what was not for an hour has nobody behind it.
    """
    for path in folder.rglob(TEMPORARY):
        with contextlib.suppress(OSError):  # another process may be as quick
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def check_writable(folder: Path) -> None:
    """Find out now, not after the work, whether files can be made in a folder.

    Raises:
        PlaceError: they cannot.
    """
    probe = folder / TEMPORARY.replace("*", "probe")
    write_bytes(probe, b"")
    probe.unlink(missing_ok=True)  # another process may have looked at the same time


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; file names that are not Unicode keep their bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


class _Lines(list[str]):
    """Rows as a csv writer makes them, each ended by a plain newline.

    The writer quotes the characters of its own line ending alone, and names may hold either.
    """

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Rows under `columns`; what a row lacks stays empty, what it has besides is left out."""
    lines = _Lines()
    writer = csv.DictWriter(lines, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(lines)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write `csv_text`, atomically."""
    write_text(path, csv_text(rows, columns))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read what `write_csv` wrote.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            return list(csv.DictReader(file))
    except (OSError, csv.Error) as error:
        raise UserError(f"cannot read {path} ({error}): restore it or start a new run") from error


def read_json(path: Path) -> Any:
    """Read what `write_json` wrote.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"cannot read {path} ({error}): restore it or start a new run") from error


def sha256(path: Path) -> str:
    """Hex SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
