"""Judging colorizers on photos: floors by hand, and pages of what is found."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from benchmarks.figures import prediction_tables
from benchmarks.studies import bench_render_size, bench_views
from benchmarks.studies.judging import DEFINITIONS, draw_photos, judge
from inference.colorizer import Colorizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for i in range(3):
        Image.fromarray(skimage.data.chelsea()[40 * i : 40 * i + 96, 100:200]).save(folder / f"{i}.png")
    return folder


def test_the_draw_is_the_same_and_in_order(folder):
    paths = draw_photos(folder, 2)
    assert paths == draw_photos(folder, 2) == sorted(paths)
    assert len(draw_photos(folder, 9)) == 3


def test_figures_by_hand(folder, vivid):
    """No colour gains nothing; one colour everywhere does not move; the row is of 15 units a*."""
    gray, red, place = (Colorizer.load(vivid, device="cpu") for _ in range(3))
    gray.model.forward = lambda L: torch.zeros(1, 2, *L.shape[-2:])
    red.model.forward = lambda L: torch.tensor([15.0, 0.0])[None, :, None, None].expand(1, 2, *L.shape[-2:])

    def by_place(L):
        columns = torch.arange(float(L.shape[-1])).expand_as(L)
        return torch.cat((columns, torch.zeros_like(L)), dim=1)

    place.model.forward = by_place
    found = judge({"gray": gray, "red": red, "place": place}, draw_photos(folder, 3))
    assert found["gray"]["gain"] == pytest.approx(0, abs=0.01)
    assert found["gray"]["chroma"] == pytest.approx(0, abs=0.02)
    assert found["red"]["shift"] == 0
    assert found["red"]["more"]["mean"] == pytest.approx(found["red"]["gain"] - found["gray"]["gain"])
    # Seen 16 columns further right, the same place says 16 more; on 64 columns the mean is 31.5.
    assert found["place"]["shift"] == pytest.approx(16 / 31.5)


def test_pages_of_what_is_measured(folder, vivid, monkeypatch):
    monkeypatch.setattr(bench_render_size, "SIDES", (32, 64))
    monkeypatch.setattr(bench_render_size, "PHOTOS", {"small": (80, 60)})
    paths = draw_photos(folder, 2)
    about = {"command": "x", "num_photos": 2, "definitions": DEFINITIONS}
    rows = bench_render_size.scores(str(vivid), paths)
    assert list(rows) == ["squash 64", "squash 32", "crop 32", "crop 64"]
    assert rows["squash 64"]["more"]["mean"] == 0
    times = bench_render_size.seconds(str(vivid), 1)
    assert set(times["small"]) == {"32", "64"}
    found = about | {"rows": rows, "seconds": times}
    assert "| squash 64 |" in "\n".join(prediction_tables.render_size(found))
    assert "| small | 0." in "\n".join(prediction_tables.render_size_seconds(found))
    rows = bench_views.measure(str(vivid), paths)
    assert "| 8 |" in "\n".join(prediction_tables.views(about | {"rows": rows}))
    assert np.isfinite([row["shift"] for row in rows.values()]).all()
