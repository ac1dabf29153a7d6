"""A person at the page as the server sees one: what a browser sends, or what somebody makes up."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


def request(
    url: str, data: bytes | None = None, headers: dict[str, str] | None = None, method: str | None = None
) -> tuple[int, bytes]:
    """Status and body, whatever they are."""
    asked = urllib.request.Request(url, data, headers or {}, method=method)
    try:
        with urllib.request.urlopen(asked, timeout=60) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Visitor:
    """One person, with a part of the folder."""

    look = {"model": "model1", "vividness": 0, "saturation": 1}  # noqa: RUF012

    def __init__(self, url: str) -> None:
        self.url = url
        status, body = request(f"{url}/api/sessions", b"")
        assert status == 200, body
        self.token = json.loads(body)["session"]

    def ask(self, what: str, data: bytes | None = None, *, method: str | None = None, **query: Any) -> Any:
        """Status and body of an address of the person's own."""
        address = f"{self.url}/api/{self.token}/{what}?{urllib.parse.urlencode(query)}"
        return request(address, data, method=method)

    def send(self, name: str, content: bytes) -> tuple[int, dict[str, Any]]:
        """Status, and what the server says of a photo."""
        status, body = self.ask("photos", content, name=name)
        return status, json.loads(body)

    def add(self, name: str, content: bytes) -> str:
        """A photo that is taken; what the page calls it."""
        status, about = self.send(name, content)
        assert status == 200, about
        return about["id"]

    def color(self, photo: str, **look: Any) -> tuple[int, bytes]:
        """Status, and the colored preview."""
        return self.ask(f"photos/{photo}/color", **{**self.look, **look})

    def put(self, photo: str, what: str, content: bytes) -> tuple[int, bytes]:
        """Status and body of giving points, strokes or a reference."""
        return self.ask(f"photos/{photo}/{what}", content, method="PUT")


def error_of(answer: tuple[int, bytes]) -> tuple[int, str]:
    """Status, and the line for a person."""
    return answer[0], json.loads(answer[1])["error"]
