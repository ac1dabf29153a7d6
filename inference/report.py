"""report.csv of a colored folder: the result of each file, written as soon as it is done."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from core.console import Tell
from core.distributed import barrier, world
from core.errors import PlaceError, UserError
from core.files import csv_text, read_csv, write_csv

REPORT = "report.csv"


@dataclass(frozen=True)
class Result:
    """The result of a photo or a clip.

    Attributes:
        name: path relative to the folder, with '/'.
        status: 'colored', 'skipped' because the output existed, or 'failed'.
        reason: why it failed.
        warning: remarks about the file or the colored picture, or ''.
        seconds: time that it took.
        weights, settings: with which it was colored; '' if unknown.
        series: with --album the photo whose colours it is matched to; '' if there is none.
    """

    name: str
    status: str
    reason: str = ""
    warning: str = ""
    seconds: float = 0.0
    weights: str = ""
    settings: str = ""
    series: str = ""


COLUMNS = tuple(field.name for field in fields(Result))
_OLDEST = 3  # number of columns of the first version

# Settings that older reports lack: if a row lacks one, its value is unknown.
_NOTED_LATER = ("sample_seed", "every", "deinterlace")


class Report:
    """The rows of report.csv, each appended when its file is done, so that a kill loses none.

    Of earlier runs the last row of each file is kept. Several processes append to one report.
    """

    def __init__(self, output: Path, tell: Tell) -> None:
        """
        Raises:
            UserError: the place cannot be written, or has another program's file of that name.
        """
        self._path, self._tell, self._lock = output / REPORT, tell, threading.Lock()
        self._told: set[str] = set()
        self._earlier = _read(self._path)
        barrier()  # all have read it
        if world().is_main:
            write_csv(self._path, [asdict(row) for row in self._earlier.values()], COLUMNS)
        barrier()

    def skipped(self, name: str) -> Result:
        """The result of a file whose output exists: the row of the run that made it, if it is known."""
        earlier = self._earlier.get(name, Result(name, "skipped"))
        return replace(earlier, status="skipped", reason="")

    def add(self, result: Result) -> None:
        """Record the result of a file.

        Raises:
            UserError: the place cannot be written.
        """
        row = csv_text([asdict(result)], COLUMNS).partition("\n")[2]
        data = row.encode("utf-8", "surrogateescape")
        with self._lock:
            self._say(result)
            try:
                # In one unbuffered write, so that rows of several processes do not mix.
                with open(self._path, "ab", buffering=0) as file:
                    file.write(data)
            except OSError as error:
                raise PlaceError(f"cannot write {self._path}: {error.strerror}; free the place") from error

    def finish(self, results: Iterable[Result]) -> None:
        """Rewrite the report, sorted by name; called by the main process.

        Args:
            results: of all processes.
        """
        rows = dict(self._earlier)
        for result in results:
            rows[result.name] = result
            if result.name not in self._told:
                self._say(result)
        write_csv(self._path, [asdict(rows[name]) for name in sorted(rows)], COLUMNS)

    def _say(self, result: Result) -> None:
        self._told.add(result.name)
        self._tell({key: getattr(result, key) for key in ("name", "status", "seconds", "reason", "warning")})


def warn_of_mixture(results: Iterable[Result], now: Collection[tuple[str, str]]) -> str:
    """A warning if skipped files were colored with other weights or settings than this run's.

    Args:
        results: of the run.
        now: pairs of weights and settings of the run.
    Returns:
        The warning, with what to do, or ''.
    """
    there = [result for result in results if result.status == "skipped" and result.weights]
    others = [result for result in there if not any(_is_made_by(result, *made) for made in now)]
    if not others:
        return ""
    weights = sorted({result.weights for result in others} - {weights for weights, _ in now})
    how = f"other weights ({'; '.join(weights)})" if weights else "other settings"
    return (
        f"{len(others)} files that were there were made with {how}: --overwrite colors them again, another "
        f"--output_dir keeps both; {REPORT} says which"
    )


def _is_made_by(result: Result, weights: str, settings: str) -> bool:
    """Whether a file was made with these weights and settings, as far as its row says."""
    if result.weights != weights:
        return False
    if result.settings == settings:
        return True
    try:
        noted = json.loads(result.settings)
        unknown = {name for name in _NOTED_LATER if name not in noted}
        return bool(noted == {name: v for name, v in json.loads(settings).items() if name not in unknown})
    except (ValueError, TypeError):  # no JSON, or no object
        return False


def _check_header(path: Path) -> None:
    """
    Raises:
        UserError: the file cannot be read, or its header is not that of a report.
    """
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            header = file.readline(1000).rstrip("\n")
    except OSError as error:
        raise UserError(
            f"cannot read {path} ({error.strerror}): check its rights, or move it away"
        ) from error
    # Older reports lack the columns that were added later; an empty file is taken for a new report.
    if header and header not in {",".join(COLUMNS[:num]) for num in range(_OLDEST, len(COLUMNS) + 1)}:
        raise UserError(f"{path} is not a report of this program: move it away, or name another --output_dir")


def _read(path: Path) -> dict[str, Result]:
    """The last row of each file; a row that was cut short by a kill is left out.

    Raises:
        UserError: the file is not a report of this program.
    """
    if not path.is_file():
        return {}
    _check_header(path)
    rows = {}
    try:
        for row in read_csv(path):
            values: dict[str, Any] = {key: row.get(key, "") for key in COLUMNS}
            if None not in values.values():
                rows[values["name"]] = Result(**{**values, "seconds": float(values["seconds"])})
    except (UserError, ValueError) as error:
        print(f"{path} cannot be read and starts anew ({error})", file=sys.stderr)
        return {}
    return rows
