"""Progress output: log lines if standard error is no terminal, JSON lines for programs that call this one."""

from __future__ import annotations

import contextlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from tqdm import tqdm

LINE_EVERY_S = 30.0

Tell = Callable[[dict[str, Any]], None]
"""Reports the result of one file: name, status, seconds, reason."""


class ProgressLines(tqdm):
    """A progress bar for pipes and files: prints a new line periodically instead of redrawing one."""

    def __init__(self, total: int, **options: Any) -> None:
        self._last_line: float | None = None
        shape = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} so far, {remaining} left"
        super().__init__(total=total, bar_format=shape, miniters=1, file=sys.stderr, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write a line if the last one was written at least `LINE_EVERY_S` ago."""
        now = time.monotonic()
        if self._last_line is None:
            self._last_line = now
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self.fp.write(f"{self}\n")
            self.fp.flush()

    def clear(self, *_: Any, **__: Any) -> None:
        """Do nothing: lines already written cannot be erased."""

    def close(self) -> None:
        """Write nothing: the result is reported elsewhere."""
        self.disable = True


@contextlib.contextmanager
def telling(progress: str) -> Iterator[Tell]:
    """Provide the function that reports each file within the block.

    Args:
        progress: 'json' writes one line of JSON per file to standard output, and redirects all other output
            to standard error; 'auto' writes none.
    """
    if progress != "json":
        yield lambda _: None
        return
    output = sys.stdout

    def tell(values: dict[str, Any]) -> None:
        # json.dumps escapes non-ASCII: file names may hold bytes that are not valid Unicode.
        output.write(json.dumps(values) + "\n")
        output.flush()

    with contextlib.redirect_stdout(sys.stderr):
        yield tell
