"""The serve mode: a web page that colors photos and clips, in place of the command line."""

from __future__ import annotations

import contextlib
import importlib.util
import ipaddress
import signal
import socket
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from checkpoint.file import LoadedModel
from config import Config
from core.distributed import world
from core.errors import UserError
from core.extras import installing
from inference.weights import choose_weights, describe
from web.sessions import Sessions

if TYPE_CHECKING:
    from starlette.applications import Starlette

_UPLOADS_KEPT = 20
"""Capacity of the sessions' folder, as a multiple of the largest upload."""
_MAX_SESSIONS = 32
_MAX_CONNECTIONS = 256


def run(config: Config) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        UserError: a package is missing, there are no weights, or the address cannot be bound.
        KeyboardInterrupt: Ctrl-C or SIGTERM.
    """
    for package in ("starlette", "uvicorn"):
        if importlib.util.find_spec(package) is None:
            raise UserError(f"--mode=serve needs {package}: {installing('web')}")
    loaded, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, loaded.model))
        print(f"would serve http://{config.host}:{config.port}")
        return 0
    if world().is_main:
        _serve(config, loaded)
    return 0


def _serve(config: Config, loaded: LoadedModel) -> None:
    with (
        contextlib.closing(_listen(config)) as listener,
        contextlib.closing(
            Sessions(
                max_bytes=_UPLOADS_KEPT * config.max_upload * 10**6,
                max_sessions=_MAX_SESSIONS,
                keep_seconds=60 * config.keep_minutes,
            )
        ) as sessions,
    ):
        from web.app import build_app
        from web.desk import Desk
        from web.studio import Studio

        desk = Desk(Studio(config, loaded), sessions, max_upload=config.max_upload * 10**6)
        app = build_app(desk, hosts=_names(config.host))
        for number in (signal.SIGINT, signal.SIGTERM):  # so that either deletes the sessions' folder
            signal.signal(number, _interrupt)
        host = f"[{config.host}]" if ":" in config.host else config.host
        print(f"http://{host}:{listener.getsockname()[1]} (Ctrl-C ends)", flush=True)
        with contextlib.closing(desk.cinema):
            _answer(app, listener)


def _answer(app: Starlette, listener: socket.socket) -> None:
    """Serve requests until a signal."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="critical",
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=1,
        server_header=False,
        ws="none",
    )
    uvicorn.Server(config).run(sockets=[listener])


def _listen(config: Config) -> socket.socket:
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((config.host, config.port), family=family)
    except (OSError, UnicodeError) as error:  # UnicodeError: no host name, such as "a..b"
        reason = getattr(error, "strerror", None) or str(error)
        raise UserError(
            f"cannot serve at {config.host}:{config.port} ({reason}): name another --port or --host"
        ) from error


def _names(host: str) -> frozenset[str]:
    """Host names that requests may use: only loopback names for a loopback address, else any (empty)."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    return frozenset(("localhost", "127.0.0.1", "::1", host)) if is_loopback else frozenset()


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
