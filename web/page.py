"""The page's addresses, and what each of them answers."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from pathlib import Path

import anyio.to_thread
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from core.errors import UserError
from inference.chroma import Chroma
from media.decode import SUFFIXES
from web.asking import Line, choice, length, number, read_json, save
from web.files import pack
from web.guiding import keep_points, keep_strokes
from web.photo import Photo
from web.sessions import Gone, Sessions
from web.studio import ENDINGS, Studio, Wish

MAX_PHOTOS = 50
"""Of one person."""
_MAX_SATURATION = 3.0
_MAX_VIVIDNESS = 1.0
_MAX_JSON = 4 * 10**6
_MAX_WAITING = 32


class Page:
    """The handlers. A person is known by the token in the address, and nothing of him is kept in memory."""

    def __init__(self, studio: Studio, sessions: Sessions, *, max_upload: int) -> None:
        """
        Args:
            max_upload: of one photo, bytes.
        """
        self.studio, self.sessions, self.max_upload = studio, sessions, max_upload
        # One photo is decoded at a time.
        self.photos = Line(at_once=1, max_waiting=_MAX_WAITING)
        self.previews = Line(at_once=2, max_waiting=_MAX_WAITING)

    def routes(self) -> list[Route]:
        """Address and method -> handler."""
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
            Route(f"{photo}/likely", self.likely),
            Route(f"{photo}/points", self.points, methods=["PUT"]),
            Route(f"{photo}/strokes", self.strokes, methods=["PUT"]),
            Route(f"{photo}/reference", self.reference, methods=["PUT"]),
            Route(f"{photo}/full", self.develop, methods=["POST"]),
            Route(f"{photo}/full", self.download),
            Route("/api/{session}/zip", self.pack, methods=["POST"]),
            Route("/api/{session}/zip", self.download_zip),
        ]

    async def about(self, _: Request) -> Response:
        """What the page offers."""
        studio = self.studio
        models = await anyio.to_thread.run_sync(studio.models)
        return JSONResponse(
            {
                "models": [{"name": name, "vividness": own} for name, own in models.items()],
                "model": studio.first,
                "saturation": studio.config.saturation,
                "max_saturation": _max_saturation(studio),
                "max_vividness": _max_vividness(studio),
                "suffixes": SUFFIXES,
                "endings": ENDINGS,
                "max_upload": self.max_upload,
                "max_photos": MAX_PHOTOS,
                "keep_minutes": studio.config.keep_minutes,
            }
        )

    async def begin(self, _: Request) -> Response:
        """A part of the folder for a person."""
        return JSONResponse({"session": self.sessions.new()})

    async def leave(self, request: Request) -> Response:
        """Delete all of a person's."""
        self.sessions.forget(request.path_params["session"])
        return Response(status_code=204)

    async def add(self, request: Request) -> Response:
        """Take a photo, under the name in the query."""
        session = self._session(request)
        size = await length(request, "the photo", self.max_upload)
        with self.sessions.reserve(size):
            photo = Photo.new(session, request.query_params.get("name", ""), at_most=MAX_PHOTOS)
            try:
                await save(request, photo.upload)
                width, height = await self.photos.do(request, lambda: self.studio.take(photo))
            except (UserError, MemoryError, ClientDisconnect):
                photo.delete()
                raise
        return JSONResponse({"id": photo.id, "name": photo.upload.name, "width": width, "height": height})

    async def points(self, request: Request) -> Response:
        """Take hints: a list of points."""
        photo = self._photo(request)
        points = await read_json(request, _MAX_JSON)
        await self.previews.do(request, lambda: keep_points(photo, points))
        return Response(status_code=204)

    async def strokes(self, request: Request) -> Response:
        """Take hints: a picture, or nothing in its place."""
        photo = self._photo(request)
        return await self._keep(request, photo, lambda path: keep_strokes(photo, path))

    async def reference(self, request: Request) -> Response:
        """Take a reference, or nothing in its place."""
        photo = self._photo(request)
        return await self._keep(request, photo, lambda path: self.studio.refer(photo, path))

    async def likely(self, request: Request) -> Response:
        """Colours to suggest at a place of the photo."""
        photo = self._photo(request)
        width, height = photo.size
        x, y = (number(request, name, 0, side) for name, side in (("x", width), ("y", height)))
        place = min(x, width - 1) / width, min(y, height - 1) / height
        return JSONResponse(await self.photos.do(request, lambda: self.studio.likely(photo, place)))

    async def delete(self, request: Request) -> Response:
        """Delete a photo."""
        self._photo(request).delete()
        return Response(status_code=204)

    async def gray(self, request: Request) -> Response:
        """The preview without colour."""
        return FileResponse(self._photo(request).gray)

    async def color(self, request: Request) -> Response:
        """The preview in colour; the network is asked only for what it was not asked before."""
        photo, wish = self._photo(request), self._wish(request)
        chroma = await self._chroma(request, photo, wish)
        content = await self.previews.do(request, lambda: self.studio.preview(photo, chroma, wish))
        return Response(content, media_type="image/jpeg")

    async def doubt(self, request: Request) -> Response:
        """What the model is unsure of, as a layer for the preview."""
        photo, wish = self._photo(request), self._wish(request)
        content = await self.photos.do(request, lambda: self.studio.doubt(photo, wish))
        return Response(content, media_type="image/png")

    async def develop(self, request: Request) -> Response:
        """Write a photo at full size; its file's name."""
        photo, wish = self._photo(request), self._wish(request)
        ending = choice(request, "format", ENDINGS)
        chroma = await self._chroma(request, photo, wish)
        with self.sessions.reserve(3 * math.prod(chroma.size)):
            path = await self.photos.do(request, lambda: self.studio.develop(photo, chroma, wish, ending))
        return JSONResponse({"name": path.name})

    async def download(self, request: Request) -> Response:
        """The file that `develop` wrote."""
        return _file(self._photo(request).full(choice(request, "format", ENDINGS)))

    async def pack(self, request: Request) -> Response:
        """Put what `develop` wrote of several photos into a zip."""
        session, ending = self._session(request), choice(request, "format", ENDINGS)
        ids = await read_json(request, _MAX_JSON)
        if not isinstance(ids, list) or not all(isinstance(name, str) for name in ids):
            raise UserError("name the photos in a list")
        paths = [path for name in ids if (path := Photo.find(session, name).full(ending)).exists()]
        with self.sessions.reserve(sum(path.stat().st_size for path in paths)):
            await self.photos.do(request, lambda: pack(paths, session / "colorized.zip"))
        return JSONResponse({"name": "colorized.zip"})

    async def download_zip(self, request: Request) -> Response:
        """The file that `pack` wrote."""
        return _file(self._session(request) / "colorized.zip")

    async def _keep(self, request: Request, photo: Photo, keep: Callable[[Path], None]) -> Response:
        """Receive a file about a photo."""
        path = photo.folder / f"received-{secrets.token_hex(8)}"
        with self.sessions.reserve(await length(request, "the file", self.max_upload)):
            try:
                await save(request, path)
                await self.photos.do(request, lambda: keep(path))
            finally:
                path.unlink(missing_ok=True)
        return Response(status_code=204)

    def _session(self, request: Request) -> Path:
        return self.sessions.get(request.path_params["session"])

    def _photo(self, request: Request) -> Photo:
        return Photo.find(self._session(request), request.path_params["photo"])

    def _wish(self, request: Request) -> Wish:
        studio = self.studio
        model = choice(request, "model", tuple(studio.choices))
        vividness = number(request, "vividness", 0, _max_vividness(studio))
        saturation = number(request, "saturation", 0, _max_saturation(studio))
        return Wish(model, vividness, saturation, request.query_params.get("plain") == "true")

    async def _chroma(self, request: Request, photo: Photo, wish: Wish) -> Chroma:
        known = self.studio.known(photo, wish)
        if known is not None:
            return known
        return await self.photos.do(request, lambda: self.studio.look(photo, wish))


def _max_vividness(studio: Studio) -> float:
    return max(_MAX_VIVIDNESS, studio.vividness(studio.first) or 0)


def _max_saturation(studio: Studio) -> float:
    return max(_MAX_SATURATION, studio.config.saturation)


def _file(path: Path) -> Response:
    if not path.exists():
        raise Gone("there is no such file: color it again")
    return FileResponse(path, filename=path.name)
