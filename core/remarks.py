"""What is odd about a file that was read all the same: a line on the screen, and in short for a report."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remarks:
    """Of one file.

    Attributes:
        lines: that were written to the screen.
        short: each remark without the name of the file, in order, once.
        is_quiet: whether nothing goes to the screen.
    """

    lines: set[str] = field(default_factory=set)
    short: dict[str, None] = field(default_factory=dict)
    is_quiet: bool = False

    def __str__(self) -> str:
        return "; ".join(self.short)


_kept: ContextVar[Remarks | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def keeping_remarks(*, is_quiet: bool = False) -> Iterator[Remarks]:
    """Within the block what is remarked in this thread is kept; each line goes to the screen once.

    In a block within another the remarks are those of a part, such as a page: they do not join the others'.

    Args:
        is_quiet: nothing goes to the screen, for who begins the block shows it elsewhere.
    """
    outer = _kept.get()
    remarks = Remarks(is_quiet=is_quiet) if outer is None else Remarks(outer.lines, is_quiet=is_quiet)
    token = _kept.set(remarks)
    try:
        yield remarks
    finally:
        _kept.reset(token)


def remark(line: str, short: str) -> None:
    """Warn of something.

    Args:
        line: for the screen, with the name of the file and the flag that helps.
        short: the same for who knows the file.
    """
    kept = _kept.get()
    if kept is None or not (kept.is_quiet or line in kept.lines):
        log.warning("%s", line)
    if kept is not None:
        kept.lines.add(line)
        keep(short)


def keep(short: str) -> None:
    """Keep a remark whose line is on the screen already."""
    kept = _kept.get()
    if kept is not None:
        kept.short[short] = None
