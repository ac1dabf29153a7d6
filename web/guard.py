"""What stands before the page: which requests reach it at all, and what a browser may do with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

API = "/gradio_api/"
UPLOAD, PROGRESS = f"{API}upload", f"{API}upload_progress"
_FILE = f"{API}file="

# All that the page asks for. Gradio answers much more: files and sites by address, its own settings, calls
# past the queue.
_PAGES = frozenset(
    (
        *("/", "/config", "/theme.css", "/favicon.ico", "/manifest.json", "/robots.txt"),
        *(f"{API}info", f"{API}queue/join", f"{API}queue/data", f"{API}startup-events"),
        *(UPLOAD, PROGRESS),
    )
)
_BELOW = ("/assets/", "/static/", f"{API}heartbeat/", _FILE)

_MAX_BODY = 2**20
"""Of what is no upload, bytes."""

_HEADERS = {
    # Nothing from other hosts, whatever a library or the name of a photo asks for.
    "Content-Security-Policy": (
        "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
        "img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; "
        "base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware around the whole server."""

    def __init__(self, app: ASGIApp, *, folder: Path, hosts: frozenset[str]) -> None:
        """
        Args:
            app: what it guards.
            folder: the only one whose files may be asked for.
            hosts: names of this server; a page of another name that resolves to it is refused. Empty: any.
        """
        self.app, self.folder, self.hosts = app, folder, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with 403, 404 or 413, or pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":
            return
        path = scope["path"]

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if path.startswith(_FILE):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        refusal = self._refuse(path, Headers(scope=scope))
        try:
            if refusal is None and scope["method"] == "POST" and path != UPLOAD:
                body = await _read(receive)
                refusal = self._refuse_body(body)
                receive = _replay(body or b"", receive)
            await (refusal or self.app)(scope, receive, answer)
        except ClientDisconnect:  # went away half-way
            return

    def _refuse(self, path: str, headers: Headers) -> PlainTextResponse | None:
        origin = headers.get("origin", "")
        host = headers.get("host", "")
        if self.hosts and urlsplit(f"//{host}").hostname not in self.hosts:
            return PlainTextResponse("this page has another address", status_code=403)
        if origin and urlsplit(origin).netloc != host:
            return PlainTextResponse("not from another page", status_code=403)
        if path not in _PAGES and not path.startswith(_BELOW):
            return PlainTextResponse("there is no such page", status_code=404)
        if path.startswith(_FILE) and not self._is_own(path.removeprefix(_FILE)):
            return PlainTextResponse("there is no such file", status_code=404)
        return None

    def _refuse_body(self, body: bytes | None) -> PlainTextResponse | None:
        if body is None:
            return PlainTextResponse("too long", status_code=413)
        try:
            paths = _paths(json.loads(body))
        except (ValueError, RecursionError):
            return PlainTextResponse("no JSON", status_code=400)
        # Gradio would fetch an address, and copy a file of its own folders.
        if all(isinstance(path, str) and self._is_own(path) for path in paths):
            return None
        return PlainTextResponse("there is no such file", status_code=404)

    def _is_own(self, path: str) -> bool:
        try:
            return Path(path).is_absolute() and Path(path).resolve().is_relative_to(self.folder)
        except (OSError, ValueError):
            return False


def _paths(value: Any) -> list[Any]:
    """What stands under the key 'path' anywhere in a JSON value."""
    if isinstance(value, dict):
        own = [value["path"]] if value.get("path") else []
        return own + [path for item in value.values() for path in _paths(item)]
    return [path for item in value for path in _paths(item)] if isinstance(value, list) else []


async def _read(receive: Receive) -> bytes | None:
    """A body, or None when it is too long."""
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > _MAX_BODY:
            return None
        if not message.get("more_body", False):
            return body


def _replay(body: bytes, receive: Receive) -> Receive:
    """A body that was read, once more, and then what else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again
