"""What a run says while it works: lines where nobody watches a bar, JSON for programs that call this one."""

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
"""Takes what became of a file: name, status, seconds, reason."""


class ProgressLines(tqdm):
    """A bar for pipes and files: a line now and then instead of one that is drawn anew."""

    def __init__(self, total: int, **options: Any) -> None:
        self._last_line: float | None = None
        shape = "{desc}: {n_fmt} of {total_fmt} {unit}, {elapsed} so far, {remaining} left"
        super().__init__(total=total, bar_format=shape, miniters=1, file=sys.stderr, **options)

    def display(self, msg: str | None = None, pos: int | None = None) -> None:
        """Write a line where the last is long enough ago."""
        now = time.monotonic()
        if self._last_line is None:
            self._last_line = now
        elif now - self._last_line >= LINE_EVERY_S:
            self._last_line = now
            self.fp.write(f"{self}\n")
            self.fp.flush()

    def clear(self, *_: Any, **__: Any) -> None:
        """Lines that were written stay."""

    def close(self) -> None:
        """Write nothing: what comes of the work is told elsewhere."""
        self.disable = True


@contextlib.contextmanager
def telling(progress: str) -> Iterator[Tell]:
    """What tells of each file within the block.

    Args:
        progress: 'json' writes a line of JSON for each to standard output, and all else that is printed goes
            to standard error; 'auto' writes none.
    """
    if progress != "json":
        yield lambda _: None
        return
    output = sys.stdout

    def tell(values: dict[str, Any]) -> None:
        # Escaped, because names may hold what is no Unicode.
        output.write(json.dumps(values) + "\n")
        output.flush()

    with contextlib.redirect_stdout(sys.stderr):
        yield tell
