"""Curves and example photos: drawn, readable, and of what was given."""

import signal
import time

import numpy as np
import pytest
from conftest import DRAW
from PIL import Image

from core import figures


@pytest.fixture(autouse=True)
def drawing(monkeypatch):
    monkeypatch.setattr(figures, "_save", DRAW)


def drawn(path):
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def test_curves(tmp_path):
    row = {"train_loss": 0.5, "val_loss": 0.6, "val_psnr": 21.0, "val_psnr_gray": 20.0}
    figures.write_loss_plot(tmp_path / "loss.png", [{"epoch": epoch, **row} for epoch in (1, 2)])
    figures.write_curves(tmp_path / "curves.png", {"model1": [1, 2], "unet": [2, 3]}, "PSNR, dB")
    for name, size in {"loss.png": (400, 1000, 3), "curves.png": (400, 700, 3)}.items():
        picture = drawn(tmp_path / name)
        assert picture.shape == size
        assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 100
    assert {path.name for path in tmp_path.iterdir()} == {"loss.png", "curves.png"}


def test_examples_show_the_pictures(tmp_path):
    """In columns, upright, under captions that may hold any character."""
    colors = np.array([[[200, 30, 30], [30, 160, 30]], [[30, 30, 200], [160, 160, 30]]], np.uint8)
    columns = []
    for name, of_column in zip("ab", colors, strict=True):
        pictures = [np.full((40, 60, 3), color, np.uint8) for color in of_column]
        for each in pictures:
            each[:10] = 255 - each[:10]
        columns.append((f"${name}_^$", pictures))
    figures.write_examples(tmp_path / "examples.png", columns, ["first", "second"])
    picture = drawn(tmp_path / "examples.png")

    def centre(color):
        places = np.argwhere((picture == color).all(axis=2))
        assert len(places) > 2000
        return places.mean(axis=0)

    for x, y in np.ndindex(2, 2):
        assert centre(255 - colors[x, y])[0] < centre(colors[x, y])[0]
    assert centre(colors[0, 0])[1] < centre(colors[1, 0])[1]
    assert centre(colors[0, 0])[0] < centre(colors[0, 1])[0]
    with pytest.raises(ValueError, match="zip"):
        figures.write_examples(tmp_path / "x.png", columns, ["first"])


def test_ctrl_c_waits_for_the_drawing(tmp_path):
    """In matplotlib's C++ it would turn into another error."""
    finished = []

    class Figure:
        def savefig(self, *_, **__):
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.01)
            finished.append(True)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            DRAW(Figure(), tmp_path / "figure.png", 100)
    finally:
        signal.signal(signal.SIGINT, before)
    assert finished
