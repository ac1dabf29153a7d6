"""Photos on one page: found where they are, nowhere else, and each colored as it is by itself."""

import json

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image
from scans import BOXES, PHOTOS, scan
from scipy import ndimage

from core.files import read_csv
from inference.borders import boxes_to_show
from inference.chroma import Chroma, load_chroma
from inference.colorizer import Colorizer
from inference.guidance import Guidance
from inference.hints import Hints, parse_points
from inference.predictor import Predictor
from inference.sheet import photos_on_page, turned_photo
from media.picture import Picture, load_picture

WHITE = (250, 250, 250)
PAPERS = [WHITE, (238, 228, 205), (25, 25, 25), (128, 128, 128)]


@pytest.fixture
def predict(cli, vivid, tmp_path):
    """Color pixels; returns the outcome, and the pixels that come out."""

    def run(pixels, *flags):
        source, output = tmp_path / "page.png", tmp_path / "out.png"
        Image.fromarray(pixels).save(source)
        argv = ("--mode=predict", f"--image_path={source}", f"--weights={vivid}", f"--output_path={output}")
        done = cli(*argv, "--overwrite", "--device=cpu", *flags)
        return done, np.asarray(Image.open(output)) if done.code == 0 else None

    return run


def distance(found, boxes):
    return np.abs(np.subtract(sorted(found), sorted(map(tuple, boxes)))).max()


@pytest.mark.parametrize("paper", PAPERS)
def test_all_are_found(paper):
    picture = Picture(scan(paper))
    assert distance(photos_on_page(picture), BOXES) <= 4
    assert distance(boxes_to_show(picture, "auto"), BOXES) <= 2


def askew(turn):
    """Four photos turned clockwise by so many degrees on gray paper; where they are, and the boxes around."""
    page, is_photo, boxes = np.full((700, 700, 3), 235, np.uint8), np.zeros((700, 700), bool), []
    for photo, (left, upper) in zip(PHOTOS, ((60, 60), (400, 70), (70, 400), (390, 410)), strict=True):
        gray = Image.fromarray(photo).convert("L")
        turned = np.asarray(gray.rotate(-turn, Image.Resampling.BICUBIC, expand=True))
        inside = np.asarray(Image.new("L", gray.size, 255).rotate(-turn, expand=True)) > 127
        place = np.s_[upper : upper + turned.shape[0], left : left + turned.shape[1]]
        page[place][inside] = turned[inside][:, None]
        is_photo[place] |= inside
        boxes.append((left, upper, left + turned.shape[1], upper + turned.shape[0]))
    return Picture(page), is_photo, boxes


@pytest.mark.parametrize("turn", [-8, -3, 2, 5])
def test_what_lies_askew(vivid, turn):
    """It is found and colored to its corners, and the paper beside it stays neutral."""
    picture, is_photo, boxes = askew(turn)
    found = photos_on_page(picture)
    assert distance(found, boxes) <= 5
    assert all(abs(degrees - turn) <= 1 for degrees in found.values())
    assert distance(boxes_to_show(picture, "auto"), boxes) <= 5
    spread = np.ptp(Colorizer.load(vivid, device="cpu").color(picture).pixels.astype(int), axis=2)
    beside = ~ndimage.binary_dilation(is_photo, iterations=14)
    assert spread[beside].max() <= 1
    in_box = np.zeros_like(is_photo)
    for left, upper, right, lower in boxes:
        in_box[upper:lower, left:right] = True
    corners = in_box & ~ndimage.binary_dilation(is_photo, iterations=4)
    assert spread[corners].mean() < 0.2 * spread[is_photo].mean()
    inner = ndimage.binary_erosion(is_photo, iterations=12) & (picture.pixels[..., 0] < 230)
    assert (spread[inner & (picture.pixels[..., 0] > 25)] > 4).mean() > 0.9


def test_a_turned_photo_in_its_box():
    """All of it, where it lies as the box does; else without the corners of the box."""
    box = (10, 20, 210, 120)
    assert turned_photo((100, 50), box, 0).all()
    found = turned_photo((100, 50), box, 10)
    assert not found[0, 0]
    assert not found[-1, -1]
    assert found[25, 50]
    assert (turned_photo((100, 50), box, -10) == found[:, ::-1]).mean() > 0.98
    assert turned_photo((100, 50), (0, 0, 10, 1000), 10).all()


