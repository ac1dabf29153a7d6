"""Colours that a photo has of its own: they stay, but for the tone of a print, and where a mask says so."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from core.files import read_csv

COLOR = skimage.data.coffee()[:150, :200]
GRAY = np.repeat(np.asarray(Image.fromarray(COLOR).convert("L"))[..., None], 3, axis=2)
HALF = np.concatenate((GRAY[:, :100], COLOR[:, 100:]), axis=1)
TONED = (255 * (GRAY / 255) ** np.array([0.7, 1, 1.5])).astype(np.uint8)


@pytest.fixture
def predict(cli, vivid, tmp_path):
    """Color pixels; returns the outcome, and the pixels that come out."""

    def run(pixels, *flags):
        source, output = tmp_path / "in.png", tmp_path / "out.png"
        Image.fromarray(pixels).save(source)
        argv = ("--mode=predict", f"--image_path={source}", f"--weights={vivid}", f"--output_path={output}")
        done = cli(*argv, "--overwrite", "--device=cpu", *flags)
        return done, np.asarray(Image.open(output)) if done.code == 0 else None

    return run


def is_colored(before, after):
    """Where a picture is not what it was: (H, W) bool."""
    return (before != after).any(axis=2)


def test_a_colour_photo_comes_back(predict):
    done, picture = predict(COLOR)
    assert (picture == COLOR).all()
    assert "in.png has colours of its own, which stay; --keep_color=no colors them" in done.err
    done, picture = predict(COLOR, "--keep_color=yes")
    assert (picture == COLOR).all()
    assert "of its own" not in done.err
    _, picture = predict(COLOR, "--keep_color=no")
    assert is_colored(COLOR, picture).mean() > 0.9


def test_a_tone_is_no_colour(predict):
    done, picture = predict(TONED)
    assert "of its own" not in done.err
    assert is_colored(TONED, picture).mean() > 0.9
    _, picture = predict(TONED, "--keep_color=yes")
    assert (picture == TONED).all()
    for mode in ("auto", "yes"):
        _, picture = predict(GRAY, f"--keep_color={mode}")
        assert is_colored(GRAY, picture).mean() > 0.9


def test_a_part_in_colour_stays(predict):
    done, picture = predict(HALF)
    assert "has colours of its own in 5" in done.err
    changed = is_colored(HALF, picture)
    assert changed[:, :85].mean() > 0.9
    assert not changed[:, 115:].any()


def test_hints_count_more_than_colours(predict, tmp_path):
    (tmp_path / "hints.json").write_text('[{"x": 50, "y": 50, "color": "#3030e0", "radius": 9}]')
    done, picture = predict(COLOR, f"--hints={tmp_path / 'hints.json'}")
    assert "of its own" not in done.err
    assert picture[50, 50, 2] > picture[50, 50, 0]


def test_hints_are_for_their_photo_of_a_page(predict, tmp_path):
    """The other one keeps its colours, and a line says so."""
    page = np.random.default_rng(0).normal(248, 1, (230, 520, 3)).clip(0, 255).astype(np.uint8)
    page[40:190, 40:240], page[40:190, 280:480] = COLOR, GRAY
    for x, kept in ((380, True), (140, False)):
        (tmp_path / "hints.json").write_text(f'[{{"x": {x}, "y": 100, "color": "#3030e0", "radius": 9}}]')
        done, picture = predict(page, f"--hints={tmp_path / 'hints.json'}")
        assert ("has colours of its own in 1 of its 2 photos" in done.err) == kept
        assert is_colored(page, picture)[50:180, 50:230].any() != kept
        assert is_colored(page, picture)[50:180, 290:470].mean() > 0.9


def test_the_report_tells(cli, vivid, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    for name, pixels in {"color": COLOR, "gray": GRAY, "half": HALF}.items():
        Image.fromarray(pixels).save(folder / f"{name}.png")
    assert cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}").code == 0
    told = [row["warning"] for row in read_csv(tmp_path / "old_colorized" / "report.csv")]
    assert told[:2] == ["has colours of its own, which stay", ""]
    assert "of its own in 5" in told[2]


def test_a_mask_says_what_to_color(predict, tmp_path):
    mask = np.zeros(GRAY.shape[:2], np.uint8)
    mask[:, 100:] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    for pixels in (GRAY, COLOR):
        done, picture = predict(pixels, f"--mask={tmp_path / 'mask.png'}")
        assert "of its own" not in done.err
        changed = is_colored(pixels, picture)
        assert not changed[:, :100].any()
        assert changed[:, 100:].mean() > 0.9


@pytest.mark.parametrize(
    ("size", "mode", "complaint"),
    [
        ((199, 150), "L", "mask.png is 199x150, and what it is for 200x150: the sizes must agree"),
        ((400, 300), "L", "mask.png is 400x300, and what it is for 200x150"),
        ((200, 150), "LA", "mask.png is transparent: fill it with white and black"),
        (None, None, "mask.png does not exist"),
    ],
)
def test_masks_that_do_not_fit(predict, tmp_path, size, mode, complaint):
    if size:
        Image.new(mode, size).save(tmp_path / "mask.png")
    done, _ = predict(GRAY, f"--mask={tmp_path / 'mask.png'}")
    assert done.code == 2
    assert complaint in done.error
