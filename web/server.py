"""The serve mode: a page for people who would rather drop a photo than type a command."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import ipaddress
import os
import signal
import socket
from collections.abc import AsyncIterator
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from checkpoint.file import LoadedModel
from config import Config
from core.distributed import world
from core.errors import UserError
from inference.weights import choose_weights, describe
from web.folder import Folder

if TYPE_CHECKING:
    from fastapi import FastAPI
    from gradio import Blocks

_UPLOADS_KEPT = 20
"""The folder may hold so many times the largest upload."""
_SWEEP_SECONDS = 30
_MAX_CONNECTIONS = 256


def run(config: Config) -> int:
    """Serve the page until Ctrl-C.

    Raises:
        UserError: a package is missing, there are no weights, or the address cannot be had.
        KeyboardInterrupt: Ctrl-C, or a signal to end.
    """
    if importlib.util.find_spec("gradio") is None:
        raise UserError("--mode=serve needs Gradio: pip install '.[web]'")
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        print(f"would serve http://{config.host}:{config.port}")
        return 0
    if world().is_main:
        _serve(config, weights)
    return 0


def _serve(config: Config, weights: LoadedModel) -> None:
    with (
        contextlib.closing(_listen(config)) as listener,
        contextlib.closing(
            Folder(max_bytes=_UPLOADS_KEPT * config.max_upload * 10**6, keep_seconds=60 * config.keep_minutes)
        ) as folder,
    ):
        # Gradio reads these when it is imported.
        os.environ |= {
            "GRADIO_TEMP_DIR": str(folder.path),
            "GRADIO_EXAMPLES_CACHE": str(folder.path / "examples"),  # served too, wherever it is
            "GRADIO_ANALYTICS_ENABLED": "False",
            "HF_HUB_OFFLINE": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
        }
        import uvicorn

        app = build_app(config, weights, folder)
        for number in (signal.SIGINT, signal.SIGTERM):  # so that the folder goes whichever ends it
            signal.signal(number, _interrupt)
        host = f"[{config.host}]" if ":" in config.host else config.host
        print(f"http://{host}:{listener.getsockname()[1]} (Ctrl-C ends)", flush=True)
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_level="critical",
                limit_concurrency=_MAX_CONNECTIONS,
                timeout_graceful_shutdown=1,
                server_header=False,
                ws="none",
            )
        )
        server.run(sockets=[listener])


def build_app(config: Config, weights: LoadedModel, folder: Folder) -> FastAPI:
    """The server: the guard, the uploads, and the page behind them."""
    import gradio as gr
    from fastapi import FastAPI

    from web.guard import PROGRESS, UPLOAD, Guard
    from web.page import APPEARANCE, Page
    from web.studio import Studio
    from web.uploads import no_progress, receiver

    page = Page(Studio(config, weights), folder)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_sweep(folder, page.blocks))
        yield
        task.cancel()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    max_bytes = config.max_upload * 10**6
    app.add_api_route(UPLOAD, receiver(folder, max_bytes), methods=["POST"])
    app.add_api_route(PROGRESS, no_progress)
    app.add_middleware(Guard, folder=folder.path, hosts=_names(config.host))
    return gr.mount_gradio_app(
        app,
        page.blocks,
        path="/",
        footer_links=[],
        run_history=False,
        enable_monitoring=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        max_file_size=max_bytes,  # for the page; the limit that counts is that of the receiver
        **APPEARANCE,
    )


def _listen(config: Config) -> socket.socket:
    try:
        family = socket.getaddrinfo(config.host, config.port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((config.host, config.port), family=family)
    except OSError as error:
        reason = error.strerror or str(error)
        raise UserError(
            f"cannot serve at {config.host}:{config.port} ({reason}): name another --port or --host"
        ) from error


def _names(host: str) -> frozenset[str]:
    """What a browser may call this server: at a loopback address only that, else anything."""
    try:
        is_loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_loopback = False
    return frozenset(("localhost", "127.0.0.1", "::1", host)) if is_loopback else frozenset()


async def _sweep(folder: Folder, blocks: Blocks) -> None:
    """Delete old files every now and then, and Gradio's memory of them."""
    while True:
        await asyncio.sleep(_SWEEP_SECONDS)
        await asyncio.to_thread(folder.sweep)
        for known in blocks.temp_file_sets:
            known.difference_update([path for path in list(known) if not os.path.exists(path)])


def _interrupt(_: int, __: FrameType | None) -> NoReturn:
    raise KeyboardInterrupt
