"""The switch behind --damaged=use: whether the intact part of damaged photos and clips is used."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

_use = threading.Event()


@contextlib.contextmanager
def using_damaged(wanted: bool) -> Iterator[None]:
    """Within the block the intact part of a damaged file is used, if `wanted`."""
    if wanted:
        _use.set()
    try:
        yield
    finally:
        _use.clear()


def is_used() -> bool:
    """Whether the intact part of a damaged file is to be used."""
    return _use.is_set()
