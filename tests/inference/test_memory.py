"""Where memory runs out: a smaller size and a word about it, or an error; never a gray picture."""

import threading
import time

import pytest
import skimage.data
import torch
from PIL import Image

from inference import folder as folders
from inference.colorizer import Colorizer
from inference.folder import PixelBudget
from inference.report import Report
from media.picture import count_pixels, from_array
from models.gae import GAE

# As torch 2 words them, for the CPU on Linux and on Windows, and for CUDA.
ERRORS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:116] data. DefaultCPUAllocator: not enough memory"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB"),
]
PHOTO = skimage.data.chelsea()[:96, :128]


def limit_memory(monkeypatch, side, error):
    """No model sees more than so many pixels."""
    forward = GAE.forward

    def fail(self, L):
        if L.shape[-1] > side:
            raise error
        return forward(self, L)

    monkeypatch.setattr(GAE, "forward", fail)


@pytest.mark.parametrize("error", ERRORS, ids=["python", "linux", "windows", "cuda"])
def test_the_model_sees_half_the_size(vivid, monkeypatch, caplog, error):
    expected = Colorizer.load(vivid, device="cpu", render_size="64").predict_whole(from_array(PHOTO))
    limit_memory(monkeypatch, 100, error)
    found = Colorizer.load(vivid, device="cpu", render_size="256").predict_whole(from_array(PHOTO))
    assert torch.equal(found.ab, expected.ab)
    assert [record.getMessage() for record in caplog.records] == [
        "out of memory at 256 pixels: the model sees 128 instead",
        "out of memory at 128 pixels: the model sees 64 instead",
    ]


def test_automatic_size_and_confidence(vivid, monkeypatch, caplog):
    limit_memory(monkeypatch, 100, MemoryError())
    colorizer = Colorizer.load(vivid, device="cpu", image_size=128, render_size="auto")
    assert colorizer.predict_whole(from_array(PHOTO)).ab.shape[-1] in (48, 64, 80, 96)
    assert colorizer.confidence(from_array(PHOTO)).shape == PHOTO.shape[:2]
    assert caplog.text.count("the model sees") == 2  # once each


def test_no_size_fits(cli, vivid, monkeypatch, tmp_path):
    (tmp_path / "photos").mkdir()
    photo = tmp_path / "photos" / "x.png"
    Image.fromarray(PHOTO).save(photo)
    limit_memory(monkeypatch, 31, MemoryError())
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--weights={vivid}")
    assert outcome.code == 2
    assert outcome.error.startswith("error: out of memory even at 32 pixels")
    assert list(photo.parent.iterdir()) == [photo]
    outcome = cli("--mode=predict", f"--image_path={photo.parent}", f"--weights={vivid}")
    assert outcome.code == 1
    assert "0 colored, 0 skipped, 1 failed" in outcome.out
    assert not (tmp_path / "photos_colorized" / "x.png").exists()


def test_other_errors_are_not_taken_for_it(vivid, monkeypatch):
    limit_memory(monkeypatch, 0, RuntimeError("shapes do not match"))
    with pytest.raises(RuntimeError, match="shapes"):
        Colorizer.load(vivid, device="cpu").predict_whole(from_array(PHOTO))


def color_all(color, folder, output):
    """By the sorted photos of a folder."""
    output.mkdir(exist_ok=True)
    job = folders.FolderJob(folder, output, False, Report(output, lambda _: None), "weights", "{}")
    return folders.color_photos(color, sorted(folder.glob("*.png")), job)


def test_a_photo_too_large_for_memory_does_not_end_the_run(tmp_path):
    for name in ("a.png", "b.png"):
        Image.fromarray(PHOTO).save(tmp_path / name)

    def color(path, target):
        if path.name == "a.png":
            raise ERRORS[1]
        return ""

    results = color_all(color, tmp_path, tmp_path / "out")
    assert [result.status for result in results] == ["failed", "colored"]
    assert "a.png is too large for the memory" in results[0].reason


def test_large_photos_wait_for_each_other(monkeypatch, tmp_path):
    """Four threads, room for 3 000 pixels: never more at once, but for the photo that is larger alone."""
    sizes = {"a.png": (50, 40), "b.png": (50, 40), "c.png": (100, 100), "d.png": (10, 10), "e.png": (10, 20)}
    for name, size in sizes.items():
        Image.new("RGB", size).save(tmp_path / name)
    (tmp_path / "f.png").write_bytes(b"of unknown size")
    monkeypatch.setattr(folders, "num_cores", lambda: 4)
    monkeypatch.setattr(folders, "PIXELS_PER_CORE", 750)
    lock, now, seen = threading.Lock(), [], []

    def color(path, target):
        with lock:
            now.append(path.name)
            seen.append(set(now))
        time.sleep(0.05)
        with lock:
            now.remove(path.name)
        return ""

    results = color_all(color, tmp_path, tmp_path / "out")
    assert [result.status for result in results] == ["colored"] * 6
    pixels = {name: width * height for name, (width, height) in sizes.items()} | {"f.png": 3000}
    assert all(len(together) == 1 or sum(pixels[n] for n in together) <= 3000 for together in seen)
    assert any(len(together) > 1 for together in seen)


def test_budget_is_given_back_after_an_error():
    budget = PixelBudget(10)
    with pytest.raises(ValueError, match="x"), budget.hold(7):
        raise ValueError("x")
    with budget.hold(None), budget.hold(0):
        pass


def test_pixels_from_the_header(tmp_path):
    Image.new("RGB", (30, 20)).save(tmp_path / "x.png")
    data = (tmp_path / "x.png").read_bytes()
    (tmp_path / "x.png").write_bytes(data[:60])  # hardly a pixel in it
    assert count_pixels(tmp_path / "x.png") == 600
    assert count_pixels(tmp_path / "none.png") is None
