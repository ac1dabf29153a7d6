"""predict from standard input to standard output: what `-` names."""

import io
import os
import subprocess
import sys

import numpy as np
import pytest
import skimage.data
from PIL import Image
from processes import MAIN

import main


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "old.jpg"
    image = Image.fromarray(skimage.data.astronaut()[:60, 200:290]).convert("L")
    exif = Image.Exif()
    exif[0x010E] = "aunt Mary"
    image.save(path, quality=95, exif=exif)
    return path


@pytest.fixture
def pipe(vivid, monkeypatch, capfdbinary):
    """Run the program in this process: bytes on standard input -> code, bytes on standard output, lines."""

    def run(data, *flags):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        capfdbinary.readouterr()
        code = main.main(["--mode=predict", f"--weights={vivid}", "--device=cpu", *flags])
        captured = capfdbinary.readouterr()
        return code, captured.out, captured.err.decode().splitlines()

    return run


BOTH = ("--image_path=-", "--output_path=-")


def test_the_same_bytes_as_with_files(pipe, photo, tmp_path):
    code, out, lines = pipe(photo.read_bytes(), *BOTH)
    assert code == 0, lines
    assert lines[-1] == "standard output.jpg"
    target = tmp_path / "new.jpg"
    code, out_of_files, _ = pipe(b"", f"--image_path={photo}", f"--output_path={target}")
    assert code == 0
    assert out_of_files.splitlines()[-1] == str(target).encode()
    assert out == target.read_bytes()
    assert Image.open(io.BytesIO(out)).getexif()[0x010E] == "aunt Mary"


def test_one_end_alone(pipe, photo, tmp_path):
    code, out, _ = pipe(b"", f"--image_path={photo}", "--output_path=-", "--format=png")
    assert code == 0
    assert Image.open(io.BytesIO(out)).format == "PNG"
    code, out, lines = pipe(photo.read_bytes(), "--image_path=-", f"--output_path={tmp_path / 'new.png'}")
    assert code == 0, lines
    assert (tmp_path / "new.png").is_file()
    assert out.splitlines()[-1] == str(tmp_path / "new.png").encode()


@pytest.mark.parametrize(
    ("format", "expected"),
    [("JPEG", "JPEG"), ("PNG", "PNG"), ("WEBP", "WEBP"), ("TIFF", "TIFF"), ("BMP", "BMP"), ("GIF", "PNG")],
)
def test_the_format_of_the_photo(pipe, photo, format, expected):
    given = io.BytesIO()
    Image.open(photo).save(given, format)
    code, out, _ = pipe(given.getvalue(), *BOTH)
    assert code == 0
    assert Image.open(io.BytesIO(out)).format == expected


def test_sixteen_bits_stay(pipe):
    given = io.BytesIO()
    Image.fromarray(np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)).save(given, "TIFF")
    code, out, lines = pipe(given.getvalue(), *BOTH)
    assert code == 0, lines
    assert Image.open(io.BytesIO(out)).tag_v2[258] == (16, 16, 16)


def test_lines_name_no_file_that_nobody_knows(pipe, photo):
    data = photo.read_bytes()
    code, out, lines = pipe(data[: len(data) * 2 // 3], *BOTH)
    assert (code, out) == (2, b"")
    assert lines[-1].startswith("error: standard input is damaged (")
    code, out, lines = pipe(data[: len(data) * 2 // 3], *BOTH, "--damaged=use")
    assert code == 0
    assert any(
        "standard input is damaged; about 75 % of it is there and is colored" in line for line in lines
    )
    assert not any("colorizer-" in line for line in lines)


def test_nothing_comes_of_a_dry_run(pipe, photo):
    code, out, lines = pipe(photo.read_bytes(), *BOTH, "--dry_run")
    assert (code, out) == (0, b"")
    assert lines[-1] == "would write standard output.jpg (90x60)"


def pages(photo):
    data = io.BytesIO()
    image = Image.open(photo)
    image.save(data, "TIFF", save_all=True, append_images=[image])
    return data.getvalue()


def test_all_pages_of_a_tiff(pipe, photo):
    code, out, lines = pipe(pages(photo), *BOTH)
    assert code == 0, lines
    assert Image.open(io.BytesIO(out)).n_frames == 2


@pytest.mark.parametrize(
    ("data", "flags", "complaint"),
    [
        (b"", BOTH, "standard input is empty: pipe a photo into it"),
        (b"no photo", BOTH, "standard input is not a photo in a format known here"),
        (b"\x1aE\xdf\xa3" * 200, BOTH, "standard input is a clip, and clips do not go through pipes"),
        (b"", ["--image_path=-"], "--image_path=- has no place beside it: add --output_path=FILE"),
        (pages, [*BOTH, "--format=png"], "standard input holds 2 pictures, and one goes through a pipe"),
        (b"", [*BOTH, "--render_size=64,96"], "several pictures cannot go to standard output"),
        (b"", ["--image_path=old.jpg", "--format=png"], "--format is for --output_path=-"),
        (b"", [*BOTH, "--format=onnx"], "--format=onnx is for a model: name a format of pictures"),
        (b"", ["--image_path=gone.jpg", "--output_path=-"], "gone.jpg does not exist: name a photo"),
        (b"", ["--image_path=.", "--output_path=-"], "--output_path is for photos and clips, and"),
        (b"", ["--image_path=.", "--format=png"], "--format is for photos, and"),
    ],
)
def test_mistakes(pipe, photo, data, flags, complaint):
    code, out, lines = pipe(data(photo) if callable(data) else data, *flags)
    assert (code, out) == (2, b"")
    assert complaint in lines[-1]


def test_json_tells_of_standard_input(pipe, photo, tmp_path):
    flags = ["--image_path=-", f"--output_path={tmp_path / 'new.png'}", "--progress=json", "--overwrite"]
    code, out, _ = pipe(photo.read_bytes(), *flags)
    assert code == 0
    assert out.startswith(b'{"name": "-", "status": "colored"')
    code, out, _ = pipe(b"no photo", *flags)
    assert code == 2
    assert b'"reason": "standard input is not a photo' in out
    code, out, lines = pipe(photo.read_bytes(), *BOTH, "--progress=json")
    assert code == 2
    assert "--progress=json and --output_path=- both take standard output" in lines[-1]


def test_nothing_is_left_behind(pipe, photo, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for data in (photo.read_bytes(), b"no photo"):
        pipe(data, *BOTH)
    assert list(tmp_path.iterdir()) == [photo]


def program(vivid):
    return [sys.executable, str(MAIN), "--mode=predict", f"--weights={vivid}", "--device=cpu", *BOTH]


def test_in_a_shell(vivid, photo):
    with open(photo, "rb") as source:
        done = subprocess.run(program(vivid), stdin=source, capture_output=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert Image.open(io.BytesIO(done.stdout)).size == (90, 60)
    assert done.stderr.decode().splitlines()[-1] == "standard output.jpg"


def test_a_reader_that_has_gone(vivid, photo):
    reading, writing = os.pipe()
    os.close(reading)
    with open(photo, "rb") as source, os.fdopen(writing, "wb") as gone:
        done = subprocess.run(
            program(vivid), stdin=source, stdout=gone, stderr=subprocess.PIPE, timeout=240, check=False
        )
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert lines[-1] == "error: standard output was closed before the whole picture had gone through it"
    assert "Exception" not in done.stderr.decode()
