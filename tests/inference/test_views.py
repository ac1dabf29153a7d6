"""The mean over views, with models of which it is known, and through all that color with it."""

import numpy as np
import pytest
import skimage.data
import torch
from conftest import small_model
from PIL import Image

from checkpoint.file import save_weights
from config import Config
from inference.colorizer import Colorizer
from inference.guidance import Guidance
from inference.hints import Hints, Point
from inference.views import VIEWS, mean_over_views
from media.picture import from_array

PHOTO = skimage.data.chelsea()[100:190, 100:220]


def left_to_right(seen):
    """A model that looks at nothing but the place: a* is the column, b* the number of the photo."""
    columns = torch.arange(float(seen.shape[-1])).expand_as(seen)
    return torch.cat((columns, torch.zeros_like(seen)), dim=1)


@pytest.mark.parametrize("num", range(1, len(VIEWS) + 1))
def test_a_model_that_moves_along_says_the_same(num):
    L = torch.rand(1, 1, 33, 45, generator=torch.Generator().manual_seed(0)) * 100
    shapes = []

    def own_color_of_each_lightness(seen):
        shapes.append(tuple(seen.shape))
        return torch.cat((seen - 50, 2 * seen), dim=1)

    ab = mean_over_views(own_color_of_each_lightness, L, num)
    torch.testing.assert_close(ab, torch.cat((L - 50, 2 * L), dim=1), rtol=0, atol=1e-4)
    assert shapes == [(num, 1, 33, 45)]


def test_a_model_that_goes_by_the_place_is_averaged():
    """By hand, in a row of 20 columns. Column x of the photo is seen at x; mirrored at 19 - x; shifted by
    6 to the right at x + 6, if it is in sight; mirrored and shifted at 25 - x, if that is."""
    L = torch.full((1, 1, 20, 20), 50.0)
    assert mean_over_views(left_to_right, L, 1)[0, 0, 15].tolist() == list(range(20))
    assert mean_over_views(left_to_right, L, 2)[0, 0, 15].tolist() == [9.5] * 20
    a, b = mean_over_views(left_to_right, L, 4)[0]
    assert a[0, 3] == pytest.approx((3 + 16 + 9) / 3)  # mirrored and shifted, it is out of sight
    assert a[0, 10] == pytest.approx((10 + 9 + 16 + 15) / 4)
    assert a[0, 17] == pytest.approx((17 + 2 + 8) / 3)
    assert a[15, 10] == pytest.approx(9.5)  # shifted down by 11, row 15 of 20 is out of sight
    assert not b.any()


def test_shifts_differ_on_every_grid():
    for stride in (4, 8, 16, 32):
        for axis in ("down", "right"):
            assert len({getattr(view, axis) % stride for view in VIEWS}) == len(VIEWS) / 2
    assert Config.__dataclass_fields__["views"].metadata["high"] == len(VIEWS)


def test_large_sizes_go_one_by_one(monkeypatch):
    monkeypatch.setattr("inference.views._MAX_PIXELS", 2 * 40**2)
    sizes = []

    def count(seen):
        sizes.append(len(seen))
        return left_to_right(seen)

    mean_over_views(count, torch.zeros(1, 1, 40, 40), 5)
    mean_over_views(count, torch.zeros(1, 1, 40, 90), 2)
    assert sizes == [2, 2, 1, 1, 1]


def test_colorizer_takes_the_mean(vivid):
    one, two = (Colorizer.load(vivid, device="cpu", views=num) for num in (1, 2))
    mirrored = from_array(np.ascontiguousarray(PHOTO[:, ::-1]))
    a, b = one.predict_whole(from_array(PHOTO)).ab, one.predict_whole(mirrored).ab.flip(-1)
    assert (a - b).abs().mean() > 1
    torch.testing.assert_close(
        two.predict_whole(from_array(PHOTO)).ab, (a + b) / 2, rtol=0, atol=0.1
    )  # halves
    assert two.settings["views"] == 2


def test_predict_with_views(cli, vivid, tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(PHOTO).save(path)
    flags = [f"--weights={vivid}", "--views=2", f"--image_path={path}", "--keep_color=no"]
    assert cli("--mode=predict", *flags).code == 0
    expected = Colorizer.load(vivid, device="cpu", views=2)(path)
    assert (np.asarray(Image.open(tmp_path / "x_colorized.png")) == expected).all()
    assert "--views=9: must be at least 1 and at most 8" in cli("--mode=predict", "--views=9").error


@pytest.mark.parametrize("views", [2, 8])
def test_hints_move_along_with_the_photo(tmp_path, views):
    """A model that gives back the hints says the same of every view."""
    torch.manual_seed(0)
    save_weights(tmp_path / "x.safetensors", "unet_hints", small_model("unet_hints"), {"image_size": 64})
    colorizer = Colorizer.load(tmp_path / "x.safetensors", device="cpu", views=views)
    colorizer.model.predict = lambda inputs: inputs.hints[:, :2]
    height, width = PHOTO.shape[:2]
    point = Point(x=30, y=20, color="#3050c0", radius=8)
    told = Guidance(hints=Hints((width, height), (point,)))
    ab = colorizer.predict_whole(from_array(PHOTO), told).ab
    expected = told.hints.at(64, 64)[:, :2]
    assert expected.abs().max() > 20
    assert (ab - expected).abs().max() < 0.1
