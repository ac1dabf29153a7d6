"""Borders: found where they are, nowhere else, and neutral; the photo is colored as it is without them."""

import numpy as np
import pytest
import skimage.data
import torch

from data.color import cie_chroma
from inference.borders import find_photo, predict_within
from inference.chroma import Chroma, apply_chroma
from inference.colorizer import Colorizer
from media.picture import Picture

PHOTO = skimage.data.coffee()[100:300, 100:400]  # (200, 300, 3)


def framed(value, top=30, bottom=50, left=20, right=20, noise=1.0):
    """The photo on paper or film of that code."""
    size = (200 + top + bottom, 300 + left + right, 3)
    paper = np.random.default_rng(0).normal(value, noise, size).clip(0, 255).astype(np.uint8)
    paper[top : top + 200, left : left + 300] = PHOTO
    return Picture(paper)


@pytest.mark.parametrize("value", [253, 230, 2, 20])
@pytest.mark.parametrize(
    "sides", [(30, 50, 20, 20), (30, 30, 0, 0), (0, 0, 40, 30), (5, 5, 5, 5), (100, 100, 200, 200)]
)
def test_borders_are_found(value, sides):
    top, _, left, _ = sides
    box = find_photo(framed(value, *sides))
    expected = (left, top, left + 300, top + 200)
    assert np.abs(np.subtract(box, expected)).max() <= 4


@pytest.mark.parametrize("value", [128, 200])
def test_a_plain_ground_is_no_border(value):
    picture = framed(value)
    assert find_photo(picture) == (0, 0, *picture.size)


def test_a_white_sky_is_no_border():
    picture = framed(254, top=60, bottom=0, left=0, right=0)
    assert find_photo(picture) == (0, 0, *picture.size)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_photos_without_borders(name):
    picture = Picture(getattr(skimage.data, name)())
    assert find_photo(picture) == (0, 0, *picture.size)


@pytest.mark.parametrize("value", [0, 255])
def test_blank_pictures(value):
    for size in ((1, 1), (3, 400), (200, 200)):
        picture = Picture(np.full((*size, 3), value, np.uint8))
        assert find_photo(picture) == (0, 0, *picture.size)


@pytest.mark.parametrize("value", [254, 3])
def test_chroma_is_that_of_the_photo_alone(vivid, value):
    colorizer = Colorizer.load(vivid, device="cpu")
    picture = framed(value)

    def predict(photo, _):
        return colorizer.predict_whole(photo)

    whole = predict_within(picture, [(20, 30, 320, 230)], predict)
    assert whole.size == picture.size
    alone = colorizer.predict_whole(Picture(PHOTO))
    assert whole.ab.shape == (1, 2, 90, 73)  # 64 x 64 cells of the photo, as many for its borders
    assert torch.equal(whole.ab[..., 10:74, 4:68], alone.ab)
    colored = apply_chroma(picture, whole, upsample="guided", saturation=0.3)
    border = colored.pixels[:24].astype(int)
    assert np.ptp(border, axis=2).max() <= 12
    assert np.ptp(border, axis=2).mean() < 1

    found = predict_within(picture, [find_photo(picture)], predict)
    assert float(cie_chroma(found.ab).sum() / cie_chroma(whole.ab).sum()) == pytest.approx(1, abs=0.1)


def test_without_borders_the_model_sees_the_picture_itself():
    seen = []

    def predict(picture, _):
        seen.append(picture)
        return Chroma(torch.zeros(1, 2, 8, 8), picture.size, "x")

    picture = Picture(PHOTO)
    predict_within(picture, [(0, 0, 300, 200)], predict)
    assert seen == [picture]
    assert float(cie_chroma(predict_within(picture, [(10, 10, 290, 190)], predict).ab).max()) == 0
    assert seen[1].size == (280, 180)
