"""Request handlers for corrections of a photo: hints, a reference, suggested colours."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from web.desk import Desk
from web.guiding import keep_points, keep_strokes
from web.request_limits import json_body, length, number, save
from web.upload import Upload


class CorrectionHandlers:
    """The handlers of corrections."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def routes(self) -> list[Route]:
        """The routes of these handlers."""
        photo = "/api/{session}/photos/{photo}"
        return [
            Route(f"{photo}/likely", self.likely),
            Route(f"{photo}/points", self.points, methods=["PUT"]),
            Route(f"{photo}/strokes", self.strokes, methods=["PUT"]),
            Route(f"{photo}/reference", self.reference, methods=["PUT"]),
        ]

    async def points(self, request: Request) -> Response:
        """Save hints: a JSON list of points."""
        photo = self.desk.upload(request)
        points = await json_body(request)
        await self.desk.previews.do(request, lambda: keep_points(photo, points))
        return Response(status_code=204)

    async def strokes(self, request: Request) -> Response:
        """Save hints: a picture; an empty body removes it."""
        photo = self.desk.upload(request)
        limit = self.desk.studio.config.max_pixels
        return await self._keep(request, photo, lambda path: keep_strokes(photo, path, max_pixels=limit))

    async def reference(self, request: Request) -> Response:
        """Save a reference; an empty body removes it."""
        photo = self.desk.upload(request)
        return await self._keep(request, photo, lambda path: self.desk.studio.refer(photo, path))

    async def likely(self, request: Request) -> Response:
        """Respond with suggested colours for a place in the photo."""
        photo = self.desk.upload(request)
        width, height = photo.size
        x, y = (number(request, name, 0, side) for name, side in (("x", width), ("y", height)))
        place = min(x, width - 1) / width, min(y, height - 1) / height
        return JSONResponse(await self.desk.photos.do(request, lambda: self.desk.studio.likely(photo, place)))

    async def _keep(self, request: Request, photo: Upload, keep: Callable[[Path], None]) -> Response:
        """Save the body to a temporary file, pass it to `keep`, and delete it unless `keep` moved it."""
        path = photo.folder / f"received-{secrets.token_hex(8)}"
        with self.desk.sessions.reserve(await length(request, "the file", self.desk.max_upload)):
            try:
                await save(request, path)
                await self.desk.photos.do(request, lambda: keep(path))
            finally:
                path.unlink(missing_ok=True)
        return Response(status_code=204)
