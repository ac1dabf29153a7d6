"""Color clips for the page: one at a time from a short queue; each can be cancelled."""

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
from core.remarks import keeping_remarks
from inference.colorizer import Colorizer
from media.clip import Clip, open_clip
from media.encode_clip import CONTAINERS, endings_for, write_preview
from video.color_clip import Watch, color_clip
from video.own_color import with_own_colors
from web.sessions import Busy, Gone, Sessions
from web.studio import Studio, by_name
from web.upload import Upload
from web.wish import Wish

log = logging.getLogger(__name__)

_MAX_WAITING = 8
_PREVIEW_SECONDS = 2
# Bytes to reserve for a clip's finished parts and the whole colored clip, as a multiple of the upload.
_ROOM = 3
_ROOM_ASKED_EVERY = 100  # frames between two checks of the free space


class Stopped(Exception):
    """Ends the coloring of a clip that was cancelled or deleted."""


@dataclass
class QueuedClip:
    """A clip in progress or waiting in the queue.

    Attributes:
        total: number of frames.
        done: number of colored frames; None: it is waiting.
        stop: set to cancel it.
        turn: the future of its work in the thread pool.
    """

    total: int
    done: int | None = None
    stop: threading.Event = field(default_factory=threading.Event)
    turn: Future[None] | None = None


class Cinema:
    """Colors clips in a worker thread. Clips and results are files; only the queue is in memory."""

    def __init__(self, studio: Studio, sessions: Sessions) -> None:
        self._studio, self._sessions = studio, sessions
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="clips")
        self._queue: dict[Path, QueuedClip] = {}
        self._lock = threading.Lock()

    def take(self, upload: Upload) -> dict[str, Any]:
        """Read a clip, and return its upright width and height, number of frames and duration in seconds.

        Raises:
            UserError: it cannot be read.
        """
        clip = self._open(upload)
        width, height = clip.upright_size
        seconds = float(clip.num_frames / clip.rate)
        return {"width": width, "height": height, "frames": clip.num_frames, "seconds": seconds}

    def begin(self, upload: Upload, wish: Wish) -> None:
        """Add a clip to the queue.

        Raises:
            UserError: it cannot be read, or is in the queue already.
            Busy: the queue is full.
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
    ) -> Callable[[], list[str]]:
        """Make the function that colors the clip, for the worker thread; it returns remarks on the clip."""

        def color() -> list[str]:
            config = self._studio.config
            # Not .mkv for the sake of subtitles: not every browser plays that.
            output = upload.full(endings_for(clip.path, with_subtitles=False)[0])
            output.parent.mkdir(exist_ok=True)
            watch = Watch(
                lambda num: self._check(upload, queued, num),
                lambda part: write_preview(_preview(upload), clip, part),
                max(1, round(_PREVIEW_SECONDS * clip.rate)),
            )
            with keeping_remarks(is_quiet=True) as remarks:
                own = with_own_colors(clip, config.keep_color, lambda: self._check_wanted(upload, queued))
                color_clip(
                    colorizer,
                    own,
                    output,
                    temporal=config.temporal,
                    every=config.every,
                    quality=config.quality,
                    overwrite=True,  # who changes the wish means it
                    watch=watch,
                )
            return list(remarks.short)

        return color

    def progress(self, upload: Upload) -> dict[str, Any]:
        """Progress of a clip: state, done and total frames, whether there is a preview, error or notes."""
        queued, found = self._queue.get(upload.folder), {"state": "new", "done": 0, "total": 0}
        if queued is not None:
            state = "waiting" if queued.done is None else "coloring"
            found = {"state": state, "done": queued.done or 0, "total": queued.total}
        elif _outcome(upload).exists():
            found |= read_json(_outcome(upload))
        return found | {"preview": _preview(upload).exists()}

    def cancel(self, upload: Upload) -> None:
        """Cancel a clip after the current frame; finished parts are reused if it is started again."""
        with self._lock:
            queued = self._queue.get(upload.folder)
        if queued is None:
            return
        queued.stop.set()
        if queued.turn and queued.turn.cancel():  # it has not started
            self._end(upload, {"state": "cancelled"})

    def result(self, upload: Upload) -> Path | None:
        """The file of the colored clip; None if there is none."""
        places = (upload.full(ending) for ending in CONTAINERS)
        return next((path for path in places if path.exists()), None)

    def preview(self, upload: Upload) -> Path:
        """The path of the preview, which need not exist."""
        return _preview(upload)

    def close(self) -> None:
        """Cancel all clips, and wait for the worker thread."""
        for queued in list(self._queue.values()):
            queued.stop.set()
        self._pool.shutdown(cancel_futures=True)

    def _work(self, upload: Upload, queued: QueuedClip, color: Callable[[], list[str]]) -> None:
        outcome: dict[str, Any] = {"state": "done"}
        try:
            self._check(upload, queued, 0)
            with self._sessions.reserve(_ROOM * upload.file.stat().st_size):
                if notes := color():
                    outcome["notes"] = notes
        except Stopped:
            outcome = {"state": "cancelled"}
        except UserError as error:
            outcome = {"state": "failed", "error": str(by_name(error, upload.folder / "full"))}
        except Exception as error:  # the page waits for a result; a traceback must not reach it
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
            else:  # deleted meanwhile: remove files that were written since
                upload.delete()
        finally:
            with self._lock:
                del self._queue[upload.folder]

    def _check(self, upload: Upload, queued: QueuedClip, num: int) -> None:
        """Record `num` finished frames, and check whether to go on.

        Raises:
            Stopped: the clip was deleted or cancelled.
            Busy: the sessions' folder is full.
        """
        self._check_wanted(upload, queued)
        queued.done = num
        if num % _ROOM_ASKED_EVERY == 0:
            with self._sessions.reserve(0):
                pass

    def _check_wanted(self, upload: Upload, queued: QueuedClip) -> None:
        """
        Raises:
            Stopped: the clip was deleted or cancelled.
        """
        if queued.stop.is_set() or not _is_here(upload):
            raise Stopped

    def _open(self, upload: Upload) -> Clip:
        path = upload.file
        try:
            return open_clip(path, max_pixels=self._studio.config.max_pixels)
        except UserError as error:
            raise by_name(error, path) from error


def _outcome(upload: Upload) -> Path:
    """The JSON file of the clip's final state."""
    return upload.folder / "outcome.json"


def _preview(upload: Upload) -> Path:
    """The file of the clip's first seconds in colour."""
    return upload.folder / "preview.mp4"


def _is_here(upload: Upload) -> bool:
    try:
        return upload.file.exists()
    except Gone:
        return False
