"""Warnings about a file that could be processed: a full line for the log, a short form for reports."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Remarks:
    """The remarks on one file.

    Attributes:
        lines: remarks that were logged already.
        short: each remark once, without the name of the file, in order.
        is_quiet: whether nothing is logged.
    """

    lines: set[str] = field(default_factory=set)
    short: dict[str, None] = field(default_factory=dict)
    is_quiet: bool = False

    def __str__(self) -> str:
        return "; ".join(self.short)


_kept: ContextVar[Remarks | None] = ContextVar("kept", default=None)


@contextlib.contextmanager
def keeping_remarks(*, is_quiet: bool = False) -> Iterator[Remarks]:
    """Collect the remarks that this thread makes within the block; each line is logged once.

    A nested block collects the remarks on a part, such as a page; they are not added to the outer block's.

    Args:
        is_quiet: log nothing, since the caller shows the remarks elsewhere.
    """
    outer = _kept.get()
    remarks = Remarks(is_quiet=is_quiet) if outer is None else Remarks(outer.lines, is_quiet=is_quiet)
    token = _kept.set(remarks)
    try:
        yield remarks
    finally:
        _kept.reset(token)


def remark(line: str, short: str) -> None:
    """Log a warning, and add it to the remarks of the current block, if any.

    Args:
        line: for the log, with the name of the file and the flag that helps.
        short: the same without the name of the file.
    """
    kept = _kept.get()
    if kept is None or not (kept.is_quiet or line in kept.lines):
        log.warning("%s", line)
    if kept is not None:
        kept.lines.add(line)
        keep(short)


def keep(short: str) -> None:
    """Collect a remark without logging it, since its line is logged already."""
    kept = _kept.get()
    if kept is not None:
        kept.short[short] = None
