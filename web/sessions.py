"""Storage of the page: a temporary folder with a subfolder for each session, deleted afterwards."""

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
from core.locks import try_lock, unlock

_PREFIX = "colorizer-page-"
_LOCKED_WITHIN = 60  # seconds after its creation a folder may not be locked yet


class Gone(UserError):
    """The requested session or file was deleted, or never existed."""


class Busy(UserError):
    """A limit on sessions, storage or waiting work is reached; the client may try again later."""


class Sessions:
    """A private temporary folder with a subfolder for each session, named by the session's secret token."""

    def __init__(self, *, max_bytes: int, max_sessions: int, keep_seconds: float) -> None:
        """
        Args:
            max_bytes: capacity of the folder.
            max_sessions: largest number of sessions at a time.
            keep_seconds: a session that was not used for this long is deleted.
        Raises:
            OSError: the folder cannot be created.
        """
        _remove_abandoned()
        self.path = Path(tempfile.mkdtemp(prefix=_PREFIX)).resolve()
        self._folder_lock = try_lock(self.path)
        self.max_bytes, self.max_sessions, self.keep_seconds = max_bytes, max_sessions, keep_seconds
        self._used: dict[str, float] = {}
        self._reserved, self._lock = 0, threading.Lock()

    def new(self) -> str:
        """Start a session; returns its token.

        Raises:
            Busy: there are too many sessions.
        """
        token = secrets.token_urlsafe(24)
        with self._lock:
            if len(self._used) >= self.max_sessions:
                raise Busy("too many people are here just now: try again in some minutes")
            self._used[token] = time.monotonic()
        (self.path / token).mkdir()
        return token

    def get(self, token: str) -> Path:
        """The folder of a session, which is marked as used now.

        Raises:
            Gone: there is no such session.
        """
        with self._lock:
            if token not in self._used:
                raise Gone("your files are here no more: drop them again")
            self._used[token] = time.monotonic()
        return self.path / token

    def forget(self, token: str) -> None:
        """Delete a session, if it exists."""
        with self._lock:
            known = self._used.pop(token, None) is not None
        if known:
            shutil.rmtree(self.path / token, ignore_errors=True)

    def sweep(self) -> None:
        """Delete expired sessions, what late work wrote into deleted ones, and what killed servers left."""
        _remove_abandoned()
        long_ago = time.monotonic() - self.keep_seconds
        for token in [token for token, used in list(self._used.items()) if used < long_ago]:
            self.forget(token)
        for path in self.path.iterdir():
            if path.name not in self._used:
                shutil.rmtree(path, ignore_errors=True)

    @contextlib.contextmanager
    def reserve(self, num_bytes: int) -> Iterator[None]:
        """Reserve bytes of the folder's capacity for the duration of the block.

        Raises:
            Busy: the capacity is exceeded.
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
        """Delete the folder with all sessions."""
        shutil.rmtree(self.path, ignore_errors=True)
        unlock(self._folder_lock)


def _remove_abandoned() -> None:
    """Delete what servers left that were killed: a server keeps its folder locked until it ends."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):  # locked, of somebody else, or being deleted by another server
            is_new = time.time() - folder.stat().st_mtime < _LOCKED_WITHIN
            if not is_new and (lock := try_lock(folder)) is not None:
                shutil.rmtree(folder, ignore_errors=True)
                unlock(lock)


def _size(folder: Path) -> int:
    """Total size in bytes of the files below a folder; files that are deleted meanwhile are ignored."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
