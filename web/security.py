"""Security middleware: rejects requests from other sites, and sets security headers on responses."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_HEADERS = {
    # Load nothing from other hosts, and run no inline scripts, such as injected by the name of a photo.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        "media-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that, Firefox sends "Origin: null" when the page is left, which is refused below.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str]) -> None:
        """
        Args:
            app: the wrapped application.
            hosts: allowed host names, against DNS rebinding; empty: any.
        """
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Respond with 403, or pass the request on."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        if scope["type"] != "http":
            return
        # Browsers must not cache photos, and must revalidate the files of the page.
        caching = "no-store" if scope["path"].startswith("/api/") else "no-cache"

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update({**_HEADERS, "Cache-Control": caching})
            await send(message)

        try:
            await (self._refuse(Headers(scope=scope)) or self.app)(scope, receive, answer)
        except ClientDisconnect:  # before the request or the response was complete
            return

    def _refuse(self, headers: Headers) -> PlainTextResponse | None:
        origin, host = headers.get("origin", ""), headers.get("host", "")
        if self.hosts and _hostname(host) not in self.hosts:
            return PlainTextResponse("this page has another address", status_code=403)
        if origin and origin.partition("://")[2] != host:
            return PlainTextResponse("not from another page", status_code=403)
        return None


def _hostname(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:  # such as [::
        return None
