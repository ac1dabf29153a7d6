"""Warnings of libraries about the file that they read, logged with the name of the file.

Pillow uses `warnings`, tifffile its logger, and the libtiff within Pillow handler functions of its own.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import re
import warnings
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from core.remarks import keep
from media.libtiff_lines import hear_libtiff

log = logging.getLogger(__name__)

_OBJECT = re.compile(r"^<[^>]*> ")  # tifffile's prefix: the object within the file
_name: ContextVar[str | None] = ContextVar("name", default=None)
_kinds: ContextVar[set[str]] = ContextVar("kinds")
"""Kinds of libtiff's warnings that were already logged for that file."""
_show = warnings.showwarning


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Within the block warnings of libraries in this thread are attributed to this file."""
    tokens = _name.set(name), _kinds.set(set())
    try:
        yield
    finally:
        _name.reset(tokens[0])
        _kinds.reset(tokens[1])


def listen() -> None:
    """Log the warnings of Pillow, which would be ignored otherwise, and those of libtiff."""
    warnings.filterwarnings("always", category=UserWarning, module=r"PIL\.")
    # About a tag with more values than it should have: nothing is lost.
    warnings.filterwarnings("ignore", "Metadata Warning", module=r"PIL\.")
    warnings.showwarning = _show_warning
    hear_libtiff(_tell_of_libtiff)


def _tell(name: str, line: str) -> None:
    _write(name, line)
    keep(line)


@functools.lru_cache(4096)
def _write(name: str, line: str) -> None:
    """Log a line only once, although a file is opened several times in a run."""
    log.warning("%s: %s", name, line)


def _tell_of_libtiff(kind: str, line: str) -> None:
    """Log only the first line of each kind for a file: a damaged fax causes hundreds."""
    name = _name.get()
    if name is None:
        log.warning("%s", line)
    elif kind not in _kinds.get():
        _kinds.get().add(kind)
        _tell(name, line)


def _show_warning(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
    name = _name.get()
    if name is None:
        _show(message, category, *where, **more)
    else:
        _tell(name, " ".join(str(message).split()).rstrip("."))


def _told(record: logging.LogRecord) -> bool:
    """A logging filter: warnings about a file are logged with its name instead."""
    name = _name.get()
    if name is not None and record.levelno >= logging.WARNING:
        _tell(name, _OBJECT.sub("", record.getMessage()))
    return name is None


for library in ("tifffile", "PIL.TiffImagePlugin"):
    logging.getLogger(library).addFilter(_told)
    logging.getLogger(library).setLevel(logging.WARNING)