def test_of_any_depth_and_size():
    large = np.asarray(Image.fromarray(scan()).resize((1800, 1560))).astype(np.uint16) * 257
    assert distance(boxes_to_show(Picture(large), "auto"), 3 * np.array(BOXES)) <= 6


def test_each_without_its_own_border():
    page = scan((128, 128, 128))
    for left, upper, right, lower in BOXES:
        for side in (
            np.s_[upper : upper + 8, left:right],
            np.s_[lower - 8 : lower, left:right],
            np.s_[upper:lower, left : left + 8],
            np.s_[upper:lower, right - 8 : right],
        ):
            page[side] = 250
    inner = np.add(BOXES, [8, 8, -8, -8])
    assert distance(boxes_to_show(Picture(page), "auto"), inner) <= 2


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket", "coins", "page", "camera"])
def test_ordinary_photos_are_no_pages(name):
    pixels = getattr(skimage.data, name)()
    pixels = pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)
    assert len(boxes_to_show(Picture(pixels), "auto")) == 1


def test_blank_and_tiny_pictures_are_no_pages():
    for size in ((1, 1), (5, 400), (200, 200)):
        for page in ("auto", "album"):
            assert boxes_to_show(Picture(np.full((*size, 3), 200, np.uint8)), page) == [(0, 0, *size[::-1])]


def test_a_photo_at_the_edge_is_found_when_told_to():
    page = scan()
    cut = Picture(page[90:, 90:])
    assert len(boxes_to_show(cut, "auto")) == 1
    assert len(boxes_to_show(cut, "album")) == 4
    assert boxes_to_show(Picture(page), "photo") == [(0, 0, 600, 520)]


def test_each_is_shown_alone_and_paper_stays_neutral(vivid, monkeypatch):
    colorizer = Colorizer.load(vivid, device="cpu")
    page, seen = Picture(scan()), []

    def predict(photo, _):
        seen.append(photo.pixels)
        return Chroma(torch.full((1, 2, 64, 64), 10.0 * len(seen)), photo.size, "x")

    monkeypatch.setattr(colorizer, "predict_whole", predict)
    whole = colorizer.predict_chroma(page)
    assert len(whole.boxes) == 4
    for number, (box, pixels) in enumerate(zip(whole.boxes, seen, strict=True), start=1):
        assert (pixels == page.crop(box).pixels).all()
        rows, columns = whole.cells(box)
        assert (whole.ab[..., rows, columns] == 10 * number).all()
        whole.ab[..., rows, columns] = 0
    assert not whole.ab.any()
    is_paper = np.ones(page.pixels.shape[:2], bool)
    for left, upper, right, lower in whole.boxes:
        is_paper[upper - 8 : lower + 8, left - 8 : right + 8] = False
    assert np.ptp(colorizer.color(page).pixels[is_paper].astype(int), axis=1).max() <= 1


def test_predict_says_how_many(predict, tmp_path):
    page = scan()
    done, colored = predict(page)
    assert "page.png: 4 photos found on the page; --page=photo colors it as one" in done.err
    done, as_one = predict(page, "--page=photo")
    assert "found" not in done.err
    assert (as_one != colored).any(axis=2).mean() > 0.1
    done, _ = predict(scan(num=1), "--page=album")
    assert "page.png: no page of several photos was found: it is colored as one photo" in done.err
    done, _ = predict(scan(num=1))
    assert "found" not in done.err


def test_several_sizes_say_it_once(cli, vivid, tmp_path):
    photo = tmp_path / "page.png"
    Image.fromarray(scan()).save(photo)
    argv = ("--mode=predict", f"--image_path={photo}", f"--weights={vivid}", "--device=cpu")
    done = cli(*argv, "--render_size=32,64", "--progress=json")
    assert done.code == 0, done.err
    assert done.err.count("4 photos found") == 1
    assert f"{photo}: 4 photos found on the page; --page=photo colors it as one" in done.err
    assert json.loads(done.out)["warning"] == "4 photos found on the page"


def test_folders_and_pages_of_a_file(cli, vivid, tmp_path):
    folder, several = tmp_path / "scans", Image.fromarray(scan(num=2))
    folder.mkdir()
    Image.fromarray(skimage.data.chelsea()).convert("L").save(folder / "a.png")
    Image.fromarray(scan()).save(folder / "b.jpg", quality=90)
    Image.fromarray(skimage.data.coffee()).convert("L").save(
        folder / "c.tif", save_all=True, append_images=[several]
    )
    done = cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}", "--device=cpu")
    assert done.code == 0, done.err
    rows = read_csv(tmp_path / "scans_colorized" / "report.csv")
    warnings = ["", "4 photos found on the page", "picture 2: 2 photos found on the page"]
    assert [row["warning"] for row in rows] == warnings


