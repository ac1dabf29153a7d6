"""A person at the page as the server sees one: what a browser sends, or what somebody makes up."""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

API = "/gradio_api/"


def request(url: str, data: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, bytes]:
    """Status and body, whatever they are."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers or {}), timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def form(*files: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """A form with files, as a browser sends it."""
    boundary = secrets.token_hex(8)
    parts = b"".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files
    )
    body = parts + f"--{boundary}--\r\n".encode()
    return body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def as_files(*paths: Any) -> list[dict[str, Any]]:
    """Paths as Gradio's page sends them."""
    return [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in paths]


class Visitor:
    """One session of the page."""

    def __init__(self, url: str) -> None:
        self.url, self.session = url, secrets.token_hex(8)
        config = json.loads(request(f"{url}/config")[1])
        self.handlers = {item["api_name"]: item["id"] for item in config["dependencies"]}

    def upload(self, *files: tuple[str, bytes]) -> list[str]:
        """Where the server has put them."""
        status, body = request(f"{self.url}{API}upload", *form(*files))
        assert status == 200, body
        return json.loads(body)

    def join(self, handler: str, *data: Any) -> tuple[int, str]:
        """Ask for what a handler does, and do not wait for it: status, and the number of the event."""
        body = {"data": data, "fn_index": self.handlers[handler], "session_hash": self.session}
        kind = {"Content-Type": "application/json"}
        status, answer = request(f"{self.url}{API}queue/join", json.dumps(body).encode(), kind)
        return status, json.loads(answer)["event_id"] if status == 200 else ""

    def call(self, handler: str, *data: Any) -> Any:
        """The outputs of a handler, or None when it failed."""
        status, event = self.join(handler, *data)
        assert status == 200
        address = f"{self.url}{API}queue/data?session_hash={self.session}"
        with urllib.request.urlopen(address, timeout=60) as stream:
            for line in stream:
                message = json.loads(line.removeprefix(b"data: ")) if line.strip() else {}
                if message.get("msg") == "process_completed" and message["event_id"] == event:
                    return message["output"]["data"] if message["success"] else None
        raise AssertionError("the stream ended")

    def add(self, *paths: str, model: str = "model1") -> tuple[list[str] | None, str]:
        """Paths of the pictures that are shown for uploads, and the notes."""
        _, _, _, pictures, notes, _ = self.call("add", as_files(*paths), model, 0, None, None, 1, False)
        shown = [picture["path"] for picture in pictures] if isinstance(pictures, list) else None
        return shown, notes["value"]

    def show(self, saturation: Any, overlay: Any = False) -> list[str] | None:
        """Paths of the pictures of the first photo."""
        outputs = self.call("show", None, 0, saturation, overlay)
        return outputs and outputs[0] and [picture["path"] for picture in outputs[0]]

    def fetch(self, path: str) -> tuple[int, bytes]:
        """A file by its path on the server."""
        return request(f"{self.url}{API}file={path}")


def part_of(path: str) -> Path:
    """The folder of the session that a picture belongs to."""
    return Path(path).parent.parent
