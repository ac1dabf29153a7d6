"""Validate requests: query values within ranges, bodies within size limits; and queue their work."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anyio
import anyio.to_thread
from starlette.requests import ClientDisconnect, Request

from core.errors import UserError
from web.sessions import Busy

T = TypeVar("T")

_MAX_JSON = 4 * 10**6  # bytes


class TooLong(UserError):
    """A request body is larger than allowed."""


def number(request: Request, name: str, low: float, high: float) -> float:
    """Parse a number of the query.

    Raises:
        UserError: it is missing, no number, or out of range.
    """
    text = request.query_params.get(name, "")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise UserError(f"{name} must be a number from {low:g} to {high:g}")
    return value


def whole_number(request: Request, name: str, high: int) -> int:
    """Parse an integer of the query, in [0, high].

    Raises:
        UserError: it is missing, no integer, or out of range.
    """
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(high)) and int(text) <= high):
        raise UserError(f"{name} must be a whole number from 0 to {high}")
    return int(text)


def choice(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """Parse a value of the query that must be one of `choices`.

    Raises:
        UserError: it is missing, or none of them.
    """
    value = request.query_params.get(name, "")
    if value not in choices:
        raise UserError(f"{name} must be one of {', '.join(choices)}")
    return value


async def length(request: Request, name: str, max_bytes: int) -> int:
    """Size of a body in bytes by its Content-Length, which the server enforces.

    Raises:
        TooLong: it exceeds the limit. This is raised after the whole body was received, because a browser
            reads no response before it has sent everything.
        UserError: there is no valid Content-Length.
    """
    text = request.headers.get("content-length", "")
    if not (text.isascii() and text.isdecimal()):
        raise UserError("the length of what is sent must be given")
    if int(text) > max_bytes:
        async for _ in request.stream():
            pass
        raise TooLong(f"{name} has more than {max_bytes / 10**6:g} MB: use a smaller file")
    return int(text)


async def save(request: Request, path: Path) -> None:
    """Stream a body to a file.

    Raises:
        Busy: the file cannot be written, such as on a full disk.
        ClientDisconnect: the client disconnected before the end.
    """
    try:
        with open(path, "wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
    except OSError as error:
        raise Busy(f"there is no room ({error.strerror}): try again later") from error


async def json_body(request: Request) -> Any:
    """Parse a body as JSON.

    Raises:
        TooLong: it has more than 4 MB.
        UserError: it is no JSON.
    """
    await length(request, "the list", _MAX_JSON)
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise UserError("this is no JSON") from error


class WorkQueue:
    """A queue for work that takes much memory: limits concurrent work, however many clients there are."""

    def __init__(self, *, at_once: int, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self._turn = anyio.Semaphore(at_once)

    async def do(self, request: Request, work: Callable[[], T]) -> T:
        """Wait for a free slot, and run `work` in a thread.

        Raises:
            Busy: the queue is full.
            ClientDisconnect: the client disconnected while waiting.
        """
        if self._turn.statistics().tasks_waiting >= self.max_waiting:
            raise Busy("too many photos wait here just now: try again in some minutes")
        async with self._turn:
            if await request.is_disconnected():
                raise ClientDisconnect
            return await anyio.to_thread.run_sync(work)
