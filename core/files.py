"""Write files atomically, and read the CSV and JSON files written."""

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
"""Pattern of the names of temporary files, which remain if the process is killed while writing."""
_ABANDONED_S = 3600


@contextlib.contextmanager
def renamed_to(path: Path) -> Iterator[Path]:
    """Provide a temporary file in the folder of `path`, which is renamed to `path` at the end of the block.

    After an error in the block, a full disk, a crash or Ctrl-C, `path` is unchanged.
    """
    # A short random name: a long photo name plus a suffix could exceed the file system's limit.
    temporary = path.absolute().with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        yield temporary
        with open(temporary, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_bytes(path: Path, *parts: bytes | memoryview) -> None:
    """Write `parts`, concatenated, to `path` atomically, creating missing folders.

    Raises:
        PlaceError: the path cannot be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with renamed_to(path) as temporary, open(temporary, "wb") as file:
            file.writelines(parts)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PlaceError(f"cannot write {path}: {reason}; free the place or name another") from error


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files that killed processes left in a folder and its subfolders.

    A file in use is written to continually: one that is unchanged for an hour is abandoned.
    """
    for path in folder.rglob(TEMPORARY):
        with contextlib.suppress(OSError):  # another process may remove it first
            if time.time() - path.stat().st_mtime > _ABANDONED_S:
                path.unlink()


def check_writable(folder: Path) -> None:
    """Check before the work starts that files can be created in a folder.

    Raises:
        PlaceError: the folder cannot be written.
    """
    probe = folder / TEMPORARY.replace("*", "probe")
    write_bytes(probe, b"")
    probe.unlink(missing_ok=True)  # another process may probe at the same time


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text atomically; file names that are not Unicode keep their bytes."""
    write_bytes(path, text.encode("utf-8", "surrogateescape"))


def write_json(path: Path, value: Any) -> None:
    """Write `value` as indented JSON, atomically."""
    write_text(path, json.dumps(value, indent=2) + "\n")


class _Lines(list[str]):
    r"""Rows of a csv writer, each ended by \n instead of \r\n.

    The writer quotes only the characters of its own line ending, and file names may hold \r or \n.
    """

    def write(self, line: str) -> None:
        self.append(line.removesuffix("\r\n") + "\n")


def csv_text(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """Format rows as CSV with a header of `columns`; missing values stay empty, other keys are dropped."""
    lines = _Lines()
    writer = csv.DictWriter(lines, columns, extrasaction="ignore", lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return "".join(lines)


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> None:
    """Write `csv_text`, atomically."""
    write_text(path, csv_text(rows, columns))


def read_csv(path: Path) -> list[dict[str, str]]:
    """Read a file of `write_csv`.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        with open(path, newline="", encoding="utf-8", errors="surrogateescape") as file:
            return list(csv.DictReader(file))
    except (OSError, csv.Error) as error:
        raise UserError(f"cannot read {path} ({error}): restore it or start a new run") from error


def read_json(path: Path) -> Any:
    """Read a file of `write_json`.

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
