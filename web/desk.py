"""State shared by all request handlers, and parsing of a request's session, photo and settings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from starlette.requests import ClientDisconnect, Request

from core.errors import UserError
from inference.chroma import Chroma
from web.cinema import Cinema
from web.request_limits import WorkQueue, choice, length, number, save, whole_number
from web.sessions import Sessions
from web.studio import Studio
from web.upload import Upload
from web.wish import Wish

T = TypeVar("T")

MAX_PHOTOS = 50
"""Largest number of photos and clips in a session."""

_MAX_SATURATION, _MAX_VIVIDNESS = 3.0, 1.0
_MAX_WAITING = 32
MAX_SEED = 2**32 - 1
"""Largest seed, as for --sample_seed."""


class Desk:
    """State shared by the handlers. The token in the URL identifies a session, which is a folder."""

    def __init__(self, studio: Studio, sessions: Sessions, *, max_upload: int) -> None:
        """
        Args:
            max_upload: largest photo or clip, bytes.
        """
        self.studio, self.sessions, self.max_upload = studio, sessions, max_upload
        self.cinema = Cinema(studio, sessions)
        # One photo is decoded at a time.
        self.photos = WorkQueue(at_once=1, max_waiting=_MAX_WAITING)
        self.previews = WorkQueue(at_once=2, max_waiting=_MAX_WAITING)

    @property
    def max_vividness(self) -> float:
        """Upper end of the page's slider for vividness."""
        return max(_MAX_VIVIDNESS, self.studio.vividness(self.studio.first) or 0)

    @property
    def max_saturation(self) -> float:
        """Upper end of the page's slider for saturation."""
        return max(_MAX_SATURATION, self.studio.config.saturation)

    def session(self, request: Request) -> Path:
        """The folder of the session that the URL names.

        Raises:
            Gone: there is no such session.
        """
        return self.sessions.get(request.path_params["session"])

    async def receive(self, request: Request, kind: str, look: Callable[[Upload], T]) -> tuple[Upload, T]:
        """Save the body of a request, with the file name in the query; on an error it is deleted again.

        Args:
            kind: 'photo' or 'clip', for messages.
            look: decode the file, one at a time, and return what there is to say of it.
        Raises:
            Gone: there is no such session.
            UserError: the file is too large, or `look` cannot read it.
            ClientDisconnect: the client disconnected before the end.
        """
        session = self.session(request)
        size = await length(request, f"the {kind}", self.max_upload)
        with self.sessions.reserve(size):
            upload = Upload.new(session, request.query_params.get("name", ""), at_most=MAX_PHOTOS)
            try:
                await save(request, upload.file)
                return upload, await self.photos.do(request, lambda: look(upload))
            except (UserError, MemoryError, ClientDisconnect):
                upload.delete()
                raise

    def upload(self, request: Request) -> Upload:
        """The photo or clip of that session that the URL names.

        Raises:
            Gone: there is no such session, photo or clip.
        """
        return Upload.find(self.session(request), request.path_params["photo"])

    def wish(self, request: Request) -> Wish:
        """Parse how to color a photo from the query.

        Raises:
            UserError: a value is missing or out of range.
        """
        model = choice(request, "model", tuple(self.studio.choices))
        vividness = number(request, "vividness", 0, self.max_vividness)
        saturation = number(request, "saturation", 0, self.max_saturation)
        seed = whole_number(request, "seed", MAX_SEED) if "seed" in request.query_params else None
        is_plain = request.query_params.get("plain") == "true"
        return Wish(model, vividness, saturation, seed=seed, is_plain=is_plain)

    async def chroma(self, request: Request, photo: Upload, wish: Wish) -> Chroma:
        """The colours that the model predicts, from the cache if it has predicted them before."""
        known = self.studio.known(photo, wish)
        if known is not None:
            return known
        return await self.photos.do(request, lambda: self.studio.predict_chroma(photo, wish))
