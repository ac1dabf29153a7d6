"""The page as it stands in the network: what it lets in and out, and that it stays up."""

import io
import json
import re
import socket
import struct
import threading
import time
import urllib.parse
import urllib.request
import zlib
from pathlib import Path

import numpy as np
import pytest
import skimage.data
from PIL import Image
from visitor import API, Visitor, as_files, form, part_of, request


def jpeg(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def bomb(side=60_000):
    """A small PNG that says that it is huge."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(10**5))), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


COFFEE, CAT = jpeg(skimage.data.coffee()[:200]), jpeg(skimage.data.chelsea()[:200])


def test_two_people_at_once(page):
    """With photos of the same name, one of them the same: each gets his own, and nothing of the other."""
    visitors = [Visitor(page) for _ in range(3)]
    uploads = [
        visitor.upload(("old.jpg", photo))
        for visitor, photo in zip(visitors, (COFFEE, CAT, CAT), strict=True)
    ]
    results = {}

    def add(number):
        results[number] = visitors[number].add(*uploads[number])

    threads = [threading.Thread(target=add, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = {number: Path(pictures[1]).read_bytes() for number, (pictures, _) in results.items()}
    assert len({part_of(pictures[0]) for pictures, _ in results.values()}) == 3
    assert shown[0] != shown[1] == shown[2]
    stranger = Visitor(page)
    assert stranger.show(1) is None
    _, notes = stranger.add(uploads[0][0])  # even who knows where a photo was
    assert notes == "old.jpg is here no more: drop it again"
    _, notes = stranger.add(results[0][0][1])
    assert "only photos that were uploaded" in notes
    visitors[0].call("forget")
    assert visitors[0].fetch(results[0][0][1])[0] != 200
    assert visitors[1].fetch(results[1][0][1]) == (200, shown[1])
    assert visitors[1].show(0.5) is not None
    assert visitors[0].show(0.5) is None


def test_another_model_colors_the_same_photo(page):
    visitor = Visitor(page)
    before, _ = visitor.add(*visitor.upload(("old.jpg", COFFEE)))
    picture = Path(before[1]).read_bytes()
    _, _, _, pictures, notes, _ = visitor.call("look_again", "model1_vivid", 0, None, 0, 1, False)
    assert Path(pictures[0]["path"]) == Path(before[0])
    assert Path(pictures[1]["path"]).read_bytes() != picture
    assert not notes["value"]


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=/etc/passwd",
        "gradio_api/file=//etc/passwd",
        "gradio_api/file=../../../../../../etc/passwd",
        "gradio_api/file={folder}/../../etc/passwd",
        "gradio_api/file={folder}/..%2f..%2fetc/passwd",
        "gradio_api/file={folder}",
        "gradio_api/file={main}",
        "gradio_api/file=file:///etc/passwd",
        "gradio_api/file=http://127.0.0.1/",
        "gradio_api/file=%00",
        "gradio_api/file/etc/passwd",
        "gradio_api/proxy=http://127.0.0.1/",
        "gradio_api/stream/x/1/1/playlist-file",
        "gradio_api/deep_link?session_hash=x",
        "gradio_api/runs",
        "assets/../../../../../../../../etc/passwd",
        "assets/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "static/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "assets//etc/passwd",
        "svelte/../../../etc/passwd",
        "docs",
        "openapi.json",
        "monitoring",
    ],
)
def test_no_path_of_the_server_can_be_read(page, path):
    (upload,) = Visitor(page).upload(("old.jpg", COFFEE))
    filled = path.format(folder=Path(upload).parent.parent, main=Path(__file__).resolve())
    address = urllib.parse.urlsplit(page)
    with socket.create_connection((address.hostname, address.port)) as connection:  # urllib would tidy it
        head = f"GET /{filled} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answer.split()[1] in (b"403", b"404")
    assert b"root:" not in answer
    assert b"def test" not in answer


@pytest.mark.parametrize("path", ["/etc/passwd", "http://127.0.0.1:9/x.jpg", "x.jpg", 7, ["/etc/passwd"]])
def test_no_path_of_the_server_can_be_colored(page, path):
    visitor = Visitor(page)
    file = as_files(path)
    assert visitor.join("add", file, "model1", 0, None, None, 1, False)[0] == 404
    assert visitor.join("show", None, {"x": file}, 1, False)[0] == 404


@pytest.mark.parametrize("path", ["run/add", "api/add", "call/add", "component_server", "process_recording"])
def test_there_is_no_way_past_the_queue(page, path):
    assert request(f"{page}{API}{path}", b"{}", {"Content-Type": "application/json"})[0] == 404


def test_other_pages_have_no_access(page):
    port = urllib.parse.urlsplit(page).port
    assert request(f"{page}/config", headers={"Origin": "http://evil.example"})[0] == 403
    assert request(f"{page}/config", headers={"Host": f"evil.example:{port}"})[0] == 403
    assert request(f"{page}/config", headers={"Host": f"localhost:{port}"})[0] == 200
    assert request(f"{page}{API}upload", *form(("x", b"x")))[0] == 200
    body, kind = form(("x", b"x"))
    assert request(f"{page}{API}upload", body, kind | {"Origin": "null"})[0] == 403


def test_uploads_are_limited(page):
    status, body = request(f"{page}{API}upload", *form(("big.jpg", bytes(3_100_000))))
    assert (status, body) == (413, b"more than 3 MB at once: drop fewer or smaller photos")
    assert request(f"{page}{API}upload", *form(*[("x.jpg", b"x")] * 60))[0] == 400
    assert (
        request(f"{page}{API}queue/join", b" " * (2**20 + 1), {"Content-Type": "application/json"})[0] == 413
    )
    address = urllib.parse.urlsplit(page)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST {API}upload HTTP/1.1\r\nHost: {address.netloc}\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).split()[1] == b"411"


HOSTILE = [
    ("x.jpg", b"a text", "x.jpg is not a photo in a format known here: use JPEG, PNG or TIFF"),
    ("../../<script>.png", bomb(), "script.png has more than 2,000,000 pixels"),
    ("big.jpg", jpeg(np.zeros((1500, 1500), np.uint8)), "big.jpg has more than 2,000,000 pixels"),
    ("cut.jpg", COFFEE[:4000], "cut.jpg is damaged"),
    ("", COFFEE[:1000], None),  # without a name it is no file
    ("empty.png", b"", "empty.png is not a photo"),
    ("x.svg", b"<svg onload='alert(1)'/>", None),
]


@pytest.mark.parametrize(("name", "content", "note"), HOSTILE, ids=[name or "none" for name, *_ in HOSTILE])
def test_hostile_uploads(page, name, content, note):
    """One line for what cannot be read, and the next photo as if nothing had been."""
    visitor = Visitor(page)
    uploads = visitor.upload((name, content))
    if note is not None:
        pictures, notes = visitor.add(*uploads)
        assert pictures is None
        assert notes.startswith(note)
        assert "/tmp" not in notes
    elif uploads:
        visitor.call("add", as_files(*uploads), "model1", 0, None, None, 1, False)
    pictures, notes = Visitor(page).add(*visitor.upload(("good.jpg", COFFEE)))
    assert len(pictures) == 2
    assert not notes


WRONG = ["text", None, [], {}, [[1]], True, -1, 99, 1e308, float("nan"), "é" * 1000, "NaN"]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_wrong_types(page, value):
    visitor = Visitor(page)
    visitor.add(*visitor.upload(("old.jpg", CAT)))
    for handler, number in (("add", 7), ("look_again", 6), ("choose_model", 1), ("show", 4), ("develop", 3)):
        visitor.call(handler, *[value] * number)
    visitor.call("show", *[value] * 9)
    visitor.call("show")
    assert request(f"{page}{API}queue/join", json.dumps(value).encode())[0] in (400, 422)
    assert len(visitor.show(1)) == 2


def test_clients_that_go_away(page):
    """Half an upload leaves nothing, and a photo whose owner is gone keeps nobody waiting."""
    visitor = Visitor(page)
    (upload,) = visitor.upload(("old.jpg", COFFEE))
    place = Path(upload).parent.parent
    before = set(place.iterdir())
    address = urllib.parse.urlsplit(page)
    body, kind = form(("old.jpg", bytes(2_000_000)))
    for sent in (0, 10, 1_000_000):
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = f"POST {API}upload HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {len(body)}\r\n"
            head += f"Content-Type: {kind['Content-Type']}\r\n\r\n"
            connection.sendall(head.encode() + body[:sent])
            time.sleep(0.1)
    visitor.join("add", as_files(*[upload] * 20), "model1", 0, None, None, 1, False)  # and never looks
    pictures, _ = Visitor(page).add(*visitor.upload(("good.jpg", CAT)))
    assert len(pictures) == 2
    left = {path.name.partition("-")[0] for path in set(place.iterdir()) - before}
    assert left <= {"upload", "session", "vibe_edit_history"} | {p for p in left if p.startswith("tmp")}
    for path in set(place.iterdir()) - before:
        assert path.is_dir() or path.stat().st_size == 0


def test_the_queue_is_bounded(page):
    """Who asks for ever more is refused, and others are served afterwards."""
    first, greedy = Visitor(page), Visitor(page)
    uploads = first.upload(*[(f"{number}.jpg", COFFEE) for number in range(10)])
    codes = [first.join("add", as_files(*uploads), "model1", 0, None, None, 1, False)[0]]
    codes += [greedy.join("develop", None, 1, ".png")[0] for _ in range(60)]  # all wait for that
    assert set(codes) == {200, 503}
    other = Visitor(page)
    deadline = time.monotonic() + 60
    while other.join("show", None, None, 1, False)[0] == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert len(other.add(*other.upload(("good.jpg", CAT)))[0]) == 2


def test_the_browser_is_told_to_stay_here(page):
    with urllib.request.urlopen(page) as answer:
        policy, html = answer.headers["Content-Security-Policy"], answer.read().decode()
    assert "default-src 'self'" in policy
    assert "http" not in policy
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    assert '"analytics_enabled":false' in html


def test_without_gradio_one_line_says_what_to_install(cli, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    outcome = cli("--mode=serve")
    assert outcome.code == 2
    assert outcome.error == "error: --mode=serve needs Gradio: pip install '.[web]'"


def test_an_address_that_cannot_be_had(cli):
    pytest.importorskip("gradio")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("--mode=serve", f"--port={port}", "--device=cpu")
    assert outcome.code == 2
    assert outcome.error.startswith(f"error: cannot serve at 127.0.0.1:{port} (")
    assert "--port" in outcome.error
    assert cli("--mode=serve", "--host=no.such.host.invalid").code == 2


def test_dry_run(cli):
    pytest.importorskip("gradio")
    outcome = cli("--mode=serve", "--dry_run", "--port=7000")
    assert outcome.code == 0
    assert outcome.out.splitlines()[-1] == "would serve http://127.0.0.1:7000"
