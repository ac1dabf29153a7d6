"""Where the page keeps photos: one temporary folder, a part of it for each person, deleted afterwards."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError


class Gone(UserError):
    """What is asked for was deleted, or never was."""


class Busy(UserError):
    """There is no room just now."""


class Sessions:
    """A private temporary folder with a part for each person, whose name is a secret of that person."""

    def __init__(self, *, max_bytes: int, max_sessions: int, keep_seconds: float) -> None:
        """
        Args:
            max_bytes: what the folder may hold.
            max_sessions: people at once.
            keep_seconds: the part of a person who did nothing for so long is deleted.
        Raises:
            OSError: there is no place for it.
        """
        self.path = Path(tempfile.mkdtemp(prefix="colorizer-")).resolve()
        self.max_bytes, self.max_sessions, self.keep_seconds = max_bytes, max_sessions, keep_seconds
        self._used: dict[str, float] = {}
        self._reserved, self._lock = 0, threading.Lock()

    def new(self) -> str:
        """Make room for a person; the name of that part.

        Raises:
            Busy: too many people are here.
        """
        token = secrets.token_urlsafe(24)
        with self._lock:
            if len(self._used) >= self.max_sessions:
                raise Busy("too many people are here just now: try again in some minutes")
            self._used[token] = time.monotonic()
        (self.path / token).mkdir()
        return token

    def get(self, token: str) -> Path:
        """The part of a person, marked as used.

        Raises:
            Gone: there is none of that name.
        """
        with self._lock:
            if token not in self._used:
                raise Gone("your photos are here no more: drop them again")
            self._used[token] = time.monotonic()
        return self.path / token

    def forget(self, token: str) -> None:
        """Delete the part of a person."""
        with self._lock:
            known = self._used.pop(token, None) is not None
        if known:
            shutil.rmtree(self.path / token, ignore_errors=True)

    def sweep(self) -> None:
        """Delete parts that were not used for long, and what late work wrote into parts already deleted."""
        long_ago = time.monotonic() - self.keep_seconds
        for token in [token for token, used in list(self._used.items()) if used < long_ago]:
            self.forget(token)
        for path in self.path.iterdir():
            if path.name not in self._used:
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def reserve(self, num_bytes: int) -> Iterator[None]:
        """Keep bytes of the folder free for what is about to be written, while the context lasts.

        Raises:
            Busy: there is none.
        """
        held = _size(self.path)
        with self._lock:
            if held + self._reserved + num_bytes > self.max_bytes:
                raise Busy("too many photos are here just now: try again in some minutes")
            self._reserved += num_bytes
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= num_bytes

    def close(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.path, ignore_errors=True)


def _size(folder: Path) -> int:
    """Bytes of the files below a folder; files that are deleted meanwhile count as none."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
