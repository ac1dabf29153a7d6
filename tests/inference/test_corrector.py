"""Given colours stay in the photo that they are for: not on its border, nor in another photo of the page."""

import numpy as np
import pytest
import skimage.data
import torch

from config import Config
from inference.borders import boxes_to_show
from inference.chroma import Chroma
from inference.corrector import Corrector, with_hints
from inference.hints import Hints, parse_points
from media.picture import Picture

ROCKET, COFFEE = skimage.data.rocket()[100:300, 100:400], skimage.data.coffee()[100:300, 100:400]
FIRST, SECOND = (40, 60, 340, 260), (420, 60, 720, 260)


@pytest.fixture(scope="module")
def page():
    """Two photos on white paper."""
    paper = np.random.default_rng(0).normal(248, 1, (320, 760, 3)).clip(0, 255).astype(np.uint8)
    for (left, upper, right, lower), photo in ((FIRST, ROCKET), (SECOND, COFFEE)):
        paper[upper:lower, left:right] = photo.mean(axis=2, keepdims=True)
    return Picture(paper)


def dot(page, x, y, radius=5):
    return parse_points([{"x": x, "y": y, "color": "#c03028", "radius": radius}], page.size)


def colors(chroma, box, margin=4):
    """Mean chroma within a box, and on all of the page beside the two photos."""
    planes = chroma.ab[0].norm(dim=0)
    left, upper, right, lower = box
    beside = torch.ones_like(planes, dtype=torch.bool)
    for x0, y0, x1, y1 in (FIRST, SECOND):
        beside[y0 - margin : y1 + margin, x0 - margin : x1 + margin] = False
    return float(planes[upper:lower, left:right].mean()), float(planes[beside].max())


def plain(page, color):
    """A model's colours, the same for all of each photo."""
    boxes = tuple(boxes_to_show(page, "auto"))
    assert len(boxes) == 2
    ab = torch.zeros(1, 2, 320, 760)
    for left, upper, right, lower in boxes:
        ab[0, :, upper:lower, left:right] = torch.tensor(color)[:, None, None]
    return Chroma(ab, page.size, "a model", boxes=boxes)


@pytest.mark.parametrize("radius", [0, 45])
def test_a_hint_is_for_one_photo_of_a_page(page, radius):
    """Also where it is so wide that it reaches over the edge of that photo."""
    model = plain(page, (0.0, 10.0))
    found = with_hints(page, model, hints=dot(page, 80, 160, radius))
    own, paper = colors(found, FIRST)
    other, _ = colors(found, SECOND)
    assert own > 12
    assert other == pytest.approx(colors(model, SECOND)[0], abs=0.01)
    assert paper == 0


def test_a_thin_slanted_stroke_over_the_edge_is_one(page):
    strokes = np.zeros((320, 760, 4), np.uint8)
    for i in range(60):
        strokes[100 + i, 300 + i] = (200, 30, 30, 255)
    found = with_hints(page, plain(page, (0.0, 10.0)), hints=Hints(page.size, strokes=strokes))
    assert colors(found, FIRST)[0] > 12
    assert colors(found, FIRST)[1] == 0


def test_a_reference_colors_no_paper(page):
    everywhere = torch.zeros(1, 3, 320, 760)
    everywhere[0, :, ::9, ::9] = torch.tensor((30.0, 5.0, 1.0))[:, None, None]
    found = with_hints(page, plain(page, (0.0, 10.0)), scribbler=lambda *_: everywhere)
    assert colors(found, FIRST)[0] > 20
    assert colors(found, SECOND)[0] > 20
    assert colors(found, SECOND)[1] == 0


def test_a_hint_beside_all_photos_is_followed(page):
    """Whoever gives one sees a photo there."""
    found = with_hints(page, plain(page, (0.0, 10.0)), hints=dot(page, 380, 20))
    assert colors(found, FIRST)[1] > 20


def test_without_a_model_the_border_is_found_too(page, tmp_path):
    bordered = page.crop((0, 0, 380, 320))
    (tmp_path / "hints.json").write_text('[{"x": 100, "y": 150, "color": "#c03028"}]')
    config = Config(mode="predict", model="levin2004", hints=tmp_path / "hints.json")
    found = Corrector(config)(bordered, None, tmp_path / "photo.png").ab[0].norm(dim=0)
    assert found[80:240, 60:320].mean() > 20
    assert found[:50].max() == found[:, :30].max() == 0
