"""Where the page keeps photos: one temporary folder, a part of it for each session, deleted afterwards."""

from __future__ import annotations

import contextlib
import hmac
import os
import secrets
import shutil
import tempfile
import threading
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from core.errors import UserError

_UPLOAD, _SESSION = "upload-", "session-"
# File systems allow 255 bytes; what is made of a photo has a longer name than the photo.
_MAX_NAME = 150
_MAX_ENDING = 10


class Folder:
    """A private temporary folder.

    Nobody can guess a path in it: uploads stand under random names, sessions under a keyed hash.
    """

    def __init__(self, *, max_bytes: int, keep_seconds: float) -> None:
        """
        Args:
            max_bytes: what it may hold.
            keep_seconds: what was not used for so long is deleted.
        Raises:
            OSError: there is no place for it.
        """
        # Resolved, since Gradio compares resolved paths.
        self.path = Path(tempfile.mkdtemp(prefix="colorizer-")).resolve()
        self.max_bytes, self.keep_seconds = max_bytes, keep_seconds
        self._key = secrets.token_bytes(32)
        self._reserved, self._lock = 0, threading.Lock()

    @contextlib.contextmanager
    def reserve(self, num_bytes: int) -> Iterator[None]:
        """Keep room for what is about to be written.

        Raises:
            UserError: there is none.
        """
        held = _size(self.path)
        with self._lock:
            if held + self._reserved + num_bytes > self.max_bytes:
                raise UserError("too many photos are here just now: try again in some minutes")
            self._reserved += num_bytes
        try:
            yield
        finally:
            with self._lock:
                self._reserved -= num_bytes

    def new_upload(self, name: str) -> Path:
        """A path for a photo that somebody sends under any name at all."""
        place = self.path / f"{_UPLOAD}{secrets.token_hex(16)}"
        place.mkdir()
        return place / safe_name(name)

    def take(self, upload: Path, session: Path) -> Path:
        """Move an upload to the part of a session.

        Raises:
            UserError: it is gone, or no upload.
        """
        place = upload.parent
        if place.parent != self.path or not place.name.startswith(_UPLOAD):
            raise UserError("only photos that were uploaded can be colored: drop it again")
        try:
            return place.replace(session / place.name) / upload.name
        except OSError as error:
            raise UserError(f"{upload.name} is here no more: drop it again") from error

    def session(self, session_hash: str) -> Path:
        """The part of a session, made or marked as used."""
        place = self._part(session_hash)
        place.mkdir(exist_ok=True)
        os.utime(place)
        return place

    def forget(self, session_hash: str) -> None:
        """Delete the part of a session."""
        shutil.rmtree(self._part(session_hash), ignore_errors=True)

    def sweep(self) -> None:
        """Delete what was not used for long, such as an upload that broke off."""
        for path in self.path.iterdir():
            with contextlib.suppress(OSError):  # another thread may have deleted it
                if time.time() - path.lstat().st_mtime <= self.keep_seconds:
                    continue
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink()

    def close(self) -> None:
        """Delete all of it."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _part(self, session_hash: str) -> Path:
        return self.path / (_SESSION + hmac.digest(self._key, session_hash.encode(), "sha256").hex())


def safe_name(name: str) -> str:
    """The last part of a path as any system writes it, without what a file name must not hold."""
    name = name.replace("\\", "/").rpartition("/")[2]
    name = "".join(c for c in name if unicodedata.category(c)[0] != "C" and c not in '<>:"|?*')
    stem, dot, ending = name.strip(" .").rpartition(".")
    stem, ending = (stem, dot + ending) if dot else (ending, "")
    ending = ending[:_MAX_ENDING]
    room = _MAX_NAME - len(ending.encode())
    return (stem.encode()[:room].decode(errors="ignore") or "photo") + ending


def _size(folder: Path) -> int:
    """Bytes of the files below a folder, from which others may be deleted meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(os.path.join(place, name)).st_size
    return total
