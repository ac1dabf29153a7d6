"""Whether what is there of photos and clips that were cut short is wanted, rather than nothing."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_use = threading.Event()


@contextlib.contextmanager
def using_damaged(wanted: bool) -> Iterator[None]:
    """Within the block what is there of a damaged file is taken, if that is wanted."""
    if wanted:
        _use.set()
    try:
        yield
    finally:
        _use.clear()


def is_used() -> bool:
    """Whether what is there of a damaged file is wanted."""
    return _use.is_set()
