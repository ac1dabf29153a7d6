"""What the page does with clips: one is colored at a time, a few wait in a queue, and each may be stopped."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.device import is_out_of_memory
from core.errors import UserError
from core.files import read_json, write_json
from inference.colorizer import Colorizer
from media.clip import Clip, open_clip
from media.encode_clip import CONTAINERS, endings_for, write_preview
from video.color_clip import Watch, color_clip
from web.sessions import Busy, Gone, Sessions
from web.studio import Studio, by_name
from web.upload import Upload
from web.wish import Wish

log = logging.getLogger(__name__)

_MAX_WAITING = 8
_PREVIEW_SECONDS = 2
# Bytes to reserve for a clip's finished parts and for the colored whole, as a multiple of the upload.
_ROOM = 3
_ROOM_ASKED_EVERY = 100  # frames


class Stopped(Exception):
    """The clip was cancelled or deleted: its coloring ends here."""


@dataclass
class QueuedClip:
    """A clip that is colored or waits for it.

    Attributes:
        total: frames of the clip.
        done: frames that are colored; None: it waits.
        stop: set when it is to end.
        turn: its place in the queue.
    """

    total: int
    done: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    turn: Future[None] | None = None


class Cinema:
    """Colors clips in a thread of its own. Clips are files, as photos are; only the queue is in memory."""

    def __init__(self, studio: Studio, sessions: Sessions) -> None:
        self._studio, self._sessions = studio, sessions
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clips")
        self._queue: dict[Path, QueuedClip] = {}
        self._lock = threading.Lock()

    def take(self, upload: Upload) -> dict[str, Any]:
        """Look through a clip, and say its size as it is shown, its frames and its seconds.

        Raises:
            UserError: it cannot be read.
        """
        clip = self._open(upload)
        width, height = clip.upright_size
        seconds = float(clip.num_frames / clip.rate)
        return {"width": width, "height": height, "frames": clip.num_frames, "seconds": seconds}

    def begin(self, upload: Upload, wish: Wish) -> None:
        """Color a clip as soon as those before it are done.

        Raises:
            UserError: it cannot be read, or is being colored.
            Busy: too many wait.
        """
        clip, colorizer = self._open(upload), self._studio.colorizer(wish)
        queued = QueuedClip(clip.num_frames)
        with self._lock:
            if upload.folder in self._queue:
                raise UserError("this clip is being colored: cancel that first")
            if len(self._queue) > _MAX_WAITING:
                raise Busy("too many clips wait here just now: try again in some minutes")
            self._queue[upload.folder] = queued
            _outcome(upload).unlink(missing_ok=True)
            _preview(upload).unlink(missing_ok=True)
            queued.turn = self._pool.submit(
                self._work, upload, queued, self._color_of(upload, clip, colorizer, queued)
            )

    def _color_of(
        self, upload: Upload, clip: Clip, colorizer: Colorizer, queued: QueuedClip
    ) -> Callable[[], None]:
        """The work itself, to be called when it is the clip's turn."""

        def color() -> None:
            config = self._studio.config
            output = upload.full(endings_for(clip.path)[0])
            output.parent.mkdir(exist_ok=True)
            watch = Watch(
                lambda num: self._check(upload, queued, num),
                lambda part: write_preview(_preview(upload), clip, part),
                max(1, round(_PREVIEW_SECONDS * clip.rate)),
            )
            color_clip(
                colorizer,
                clip,
                output,
                temporal=config.temporal,
                every=config.every,
                quality=config.quality,
                watch=watch,
            )

        return color

    def progress(self, upload: Upload) -> dict[str, Any]:
        """How far a clip is: state, frames that are done, all, whether there is a preview, name, error."""
        queued, found = self._queue.get(upload.folder), {"state": "new", "done": 0, "total": 0}
        if queued is not None:
            state = "waiting" if queued.done is None else "coloring"
            found = {"state": state, "done": queued.done or 0, "total": queued.total}
        elif _outcome(upload).exists():
            found |= read_json(_outcome(upload))
        return found | {"preview": _preview(upload).exists()}

    def cancel(self, upload: Upload) -> None:
        """Stop a clip after the frame that it is at; what is finished is taken up when it is begun again."""
        with self._lock:
            queued = self._queue.get(upload.folder)
        if queued is None:
            return
        queued.stop.set()
        if queued.turn and queued.turn.cancel():  # it has not begun
            self._end(upload, {"state": "cancelled"})

    def result(self, upload: Upload) -> Path | None:
        """The colored clip."""
        places = (upload.full(ending) for ending in CONTAINERS)
        return next((path for path in places if path.exists()), None)

    def preview(self, upload: Upload) -> Path:
        """Where its first seconds are."""
        return _preview(upload)

    def close(self) -> None:
        """Stop all of them."""
        for queued in list(self._queue.values()):
            queued.stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _work(self, upload: Upload, queued: QueuedClip, color: Callable[[], None]) -> None:
        outcome: dict[str, Any] = {"state": "done"}
        try:
            self._check(upload, queued, 0)
            with self._sessions.reserve(_ROOM * upload.file.stat().st_size):
                color()
        except Stopped:
            outcome = {"state": "cancelled"}
        except UserError as error:
            outcome = {"state": "failed", "error": str(by_name(error, upload.folder / "full"))}
        except Exception as error:  # whatever it is, somebody waits for an answer, and no traceback goes out
            line = "something went wrong at the server: try again"
            if isinstance(error, (MemoryError, RuntimeError)) and is_out_of_memory(error):
                line = "this clip is too large for the memory of this machine"
            outcome = {"state": "failed", "error": line}
            log.warning("a clip failed: %r", error)
        finally:
            self._end(upload, outcome)

    def _end(self, upload: Upload, outcome: dict[str, Any]) -> None:
        try:
            if _is_here(upload):
                write_json(_outcome(upload), outcome)
            else:  # what it wrote after it was deleted
                upload.delete()
        finally:
            with self._lock:
                del self._queue[upload.folder]

    def _check(self, upload: Upload, queued: QueuedClip, num: int) -> None:
        """
        Raises:
            Stopped: the clip was deleted or cancelled.
            Busy: there is no room for it.
        """
        if queued.stop.is_set() or not _is_here(upload):
            raise Stopped
        queued.done = num
        if num % _ROOM_ASKED_EVERY == 0:
            with self._sessions.reserve(0):
                pass

    def _open(self, upload: Upload) -> Clip:
        path = upload.file
        try:
            return open_clip(path, max_pixels=self._studio.config.max_pixels)
        except UserError as error:
            raise by_name(error, path) from error


def _outcome(upload: Upload) -> Path:
    """How it ended, as JSON."""
    return upload.folder / "outcome.json"


def _preview(upload: Upload) -> Path:
    """Its first seconds in colour."""
    return upload.folder / "preview.mp4"


def _is_here(upload: Upload) -> bool:
    try:
        return upload.file.exists()
    except Gone:
        return False
