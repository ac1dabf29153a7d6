"""What a request asks for: its values within their ranges, its body within a limit, its turn in the line."""

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
    """A body beyond its limit."""


def number(request: Request, name: str, low: float, high: float) -> float:
    """A number of the query.

    Raises:
        UserError: there is none of that name, or it is out of range.
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
    """A whole number of the query, from 0 on.

    Raises:
        UserError: there is none of that name, or it is out of range.
    """
    text = request.query_params.get(name, "")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(high)) and int(text) <= high):
        raise UserError(f"{name} must be a whole number from 0 to {high}")
    return int(text)


def choice(request: Request, name: str, choices: tuple[str, ...]) -> str:
    """One of several words of the query.

    Raises:
        UserError: there is none of that name, or it is another.
    """
    value = request.query_params.get(name, "")
    if value not in choices:
        raise UserError(f"{name} must be one of {', '.join(choices)}")
    return value


async def length(request: Request, name: str, max_bytes: int) -> int:
    """How many bytes a body has, as its header says; the server itself makes sure that no more comes.

    Raises:
        TooLong: it is beyond the limit. This is raised when all of the body has come: a browser reads no
            answer before it has sent everything.
        UserError: the header says nothing.
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
    """Write a body to a file as it comes.

    Raises:
        Busy: there is no room on the disk.
        ClientDisconnect: whoever sends it went away half-way.
    """
    try:
        with open(path, "wb") as file:
            async for chunk in request.stream():
                file.write(chunk)
    except OSError as error:
        raise Busy(f"there is no room ({error.strerror}): try again later") from error


async def json_body(request: Request) -> Any:
    """A body as JSON.

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
    """A queue for work that takes memory: few pieces are worked on at once, however many people are here."""

    def __init__(self, *, at_once: int, max_waiting: int) -> None:
        self.max_waiting = max_waiting
        self._turn = anyio.Semaphore(at_once)

    async def do(self, request: Request, work: Callable[[], T]) -> T:
        """Wait for a turn, and work in a thread.

        Raises:
            Busy: too many wait already.
            ClientDisconnect: when the turn comes, whoever asked is gone.
        """
        if self._turn.statistics().tasks_waiting >= self.max_waiting:
            raise Busy("too many photos wait here just now: try again in some minutes")
        async with self._turn:
            if await request.is_disconnected():
                raise ClientDisconnect
            return await anyio.to_thread.run_sync(work)
