"""The picture of twenty years: which models stand in it, under which titles, and where."""

import numpy as np
import pytest
import skimage.data
from conftest import small_model

from benchmarks.figures import draw_lineage
from benchmarks.figures.draw_lineage import Entry, find, pictures_of, sheet
from checkpoint.file import save_weights
from checkpoint.shipped import FOLDER
from core.runs import BEST
from inference.chroma import without_color
from inference.hints import Hints
from media.picture import Picture


@pytest.fixture
def runs(tmp_path):
    """Of a model that draws, and of one whose weights ship."""
    for name in ("coltran2021", "model1"):
        about = {"image_size": 32, "resize": "squash"}
        save_weights(tmp_path / name / BEST, name, small_model(name), about)
    return tmp_path


def test_weights_that_ship_come_first(runs):
    assert find("model1", runs) == FOLDER / "model1.safetensors"
    assert find("coltran2021", runs) == runs / "coltran2021" / BEST
    assert find("nazeri2018", runs) is None


def test_gray_first_truth_last_and_a_mark_for_runs(runs, monkeypatch):
    entries = (Entry("2018", "nazeri2018"), Entry("2021", "coltran2021", is_drawn=True), Entry("", "model1"))
    monkeypatch.setattr(draw_lineage, "_ENTRIES", entries)
    photo = Picture(skimage.data.astronaut()[:64, 180:244].copy())
    strokes = np.zeros((64, 64, 4), np.uint8)
    strokes[20:24, 10:40] = (200, 80, 60, 255)
    row = pictures_of(photo, Hints(photo.size, strokes=strokes), runs)
    assert list(row) == [
        *("gray", "2004 levin, strokes", "2005 irony, reference", "2021 coltran, drawn *", "model1", "truth")
    ]
    assert np.array_equal(row["gray"], without_color(photo).pixels)
    assert np.array_equal(row["truth"], photo.pixels)
    assert len({picture.tobytes() for picture in row.values()}) == 6


def test_a_long_row_goes_on_below():
    white = np.full((10, 10, 3), 255, np.uint8)
    few, many = ({str(i): white for i in range(num)} for num in (5, 8))
    assert sheet([many]).shape[0] == 2 * sheet([few]).shape[0]
    assert sheet([few, few]).shape[1] == sheet([few]).shape[1]
