"""What libraries say of a file while they read it, told with the file's name.

Pillow speaks by `warnings`, tifffile by its logger, libtiff within Pillow by functions of its own.
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

_OBJECT = re.compile(r"^<[^>]*> ")  # of tifffile, in which it found something
_name: ContextVar[str | None] = ContextVar("name", default=None)
_kinds: ContextVar[set[str]] = ContextVar("kinds")
"""What libtiff has said of that file."""
_show = warnings.showwarning


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Within the block what libraries say in this thread is of this file."""
    tokens = _name.set(name), _kinds.set(set())
    try:
        yield
    finally:
        _name.reset(tokens[0])
        _kinds.reset(tokens[1])


def listen() -> None:
    """Let the program tell what Pillow warns of, which is ignored like all warnings else, and libtiff."""
    warnings.filterwarnings("always", category=UserWarning, module=r"PIL\.")
    # Of a tag that holds more than it should, from which nothing is lost.
    warnings.filterwarnings("ignore", "Metadata Warning", module=r"PIL\.")
    warnings.showwarning = _show_warning
    hear_libtiff(_tell_of_libtiff)


def _tell(name: str, line: str) -> None:
    _write(name, line)
    keep(line)


@functools.lru_cache(4096)
def _write(name: str, line: str) -> None:
    """Tell a line once, though a file is opened several times on its way."""
    log.warning("%s: %s", name, line)


def _tell_of_libtiff(kind: str, line: str) -> None:
    """Tell the first line of a kind in a file: a damaged fax has hundreds."""
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
    """A filter: what is of a file is told here instead."""
    name = _name.get()
    if name is not None and record.levelno >= logging.WARNING:
        _tell(name, _OBJECT.sub("", record.getMessage()))
    return name is None


for library in ("tifffile", "PIL.TiffImagePlugin"):
    logging.getLogger(library).addFilter(_told)
    logging.getLogger(library).setLevel(logging.WARNING)
