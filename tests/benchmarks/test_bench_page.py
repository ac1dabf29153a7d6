"""Pages made of photos: where they say that these are, and what is counted as found."""

import numpy as np
import pytest
import skimage.data

from benchmarks.studies import bench_page
from benchmarks.studies.bench_page import chroma_ratios, found_on_pages, taken_for_pages
from benchmarks.studies.pages import LAYOUTS, PAPERS, sheet
from inference.colorizer import Colorizer
from media.picture import Picture

PHOTOS = [Picture(skimage.data.coffee()[20 * i : 20 * i + 160, 100:300]) for i in range(9)]


@pytest.mark.parametrize("paper", PAPERS)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_photos_lie_in_their_boxes_and_paper_between(layout, paper):
    page = sheet(PHOTOS[: len(LAYOUTS[layout])], layout, paper, seed=0)
    is_paper = np.ones(page.picture.pixels.shape[:2], bool)
    for left, upper, right, lower in page.boxes:
        assert is_paper[upper:lower, left:right].all()
        is_paper[upper:lower, left:right] = False
        assert page.picture.pixels[upper:lower, left:right].std() > 20
    assert np.abs(page.picture.pixels[is_paper] - np.array(PAPERS[paper])).max() < 50


def test_photos_that_lie_askew_or_touch():
    page = sheet(PHOTOS[:4], "four", "black", seed=0, turn=5)
    for left, upper, *_ in page.boxes:
        corner = page.picture.pixels[upper : upper + 4, left : left + 4]
        assert np.abs(corner - np.array(PAPERS["black"])).max() < 20
    touching = sheet(PHOTOS[:4], "four", "black", seed=0, gap=0).boxes
    assert touching[0][2] == touching[1][0]
    assert touching[0][3] == touching[2][1]
    apart = sheet(PHOTOS[:4], "four", "black", seed=0, gap=10).boxes
    assert apart[1][0] - apart[0][2] == 10


def test_figures(vivid, monkeypatch):
    monkeypatch.setattr(bench_page, "PAPERS", {"cream": PAPERS["cream"]})
    assert all(share in (0, 1) for share in found_on_pages(PHOTOS, 1).values())
    ratios = chroma_ratios(Colorizer.load(vivid, device="cpu"), PHOTOS)
    assert {name: len(each) for name, each in ratios.items()} == {
        "white border": 9,
        "black border": 9,
        "one of nine": 9,
    }
    assert np.median(ratios["white border"]) == pytest.approx(1, abs=0.02)
    assert taken_for_pages([]) == []
