"""State shared by all request handlers, and parsing of a request's session, photo and settings."""

from __future__ import annotations

from pathlib import Path

from starlette.requests import Request

from inference.chroma import Chroma
from web.cinema import Cinema
from web.request_limits import WorkQueue, choice, number, whole_number
from web.sessions import Sessions
from web.studio import Studio
from web.upload import Upload
from web.wish import Wish

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
