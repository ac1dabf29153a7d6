"""Build the web application: static files, request handlers, the security middleware, error responses."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from core.errors import UserError
from web.clips import ClipHandlers
from web.corrections import CorrectionHandlers
from web.desk import Desk
from web.photos import PhotoHandlers
from web.request_limits import TooLong
from web.security import Guard
from web.sessions import Busy, Gone, Sessions

STATIC = Path(__file__).parent / "static"

_SWEEP_SECONDS = 30
_STATUS: dict[type[Exception], int] = {Gone: 404, TooLong: 413, Busy: 503}


def build_app(desk: Desk, *, hosts: frozenset[str]) -> Starlette:
    """Build the ASGI application.

    Args:
        desk: the state that its handlers share.
        hosts: allowed host names, see `Guard`.
    """

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        task = asyncio.create_task(_sweep(desk.sessions))
        yield
        task.cancel()

    return Starlette(
        routes=[
            Route("/", lambda _: FileResponse(STATIC / "index.html")),
            Mount("/static", StaticFiles(directory=STATIC)),
            *PhotoHandlers(desk).routes(),
            *CorrectionHandlers(desk).routes(),
            *ClipHandlers(desk).routes(),
        ],
        middleware=[Middleware(Guard, hosts=hosts)],
        exception_handlers={UserError: _say, MemoryError: _say_too_large},
        lifespan=lifespan,
    )


async def _sweep(sessions: Sessions) -> None:
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        await asyncio.to_thread(sessions.sweep)


def _say(_: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, _STATUS.get(type(error), 400))


def _say_too_large(_: Request, __: Exception) -> Response:
    return JSONResponse({"error": "this photo is too large for the memory of this machine"}, 507)
