"""Receiving photos: limited in size, written as they come, nothing left of an upload that breaks off."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from core.errors import UserError
from web.folder import Folder

MAX_PHOTOS = 50
"""Photos of one session, and of one upload."""


def receiver(folder: Folder, max_bytes: int) -> Callable[[Request], Coroutine[Any, Any, Response]]:
    """The handler of uploads, in the place of Gradio's own.

    That keeps files under the hash of what they hold, where two people with the same photo share one
    file, and leaves half of one when a client goes away.

    Args:
        folder: where photos go.
        max_bytes: of one upload.
    Returns:
        A handler that takes the form that Gradio's page sends and answers with the paths.
    """

    async def receive(request: Request) -> Response:
        length = request.headers.get("content-length", "")
        if not length.isdecimal():  # with it the server itself makes sure that no more comes
            return PlainTextResponse("the length of an upload must be given", status_code=411)
        try:
            if int(length) > max_bytes:
                limit = f"more than {max_bytes // 10**6} MB at once"
                return await _refuse(request, 413, f"{limit}: drop fewer or smaller photos")
            with folder.reserve(int(length)):
                return JSONResponse(await _store(request, folder))
        except UserError as error:
            return await _refuse(request, 503, str(error))
        except OSError as error:
            return PlainTextResponse(f"there is no room ({error.strerror})", status_code=507)

    return receive


async def no_progress(_: Request) -> Response:
    """What the page asks while it uploads; it waits for the upload itself either way."""
    return Response(media_type="text/event-stream")


async def _refuse(request: Request, status: int, reason: str) -> Response:
    """Say no when all has come: a browser reads no answer before it has sent everything."""
    async for _ in request.stream():
        pass
    return PlainTextResponse(reason, status_code=status)


async def _store(request: Request, folder: Folder) -> list[str]:
    paths = []
    # Parts are kept in files that have no name and end with the request.
    async with request.form(max_files=MAX_PHOTOS, max_fields=8, max_part_size=2**16) as form:
        for part in form.getlist("files"):
            if isinstance(part, UploadFile):
                path = folder.new_upload(part.filename or "")
                await run_in_threadpool(_copy, part, path)
                paths.append(str(path))
    return paths


def _copy(part: UploadFile, path: Path) -> None:
    with open(path, "wb") as file:
        shutil.copyfileobj(part.file, file)
