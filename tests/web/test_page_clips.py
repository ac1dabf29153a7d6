"""Clips on the page: sent, colored while somebody watches, seen, cancelled, taken home; nothing stays."""

import io
import json
import time
from fractions import Fraction

import numpy as np
import pytest
import skimage.data
from clips import gray, luma, pictures, upright, write_clip
from PIL import Image
from visitor import Visitor, error_of

av = pytest.importorskip("av")
pytest.importorskip("uvicorn")

LOOK = {"model": "model1", "vividness": 0, "saturation": 1}


@pytest.fixture
def visitor(page):
    visitor = Visitor(page)
    yield visitor
    visitor.ask("leave", b"")


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    """Of 3 seconds and few frames: each is asked of the model."""
    frames = gray(pictures(30, (96, 64), skimage.data.coffee()))
    path = tmp_path_factory.mktemp("films") / "old film.mp4"
    return write_clip(path, frames, time_base=Fraction(1, 10), audio=1)


def send(visitor, name, content):
    status, body = visitor.ask("clips", content, name=name)
    return status, json.loads(body)


def progress(visitor, clip):
    status, body = visitor.ask(f"clips/{clip}/progress")
    assert status == 200
    return json.loads(body)


def until(condition, seconds=120):
    end = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def finished(visitor, clip):
    return until(lambda: (p := progress(visitor, clip))["state"] not in ("waiting", "coloring") and p)


def test_from_upload_to_download(visitor, film, tmp_path):
    status, about = send(visitor, film.name, film.read_bytes())
    assert status == 200
    assert about | {"id": ""} == {
        "id": "",
        "name": "old film.mp4",
        "width": 96,
        "height": 64,
        "frames": 30,
        "seconds": pytest.approx(2.94, abs=1e-3),  # the last frame is written as a 25th of one
    }
    clip = about["id"]
    assert progress(visitor, clip) == {"state": "new", "done": 0, "total": 0, "preview": False}
    assert error_of(visitor.ask(f"clips/{clip}/full"))[0] == 404
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    assert finished(visitor, clip) == {"state": "done", "done": 0, "total": 0, "preview": True}
    for what, num in (("preview", 20), ("full", 30), ("download", 30)):
        status, body = visitor.ask(f"clips/{clip}/{what}")
        path = tmp_path / f"{what}.mp4"
        path.write_bytes(body)
        assert status == 200
        assert luma(path).shape == (num, 64, 96)
        with av.open(str(path)) as container:
            assert len(container.streams.audio) == (what != "preview")


def test_shots_in_colour_stay_and_are_noted(visitor, tmp_path):
    size, coffee = (96, 64), skimage.data.coffee()
    frames = gray(pictures(8, size)) + pictures(8, size, source=coffee)
    path = write_clip(tmp_path / "half.mp4", frames)
    clip = send(visitor, path.name, path.read_bytes())[1]["id"]
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    done = finished(visitor, clip)
    assert done["state"] == "done"
    assert done["notes"] == ["has colours of its own in 1 of 2 shots, which stay"]
    output = tmp_path / "full.mp4"
    output.write_bytes(visitor.ask(f"clips/{clip}/full")[1])
    before, after = (upright(path).astype(int) for path in (path, output))
    assert np.abs(after - before)[8:].mean() < 5
    assert np.ptp(after[:8], axis=-1).mean() > np.ptp(before[:8], axis=-1).mean() + 2


def test_cancelled_and_taken_up(visitor, film):
    clip = send(visitor, film.name, film.read_bytes())[1]["id"]
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    assert error_of(visitor.ask(f"clips/{clip}/color", b"", **LOOK)) == (
        400,
        "this clip is being colored: cancel that first",
    )
    assert visitor.ask(f"clips/{clip}/cancel", b"")[0] == 204
    assert finished(visitor, clip)["state"] == "cancelled"
    assert visitor.ask(f"clips/{clip}/download")[0] == 404
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    assert finished(visitor, clip)["state"] == "done"


def test_another_look_begins_anew(visitor, film):
    clip = send(visitor, film.name, film.read_bytes())[1]["id"]
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    until(lambda: progress(visitor, clip)["preview"])
    assert visitor.ask(f"clips/{clip}/cancel", b"")[0] == 204
    finished(visitor, clip)
    assert visitor.ask(f"clips/{clip}/color", b"", **{**LOOK, "saturation": 0.5})[0] == 202
    assert finished(visitor, clip)["state"] == "done"


def test_one_that_waits_is_cancelled_at_once(visitor, film):
    first, second = (send(visitor, film.name, film.read_bytes())[1]["id"] for _ in range(2))
    for clip in (first, second):
        assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    assert progress(visitor, second)["state"] == "waiting"
    visitor.ask(f"clips/{second}/cancel", b"")
    assert progress(visitor, second)["state"] == "cancelled"
    assert finished(visitor, first)["state"] == "done"


@pytest.mark.parametrize("how", ["delete", "leave"])
def test_what_is_deleted_while_it_is_colored_is_gone(visitor, film, how, tmp_path_factory):
    (part,) = tmp_path_factory.getbasetemp().glob(f"page[0-9]*/colorizer-*/{visitor.token}")
    clip = send(visitor, film.name, film.read_bytes())[1]["id"]
    assert visitor.ask(f"clips/{clip}/color", b"", **LOOK)[0] == 202
    until(lambda: progress(visitor, clip)["done"] > 2)
    if how == "delete":
        assert visitor.ask(f"clips/{clip}", method="DELETE")[0] == 204
    else:
        visitor.ask("leave", b"")
    assert visitor.ask(f"clips/{clip}/progress")[0] == 404
    time.sleep(0.5)
    until(lambda: not (part / clip).exists())


def hostile():
    photo = io.BytesIO()
    Image.fromarray(skimage.data.coffee()).save(photo, "PNG")
    return [
        ("x.mp4", b"a text"),
        ("x.mkv", b""),
        ("../../<i>.mp4", photo.getvalue()),
        ("x.ts", b"#EXTM3U\nfile:///x"),
    ]


@pytest.mark.parametrize(("name", "content"), hostile())
def test_hostile_clips(visitor, name, content):
    status, answer = send(visitor, name, content)
    assert status == 400
    assert answer["error"].startswith(("x.", "i.mp4"))
    assert "\n" not in answer["error"]
    assert "colorizer-" not in answer["error"]


def test_limits(visitor, film):
    assert send(visitor, "big.mp4", bytes(3_100_000)) == (
        413,
        {"error": "the clip has more than 3 MB: use a smaller file"},
    )
    clip = send(visitor, film.name, film.read_bytes())[1]["id"]
    assert error_of(visitor.ask(f"clips/{clip}/color", b"", **{**LOOK, "saturation": "x"}))[0] == 400
    for what in ("gray", "color", "full"):  # a clip is no photo
        assert visitor.ask(f"photos/{clip}/{what}", **LOOK, format=".png")[0] in (400, 404)


def test_a_clip_that_breaks_off(visitor, tmp_path, film):
    """It was whole to look at; a line says what is wrong, without the folders of the machine."""
    path = tmp_path / "cut.mkv"
    write_clip(path, pictures(30, (96, 64)) + pictures(30, (96, 64)), codec="ffv1")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 3000] = bytes(3000)
    status, about = send(visitor, "cut.mkv", bytes(data))
    if status == 200:
        visitor.ask(f"clips/{about['id']}/color", b"", **LOOK)
        found = finished(visitor, about["id"])
        assert found["state"] == "done" or "colorizer-" not in found["error"]
