"""--album: photos of one scene share their colours, whatever the order; others keep their own."""

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from benchmarks.studies.bench_descreen import scan_of_print
from core.files import read_csv

PHOTOS = {
    "a cup.png": skimage.data.coffee()[:, :560],
    "b cat.png": skimage.data.chelsea(),
    "c cup.jpg": skimage.data.coffee()[20:, 40:],
    "d rocket.png": skimage.data.rocket(),
}


@pytest.fixture
def folder(tmp_path):
    root = tmp_path / "photos"
    root.mkdir()
    for name, pixels in PHOTOS.items():
        gray = skimage.color.rgb2gray(pixels)
        if name == "c cup.jpg":  # printed darker, and so colored otherwise
            gray = gray**1.5
        Image.fromarray((gray * 255).round().astype(np.uint8)).save(root / name)
    (root / "e bad.png").write_bytes(b"no photo")
    return root


@pytest.fixture
def color(cli, folder, tmp_path):
    """Color the folder; rows of the report and pictures by name."""

    def run(output, *argv):
        place = tmp_path / output
        outcome = cli("--mode=predict", f"--image_path={folder}", f"--output_dir={place}", *argv)
        assert outcome.code == 1  # the bad one
        rows = {row["name"]: row for row in read_csv(place / "report.csv")}
        return rows, {name: np.asarray(Image.open(place / name)) for name in PHOTOS}

    return run


@pytest.mark.parametrize("saturation", [1, 2])
def test_colours_that_the_first_photo_has_are_shared(cli, tmp_path, saturation):
    """And no border is colored by them."""
    folder, output = tmp_path / "pair", tmp_path / "colored"
    folder.mkdir()
    blue = np.full((480, 640, 3), 250, np.uint8)
    blue[40:440, 40:600] = skimage.data.coffee()[:, :560, ::-1]  # as no model would color it
    Image.fromarray(blue).save(folder / "a.png")
    Image.fromarray(blue).convert("L").save(folder / "b.png")
    flags = ["--album", f"--saturation={saturation}"]
    assert cli("--mode=predict", f"--image_path={folder}", f"--output_dir={output}", *flags).code == 0
    first, second = (np.asarray(Image.open(output / name)) for name in ("a.png", "b.png"))
    assert (first == blue).all()
    distance = np.linalg.norm(skimage.color.rgb2lab(first) - skimage.color.rgb2lab(second), axis=2)
    assert distance[40:440, 40:600].mean() < 16  # 53 of what it is colored as alone
    assert np.ptp(second[:35].astype(int), axis=-1).max() <= 1


def mean_ab(pixels):
    return skimage.color.rgb2lab(pixels)[..., 1:].mean(axis=(0, 1))


def test_one_scene_has_one_set_of_colours(color, tmp_path):
    (_, plain), (rows, colored) = color("plain"), color("album", "--album")
    assert {name: row["series"] for name, row in rows.items()} == {
        "a cup.png": "a cup.png",
        "b cat.png": "",
        "c cup.jpg": "a cup.png",
        "d rocket.png": "",
        "e bad.png": "",
    }
    for name in ("a cup.png", "b cat.png", "d rocket.png"):
        assert np.array_equal(colored[name], plain[name])
    first = mean_ab(plain["a cup.png"])
    apart, together = (np.linalg.norm(mean_ab(found["c cup.jpg"]) - first) for found in (plain, colored))
    assert together < 0.7 * apart
    # What is there stays; what is missing comes back to the same bits, though the first is not colored again.
    (tmp_path / "album" / "c cup.jpg").unlink()
    rows, again = color("album", "--album")
    assert np.array_equal(again["c cup.jpg"], colored["c cup.jpg"])
    assert [rows[name]["series"] for name in ("a cup.png", "c cup.jpg")] == ["a cup.png"] * 2


def test_where_it_makes_no_sense(cli, folder):
    outcome = cli("--mode=predict", f"--image_path={folder / 'b cat.png'}", "--album")
    assert outcome.code == 2
    assert "--album is for folders" in outcome.error
    outcome = cli(
        "--mode=predict", f"--image_path={folder}", "--model=levin2004", "--hints=x.json", "--album"
    )
    assert outcome.code == 2
    assert outcome.error.endswith(
        "--album is for models that guess, and --model=levin2004 does not: leave it out"
    )


@pytest.mark.parametrize("flag", ["--blend={other}:1", "--descreen"])
def test_the_first_of_a_series_counts_as_it_is_written(cli, vivid, other, tmp_path, flag):
    """Of two copies of a print the second has nothing to be pulled to but what it has."""
    root = tmp_path / "prints"
    root.mkdir()
    gray = np.asarray(Image.fromarray(skimage.data.coffee()).convert("L"))
    for name in ("a.png", "b.png"):
        Image.fromarray(scan_of_print(gray, 4)).save(root / name)
    flags = (f"--weights={vivid}", "--device=cpu", "--album", flag.format(other=other))
    assert cli("--mode=predict", f"--image_path={root}", *flags).code == 0
    output = tmp_path / "prints_colorized"
    assert {row["series"] for row in read_csv(output / "report.csv")} == {"a.png"}
    first, second = (np.asarray(Image.open(output / name)) for name in ("a.png", "b.png"))
    assert np.array_equal(first, second)


def test_remarks_are_told_of_their_own_photo(color, folder):
    pixels = skimage.color.rgb2gray(PHOTOS["a cup.png"]) > 0.5
    Image.fromarray(pixels).save(folder / "a cup.png")
    Image.fromarray(pixels[20:, 40:]).convert("L").save(folder / "c cup.jpg")
    rows, _ = color("album", "--album")
    assert rows["c cup.jpg"]["series"] == "a cup.png"
    assert "1-bit" in rows["a cup.png"]["warning"]
    assert "1-bit" not in rows["c cup.jpg"]["warning"]
