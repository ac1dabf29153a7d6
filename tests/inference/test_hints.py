"""Hints: both formats draw the same, at any size; what is wrong with a file is said in one line."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from skimage.color import rgb2lab

from core.errors import UserError
from inference.hints import Hints, parse_points, read_hints

SIZE = (40, 30)  # width, height
LIMIT = 10**6
RED, BLUE = "#d02020", "#2040c0"


def ab_of(color):
    rgb = np.array([[[int(color[i : i + 2], 16) for i in (1, 3, 5)]]], np.uint8)
    return torch.from_numpy(rgb2lab(rgb)[0, 0, 1:]).float()


def test_a_point_is_one_pixel_of_its_color():
    drawn = parse_points([{"x": 7, "y": 3, "color": RED}], SIZE).at(30, 40)
    assert drawn.shape == (1, 3, 30, 40)
    assert drawn[0, 2].nonzero().tolist() == [[3, 7]]
    assert (drawn[0, :2, 3, 7] - ab_of(RED)).abs().max() < 0.02
    assert not drawn[0, :2, drawn[0, 2] == 0].any()


def test_a_radius_makes_a_disc():
    drawn = parse_points([{"x": 20, "y": 15, "color": RED, "radius": 3}], SIZE).at(30, 40)
    y, x = torch.meshgrid(torch.arange(30), torch.arange(40), indexing="ij")
    assert torch.equal(drawn[0, 2] == 1, (y - 15) ** 2 + (x - 20) ** 2 <= 9)


@pytest.mark.parametrize("corner", [(0, 0), (39, 0), (0, 29), (39, 29), (39.9, 29.9)])
@pytest.mark.parametrize("size", [(30, 40), (300, 400), (3, 5), (1, 1)])
@pytest.mark.parametrize("radius", [0, 0.4, 2, 100])
def test_no_point_is_lost(corner, size, radius):
    point = {"x": corner[0], "y": corner[1], "color": BLUE, "radius": radius}
    drawn = parse_points([point], SIZE).at(*size)
    assert drawn[0, 2].any()
    assert drawn[0, 2].all() == (radius == 100 or size == (1, 1) or (size == (3, 5) and radius > 15))


def test_a_part_has_what_reaches_into_it():
    """Also of a disc whose centre is outside; what is drawn is what the whole shows there."""
    box = (10, 8, 30, 25)
    places = [(5, 5, 3), (9, 15, 0), (9, 15, 1), (8, 6, 4), (33, 20, 6), (20, 28, 2), (15, 12, 2)]
    whole = parse_points([{"x": x, "y": y, "color": RED, "radius": r} for x, y, r in places], SIZE)
    part = whole.within(box)
    assert torch.equal(part.at(17, 20), whole.at(30, 40)[..., 8:25, 10:30])
    assert [(point.x + 10, point.y + 8) for point in part.points] == [(9, 15), (8, 6), (33, 20), (15, 12)]
    assert whole.reach(box)
    assert not whole.reach((0, 20, 10, 30))


def test_the_last_point_wins():
    points = [{"x": 5, "y": 5, "color": RED, "radius": 2}, {"x": 5, "y": 5, "color": BLUE}]
    drawn = parse_points(points, SIZE).at(30, 40)
    assert (drawn[0, :2, 5, 5] - ab_of(BLUE)).abs().max() < 0.02
    assert (drawn[0, :2, 5, 6] - ab_of(RED)).abs().max() < 0.02


def strokes(path, size=SIZE):
    """A red column and a blue pixel; half of the red is too thin to count."""
    picture = np.zeros((size[1], size[0], 4), np.uint8)
    picture[:20, 10] = (0xD0, 0x20, 0x20, 255)
    picture[20:, 10] = (0xD0, 0x20, 0x20, 100)
    picture[5, 30] = (0x20, 0x40, 0xC0, 200)
    Image.fromarray(picture).save(path)
    return path


def test_a_picture_draws_as_points_do(tmp_path):
    points = [{"x": 10, "y": y, "color": RED} for y in range(20)] + [{"x": 30, "y": 5, "color": BLUE}]
    drawn = read_hints(strokes(tmp_path / "hints.png"), SIZE, max_pixels=LIMIT)
    for size in ((30, 40), (15, 20), (9, 7)):
        assert (drawn.at(*size) - parse_points(points, SIZE).at(*size)).abs().max() < 0.02


def test_a_file_of_points_is_read(tmp_path):
    points = [{"x": 1, "y": 2, "color": RED, "radius": 1.5}]
    path = tmp_path / "hints.json"
    path.write_text(json.dumps(points))
    assert read_hints(path, SIZE, max_pixels=LIMIT) == parse_points(points, SIZE)


def test_no_points_are_no_hints():
    assert not parse_points([], SIZE)
    assert not parse_points([], SIZE).at(8, 8).any()
    assert not Hints(SIZE)


@pytest.mark.parametrize(
    ("points", "complaint"),
    [
        ({"x": 1}, "must be a list"),
        ("hints", "must be a list"),
        ([{"x": 1, "y": 1, "color": RED}] * 20_001, "20001 points, more than 20000"),
        ([3], "point 1 must have x, y, color"),
        ([{"x": 1, "y": 1, "colour": RED}], "point 1 must have x, y, color"),
        ([{"x": 1, "color": RED}], "point 1 must have x, y, color"),
        ([{"x": 1, "y": 1}], "point 1 has no colour"),
        ([{"x": 1, "y": 1, "color": "red"}], "point 1 has no colour"),
        ([{"x": 1, "y": 1, "color": "#12345"}], "point 1 has no colour"),
        (
            [{"x": 1, "y": 1, "color": RED}, {"x": 40, "y": 1, "color": RED}],
            "point 2 at x=40, y=1 is",
        ),
        ([{"x": 1, "y": 30, "color": RED}], "outside the photo, which is 40x30"),
        ([{"x": -1, "y": 1, "color": RED}], "numbers of pixels"),
        ([{"x": "1", "y": 1, "color": RED}], "numbers of pixels"),
        ([{"x": True, "y": 1, "color": RED}], "numbers of pixels"),
        ([{"x": 1, "y": 1, "color": RED, "radius": float("nan")}], "numbers of pixels"),
        ([{"x": 10**400, "y": 1, "color": RED}], "numbers of pixels"),
    ],
)
def test_mistakes_in_points(points, complaint):
    with pytest.raises(UserError, match=complaint):
        parse_points(points, SIZE)


def test_mistakes_in_files(tmp_path):
    with pytest.raises(UserError, match="40x30, its photo 41x30"):
        read_hints(strokes(tmp_path / "hints.png"), (41, 30), max_pixels=LIMIT)
    with pytest.raises(UserError, match="40x30, its photo 20x15: the sizes must agree"):
        read_hints(strokes(tmp_path / "hints.png"), (20, 15), max_pixels=LIMIT)
    with pytest.raises(UserError, match="has more than 1,000 pixels"):
        read_hints(strokes(tmp_path / "hints.png"), SIZE, max_pixels=1000)
    Image.new("RGB", SIZE, "red").save(tmp_path / "opaque.png")
    with pytest.raises(UserError, match="is not transparent"):
        read_hints(tmp_path / "opaque.png", SIZE, max_pixels=LIMIT)
    Image.new("RGBA", SIZE, (255, 0, 0, 0)).save(tmp_path / "empty.png")
    with pytest.raises(UserError, match="holds no colour"):
        read_hints(tmp_path / "empty.png", SIZE, max_pixels=LIMIT)
    (tmp_path / "broken.json").write_text("[{")
    with pytest.raises(UserError, match="cannot be read"):
        read_hints(tmp_path / "broken.json", SIZE, max_pixels=LIMIT)
    (tmp_path / "none.json").write_text("[]")
    with pytest.raises(UserError, match="holds no point"):
        read_hints(tmp_path / "none.json", SIZE, max_pixels=LIMIT)
    with pytest.raises(UserError, match="does not exist"):
        read_hints(tmp_path / "missing.png", SIZE, max_pixels=LIMIT)