def test_kept_colours_are_joined_to_the_same_bits(predict, tmp_path):
    kept = tmp_path / "page.safetensors"
    page = scan(in_color=(1,))
    _, colored = predict(page, f"--save_chroma={kept}")
    assert len(load_chroma(kept).boxes) == 4
    _, again = predict(page, f"--apply_chroma={kept}")
    assert (again == colored).all()


def test_confidence_is_that_of_each_photo(vivid, monkeypatch):
    """And paper has no colour for sure, on a page and around one photo."""
    colorizer = Colorizer.load(vivid, device="cpu")
    asked = []

    def confidence_at(_, L, told):
        asked.append(L)
        return torch.full_like(L, 0.1 * len(asked))

    monkeypatch.setattr(Predictor, "_confidence_at", confidence_at)
    for pixels in (scan(WHITE), scan(WHITE)[:280, :260]):
        asked.clear()
        page = Picture(pixels)
        chroma = colorizer.predict_chroma(page)
        sure = colorizer.confidence(page, chroma)
        for number, (left, upper, right, lower) in enumerate(chroma.boxes, start=1):
            assert (sure[upper:lower, left:right] == round(255 * 0.1 * number)).all()
            sure[upper:lower, left:right] = 255
        assert (sure == 255).all()


def test_confidence_of_a_page_is_saved(predict, tmp_path):
    path = tmp_path / "sure.png"
    predict(scan(), f"--save_confidence={path}")
    sure = load_picture(path, max_pixels=10**6).pixels[..., 0]
    assert sure[:30].min() == 255
    assert all(sure[upper:lower, left:right].mean() < 250 for left, upper, right, lower in BOXES)


def test_a_photo_in_colour_stays_and_paper_that_has_a_tone_does_not(predict):
    page = scan(in_color=(1,))
    done, colored = predict(page)
    assert "page.png has colours of its own in 1 of its 4 photos, which stay" in done.err
    is_same = (colored == page).all(axis=2)
    left, upper, right, lower = np.add(BOXES[1], [12, 12, -12, -12])
    assert is_same[upper:lower, left:right].all()
    left, upper, right, lower = BOXES[0]
    assert is_same[upper:lower, left:right].mean() < 0.1
    in_color = scan(in_color=range(4))
    done, colored = predict(in_color)
    assert "page.png has colours of its own, which stay" in done.err
    assert (colored == in_color).all()


def test_the_library_and_compare_see_each_alone_too(cli, vivid, predict, tmp_path):
    page = scan()
    _, expected = predict(page, "--keep_color=no")
    assert (Colorizer.load(vivid, device="cpu")(page) == expected).all()
    as_one = Colorizer.load(vivid, device="cpu", page="photo")(page)
    assert (as_one != expected).any(axis=2).mean() > 0.5
    path, models = tmp_path / "compared.png", f"--compare={vivid},model1"
    argv = ("--mode=compare", models, f"--image_path={tmp_path / 'page.png'}", f"--output_path={path}")
    assert cli(*argv, "--device=cpu").code == 0
    drawn = np.asarray(Image.open(path)).astype(int)
    assert np.ptp(drawn, axis=2).max() > 50
    is_paper = (drawn[..., :3].min(axis=2) > 190) & (drawn[..., :3].max(axis=2) < 250)
    assert np.median(np.ptp(drawn, axis=2)[is_paper]) <= 1


def test_hints_keep_their_places():
    """Those of the whole picture: a model is told them at the places that they have in each photo."""
    points = [{"x": 50, "y": 60, "color": "#ff0000"}, {"x": 340, "y": 70, "color": "#0000ff", "radius": 3}]
    told = Guidance(hints=parse_points(points, (600, 520))).within(BOXES[0])
    assert told.hints.size == (200, 150)
    assert [(point.x, point.y) for point in told.hints.points] == [(10, 20)]
    strokes = np.zeros((520, 600, 4), np.uint8)
    strokes[60, 50] = 255
    part = Guidance(hints=Hints((600, 520), strokes=strokes)).within(BOXES[0])
    assert part.hints.strokes.shape == (150, 200, 4)
    assert part.hints.strokes[20, 10].tolist() == [255] * 4
