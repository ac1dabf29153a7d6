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
import zipfile
import zlib

import numpy as np
import pytest
import skimage.data
from PIL import Image
from visitor import Visitor, error_of, request

from core.extras import installing
from web.files import zip_pictures


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


@pytest.fixture
def visitor(page):
    visitor = Visitor(page)
    yield visitor
    visitor.ask("leave", b"")


def test_two_people_at_once(page):
    """With photos of the same name, one of them the same: each gets his own, and nothing of the other."""
    visitors = [Visitor(page) for _ in range(3)]
    shown = {}

    def add(number, content):
        photo = visitors[number].add("old.jpg", content)
        shown[number] = photo, visitors[number].color(photo)

    threads = [threading.Thread(target=add, args=pair) for pair in enumerate((COFFEE, CAT, CAT))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [status for _, (status, _) in shown.values()] == [200, 200, 200]
    pictures = [shown[number][1][1] for number in range(3)]
    assert pictures[0] != pictures[1] == pictures[2]
    assert visitors[1].color(shown[0][0])[0] == 404  # even who knows what a photo is called
    assert visitors[0].ask("leave", b"")[0] == 204
    assert error_of(visitors[0].color(shown[0][0])) == (404, "your files are here no more: drop them again")
    assert visitors[1].color(shown[1][0]) == (200, pictures[1])
    for visitor in visitors[1:]:
        visitor.ask("leave", b"")


def test_one_photo_goes_and_the_other_stays(visitor):
    first, second = visitor.add("a.jpg", COFFEE), visitor.add("b.jpg", CAT)
    assert visitor.ask(f"photos/{first}", method="DELETE")[0] == 204
    assert error_of(visitor.color(first)) == (404, "this file is here no more: drop it again")
    assert visitor.color(second)[0] == 200


def test_another_model_colors_the_same_photo(visitor):
    photo = visitor.add("old.jpg", COFFEE)
    pictures = {visitor.color(photo, model=model)[1] for model in ("model1", "model1_vivid")}
    assert len(pictures) == 2
    assert visitor.color(photo, model="model1")[1] in pictures
    status, gray = visitor.ask(f"photos/{photo}/gray")
    assert status == 200
    assert Image.open(io.BytesIO(gray)).size == (600, 200)


def test_a_zip_is_not_changed_while_it_is_downloaded(tmp_path):
    for name in ("a.png", "b.png"):
        (tmp_path / name).write_bytes(bytes(1000))
    path = zip_pictures([tmp_path / "a.png", tmp_path / "b.png"], tmp_path / "all.zip")
    whole = path.read_bytes()
    with path.open("rb") as download:
        zip_pictures([tmp_path / "a.png"], path)
        assert download.read() == whole
    assert len(path.read_bytes()) < len(whole)


def test_several_photos_in_a_zip(visitor):
    photos = [visitor.add(name, CAT) for name in ("old.jpg", "old.jpg")]
    for photo in photos:
        assert visitor.ask(f"photos/{photo}/full", b"", **visitor.look, format=".webp")[0] == 200
    assert visitor.ask("zip", json.dumps(photos).encode(), format=".webp")[0] == 200
    status, body = visitor.ask("zip", format=".webp")
    assert status == 200
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        assert archive.namelist() == ["old_colorized.webp", "old_colorized (2).webp"]
    single = visitor.ask(f"photos/{photos[0]}/full", format=".webp")
    assert Image.open(io.BytesIO(single[1])).size == (451, 200)
    assert visitor.ask(f"photos/{photos[0]}/full", format=".png")[0] == 404


def test_likely_colors(visitor):
    photo = visitor.add("old.jpg", COFFEE)
    status, body = visitor.ask(f"photos/{photo}/likely", x=300, y=100)
    assert status == 200
    assert all(re.fullmatch("#[0-9a-f]{6}", color) for color in json.loads(body))
    assert error_of(visitor.ask(f"photos/{photo}/likely", x=3000, y=100)) == (
        400,
        "x must be a number from 0 to 600",
    )


@pytest.mark.parametrize(
    "path",
    [
        "etc/passwd",
        "static/../../../../../../../../etc/passwd",
        "static/..%2f..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "static/%2e%2e/page.py",
        "static//etc/passwd",
        "static/",
        "api/../../etc/passwd",
        "api/{token}/photos/../../../../etc/passwd",
        "api/{token}/photos/..%2f..%2f..%2fetc/gray",
        "api/{token}/photos/%2e%2e/gray",
        "api/{token}/photos/%00/gray",
        "api/{token}/photos/{photo}",
        "api/../zip",
        "api/%2e%2e/zip?format=.png",
        "api/./zip?format=.png",
        "docs",
        "openapi.json",
    ],
)
def test_no_path_of_the_server_can_be_read(page, visitor, path):
    filled = path.format(token=visitor.token, photo=visitor.add("old.jpg", COFFEE))
    address = urllib.parse.urlsplit(page)
    with socket.create_connection((address.hostname, address.port)) as connection:  # urllib would tidy it
        head = f"GET /{filled} HTTP/1.1\r\nHost: {address.netloc}\r\nConnection: close\r\n\r\n"
        connection.sendall(head.encode())
        answer = b"".join(iter(lambda: connection.recv(2**16), b""))
    assert answer.split()[1] in (b"400", b"404", b"405")
    assert b"root:" not in answer
    assert b"import" not in answer


def test_other_pages_have_no_access(page):
    port = urllib.parse.urlsplit(page).port
    about = f"{page}/api/about"
    assert request(about, headers={"Origin": "http://evil.example"})[0] == 403
    assert request(about, headers={"Host": f"evil.example:{port}"})[0] == 403
    assert request(about, headers={"Host": "[::"})[0] == 403
    assert request(about, headers={"Host": f"localhost:{port}"})[0] == 200
    assert request(f"{page}/api/sessions", b"", {"Origin": "null"})[0] == 403


def test_uploads_are_limited(page, visitor):
    answer = visitor.send("big.jpg", bytes(3_100_000))
    assert answer == (413, {"error": "the photo has more than 3 MB: use a smaller file"})
    address = urllib.parse.urlsplit(page)
    with socket.create_connection((address.hostname, address.port)) as connection:
        head = f"POST /api/{visitor.token}/photos HTTP/1.1\r\nHost: {address.netloc}\r\n"
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        assert connection.recv(100).split()[1] == b"400"
    photo = visitor.add("old.jpg", COFFEE)
    assert visitor.put(photo, "points", b" " * (4 * 10**6 + 1))[0] == 413


HOSTILE = [
    ("x.jpg", b"a text", "x.jpg is not a photo in a format known here"),
    ("../../<script>.png", bomb(), "script.png has more than 2,000,000 pixels"),
    ("big.jpg", jpeg(np.zeros((1500, 1500), np.uint8)), "big.jpg has more than 2,000,000 pixels"),
    ("cut.jpg", COFFEE[:4000], "cut.jpg is damaged"),
    ("", COFFEE[:1000], "photo is damaged"),
    ("empty.png", b"", "empty.png is not a photo"),
    ("x.svg", b"<svg onload='alert(1)'/>", "x.svg is not a photo"),
]


@pytest.mark.parametrize(("name", "content", "line"), HOSTILE, ids=[name or "none" for name, *_ in HOSTILE])
def test_hostile_uploads(visitor, name, content, line):
    """One line for what cannot be read, and the next photo as if nothing had been."""
    status, answer = visitor.send(name, content)
    assert status == 400
    assert answer["error"].startswith(line)
    assert "/tmp" not in answer["error"]
    assert visitor.color(visitor.add("good.jpg", COFFEE))[0] == 200


WRONG = ["text", "", "[]", "-1", "99", "1e308", "nan", "é" * 1000, "null"]


@pytest.mark.parametrize("value", WRONG)
def test_wrong_values(visitor, value):
    photo = visitor.add("old.jpg", CAT)
    for name in visitor.look:
        status, line = error_of(visitor.color(photo, **{name: value}))
        assert status == 400
        assert line.startswith(f"{name} must be")
    assert visitor.ask(f"photos/{photo}/full", b"", **visitor.look, format=value)[0] == 400
    assert visitor.color(photo)[0] == 200


BODIES = [b"", b"text", b"[", b"[" * 10**5, b"\xff", b"null", b"7", b'{"x": 1}', b"[[1]]", b'["../x"]']


@pytest.mark.parametrize("body", BODIES, ids=lambda body: repr(body[:9]))
def test_wrong_bodies(visitor, body):
    photo = visitor.add("old.jpg", CAT)
    status, line = error_of(visitor.put(photo, "points", body))
    assert status == 400
    assert "\n" not in line
    assert visitor.ask("zip", body, format=".png")[0] in (400, 404)
    if body:
        assert error_of(visitor.put(photo, "strokes", body))[0] == 400
    assert visitor.color(photo)[0] == 200


def test_clients_that_go_away(page, visitor, tmp_path_factory):
    """Half an upload leaves nothing, and the next photo is served."""
    (part,) = tmp_path_factory.getbasetemp().glob(f"page[0-9]*/colorizer-*/{visitor.token}")
    address = urllib.parse.urlsplit(page)
    for sent in (0, 10, 1_000_000):
        with socket.create_connection((address.hostname, address.port)) as connection:
            head = f"POST /api/{visitor.token}/photos?name=old.jpg HTTP/1.1\r\nHost: {address.netloc}\r\n"
            connection.sendall(f"{head}Content-Length: 2000000\r\n\r\n".encode() + bytes(sent))
            time.sleep(0.1)
    assert visitor.color(visitor.add("good.jpg", CAT))[0] == 200
    assert len(list(part.iterdir())) == 1


def test_people_are_bounded(page):
    """Who asks for ever more is refused, and others are served when some have left."""
    visitors = []
    for _ in range(40):
        try:
            visitors.append(Visitor(page))
        except AssertionError:
            break
    assert len(visitors) < 40
    assert error_of(request(f"{page}/api/sessions", b""))[1].startswith("too many people are here just now")
    for visitor in visitors:
        visitor.ask("leave", b"")
    Visitor(page).ask("leave", b"")


def test_the_browser_is_told_to_stay_here(page):
    with urllib.request.urlopen(page) as answer:
        policy, html = answer.headers["Content-Security-Policy"], answer.read().decode()
        assert answer.headers["Referrer-Policy"] == "same-origin"  # Firefox deletes nothing with no-referrer
    assert "default-src 'none'" in policy
    assert "http" not in policy
    assert "unsafe" not in policy
    assert not re.search(r"""(src|href)\s*=\s*["']?(https?:)?//""", html)
    with urllib.request.urlopen(f"{page}/api/about") as answer:
        assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("package", ["starlette", "uvicorn"])
def test_without_a_package_one_line_says_what_to_install(cli, monkeypatch, package):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == package else object())
    outcome = cli("--mode=serve")
    assert outcome.code == 2
    assert outcome.error == f"error: --mode=serve needs {package}: {installing('web')}"


def test_an_address_that_cannot_be_had(cli):
    pytest.importorskip("uvicorn")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("--mode=serve", f"--port={port}", "--device=cpu")
    assert outcome.code == 2
    assert outcome.error.startswith(f"error: cannot serve at 127.0.0.1:{port} (")
    assert "--port" in outcome.error
    assert cli("--mode=serve", "--host=no.such.host.invalid").code == 2
    assert cli("--mode=serve", "--host=a..b").code == 2


def test_dry_run(cli, vivid):
    pytest.importorskip("uvicorn")
    outcome = cli("--mode=serve", "--dry_run", "--port=7000", f"--weights={vivid}")
    assert outcome.code == 0
    assert str(vivid) in outcome.out
    assert outcome.out.splitlines()[-1] == "would serve http://127.0.0.1:7000"
