"""Request handlers for clips: upload, color, show progress, download."""

from __future__ import annotations

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from web.desk import Desk
from web.photos import download
from web.sessions import Gone


class ClipHandlers:
    """The handlers of clips."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def routes(self) -> list[Route]:
        """The routes of these handlers."""
        clip = "/api/{session}/clips/{photo}"
        return [
            Route("/api/{session}/clips", self.add, methods=["POST"]),
            Route(clip, self.delete, methods=["DELETE"]),
            Route(f"{clip}/color", self.begin, methods=["POST"]),
            Route(f"{clip}/progress", self.progress),
            Route(f"{clip}/cancel", self.cancel, methods=["POST"]),
            Route(f"{clip}/preview", self.preview),
            Route(f"{clip}/full", self.full),
            Route(f"{clip}/download", self.download),
        ]

    async def add(self, request: Request) -> Response:
        """Save an uploaded clip, with the file name in the query; responds with its id and properties."""
        clip, about = await self.desk.receive(request, "clip", self.desk.cinema.take)
        return JSONResponse({"id": clip.id, "name": clip.file.name, **about})

    async def delete(self, request: Request) -> Response:
        """Delete a clip, and cancel its coloring."""
        clip = self.desk.upload(request)
        self.desk.cinema.cancel(clip)
        clip.delete()
        return Response(status_code=204)

    async def begin(self, request: Request) -> Response:
        """Start coloring a clip; responds at once (202)."""
        clip, wish = self.desk.upload(request), self.desk.wish(request)
        await anyio.to_thread.run_sync(lambda: self.desk.cinema.begin(clip, wish))
        return Response(status_code=202)

    async def progress(self, request: Request) -> Response:
        """Respond with the progress of a clip, see `Cinema.progress`."""
        return JSONResponse(self.desk.cinema.progress(self.desk.upload(request)))

    async def cancel(self, request: Request) -> Response:
        """Cancel the coloring of a clip."""
        self.desk.cinema.cancel(self.desk.upload(request))
        return Response(status_code=204)

    async def preview(self, request: Request) -> Response:
        """Send the colored first seconds, to play on the page."""
        path = self.desk.cinema.preview(self.desk.upload(request))
        if not path.exists():
            raise Gone("there is no preview yet")
        return FileResponse(path)

    async def full(self, request: Request) -> Response:
        """Send the colored clip, to play on the page."""
        path = self.desk.cinema.result(self.desk.upload(request))
        if path is None:
            raise Gone("there is no such file: color it again")
        return FileResponse(path)

    async def download(self, request: Request) -> Response:
        """Send the colored clip as a download."""
        clip = self.desk.upload(request)
        return download(self.desk.cinema.result(clip) or clip.full(".mp4"))
