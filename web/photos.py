"""Request handlers for sessions and photos: upload, preview, download."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from core.errors import UserError
from media.clip import SUFFIXES
from media.formats import PHOTOS
from web.desk import MAX_PHOTOS, Desk
from web.files import zip_pictures
from web.request_limits import choice, json_body
from web.sessions import Gone
from web.studio import ENDINGS
from web.upload import Upload


class PhotoHandlers:
    """The handlers of sessions and photos."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def routes(self) -> list[Route]:
        """The routes of these handlers."""
        photo = "/api/{session}/photos/{photo}"
        return [
            Route("/api/about", self.about),
            Route("/api/sessions", self.begin, methods=["POST"]),
            Route("/api/{session}/leave", self.leave, methods=["POST"]),
            Route("/api/{session}/photos", self.add, methods=["POST"]),
            Route(photo, self.delete, methods=["DELETE"]),
            Route(f"{photo}/gray", self.gray),
            Route(f"{photo}/color", self.color),
            Route(f"{photo}/doubt", self.doubt),
            Route(f"{photo}/full", self.develop, methods=["POST"]),
            Route(f"{photo}/full", self.download),
            Route("/api/{session}/zip", self.pack, methods=["POST"]),
            Route("/api/{session}/zip", self.download_zip),
        ]

    async def about(self, _: Request) -> Response:
        """Respond with the models, ranges, formats and limits that the page offers."""
        studio = self.desk.studio
        models = await anyio.to_thread.run_sync(studio.models)
        return JSONResponse(
            {
                "models": [
                    {"name": name, "vividness": own, "draws": studio.draws(name)}
                    for name, own in models.items()
                ],
                "model": studio.first,
                "saturation": studio.config.saturation,
                "max_saturation": self.desk.max_saturation,
                "max_vividness": self.desk.max_vividness,
                "suffixes": PHOTOS,
                "clip_suffixes": SUFFIXES if importlib.util.find_spec("av") else [],
                "endings": ENDINGS,
                "max_upload": self.desk.max_upload,
                "max_photos": MAX_PHOTOS,
                "keep_minutes": studio.config.keep_minutes,
            }
        )

    async def begin(self, _: Request) -> Response:
        """Start a session; responds with its token."""
        return JSONResponse({"session": self.desk.sessions.new()})

    async def leave(self, request: Request) -> Response:
        """Delete a session with all its files."""
        self.desk.sessions.forget(request.path_params["session"])
        return Response(status_code=204)

    async def add(self, request: Request) -> Response:
        """Save an uploaded photo, with the file name in the query; responds with its id, size and remarks."""
        photo, notes = await self.desk.receive(request, "photo", self.desk.studio.take)
        width, height = photo.size
        about = {"id": photo.id, "name": photo.file.name, "width": width, "height": height}
        return JSONResponse({**about, "notes": notes})

    async def delete(self, request: Request) -> Response:
        """Delete a photo."""
        self.desk.upload(request).delete()
        return Response(status_code=204)

    async def gray(self, request: Request) -> Response:
        """Send the preview without colour."""
        path = self.desk.upload(request).gray
        if not path.exists():
            raise Gone("there is no such photo: drop it again")
        return FileResponse(path)

    async def color(self, request: Request) -> Response:
        """Send the preview in colour; predictions of the network are cached."""
        photo, wish = self.desk.upload(request), self.desk.wish(request)
        chroma = await self.desk.chroma(request, photo, wish)
        content = await self.desk.previews.do(request, lambda: self.desk.studio.preview(photo, chroma, wish))
        return Response(content, media_type="image/jpeg")

    async def doubt(self, request: Request) -> Response:
        """Send the areas in which the model is unsure, as a layer for the preview."""
        photo, wish = self.desk.upload(request), self.desk.wish(request)
        content = await self.desk.photos.do(request, lambda: self.desk.studio.doubt(photo, wish))
        return Response(content, media_type="image/png")

    async def develop(self, request: Request) -> Response:
        """Write a colored photo at full size; responds with its file name."""
        photo, wish = self.desk.upload(request), self.desk.wish(request)
        ending = choice(request, "format", ENDINGS)
        chroma = await self.desk.chroma(request, photo, wish)
        with self.desk.sessions.reserve(3 * math.prod(chroma.size)):
            path = await self.desk.photos.do(
                request, lambda: self.desk.studio.develop(photo, chroma, wish, ending)
            )
        return JSONResponse({"name": path.name})

    async def download(self, request: Request) -> Response:
        """Send the file that `develop` wrote."""
        return download(self.desk.upload(request).full(choice(request, "format", ENDINGS)))

    async def pack(self, request: Request) -> Response:
        """Put the files that `develop` wrote for several photos into a zip file."""
        session, ending = self.desk.session(request), choice(request, "format", ENDINGS)
        ids = await json_body(request)
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            raise UserError("name the photos in a list")
        paths = [path for name in ids if (path := Upload.find(session, name).full(ending)).exists()]
        with self.desk.sessions.reserve(sum(path.stat().st_size for path in paths)):
            await self.desk.photos.do(request, lambda: zip_pictures(paths, session / "colorized.zip"))
        return JSONResponse({"name": "colorized.zip"})

    async def download_zip(self, request: Request) -> Response:
        """Send the file that `pack` wrote."""
        return download(self.desk.session(request) / "colorized.zip")


def download(path: Path) -> Response:
    """Send a file as a download.

    Raises:
        Gone: it does not exist.
    """
    if not path.exists():
        raise Gone("there is no such file: color it again")
    return FileResponse(path, filename=path.name)
