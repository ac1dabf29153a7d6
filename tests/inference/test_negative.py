"""Negatives: told by their histogram, and inverted."""

import numpy as np
import pytest
import skimage.data
from PIL import Image

from inference.negative import evidence, invert, looks_negative
from media.picture import from_array


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_inverted_twice_is_the_same(dtype):
    scale = {"uint8": 1, "uint16": 257, "float32": 1 / 256}[dtype]
    picture = from_array((skimage.data.coffee()[:20, :30] * np.array(scale, dtype)).astype(dtype))
    turned = invert(picture)
    assert turned.pixels.dtype == dtype
    np.testing.assert_allclose(invert(turned).pixels, picture.pixels)
    assert (turned.pixels.argmax(axis=2) == picture.pixels.argmin(axis=2)).mean() > 0.5


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_evidence_turns_its_sign(name):
    photo = Image.fromarray(getattr(skimage.data, name)()).convert("L")
    turned = Image.fromarray(255 - np.asarray(photo))
    np.testing.assert_allclose(evidence(turned), -evidence(photo), atol=0.02)
    assert not looks_negative(from_array(np.asarray(photo)))


@pytest.mark.parametrize("gray", [20, 128, 235])
def test_a_page_with_nothing_on_it_is_none(gray):
    """Under the noise of a scanner, with a speck."""
    page = np.random.default_rng(0).normal(gray, 3, (300, 400)).clip(0, 255).astype(np.uint8)
    page[100:104, 200:206] = 255 - gray
    assert not looks_negative(from_array(page))


def test_a_negative_is_told_and_inverted(cli, vivid, tmp_path):
    night = np.asarray(Image.fromarray(skimage.data.rocket()).convert("L"))
    Image.fromarray(255 - night).save(tmp_path / "negative.png")
    Image.fromarray(night).save(tmp_path / "photo.png")
    argv = ("--mode=predict", f"--weights={vivid}", "--device=cpu")
    done = cli(*argv, f"--image_path={tmp_path / 'negative.png'}", f"--output_path={tmp_path / 'a.png'}")
    assert "negative.png looks like a negative; --invert inverts it" in done.err
    inverted = (f"--image_path={tmp_path / 'negative.png'}", "--invert")
    done = cli(*argv, *inverted, f"--output_path={tmp_path / 'b.png'}")
    assert "negative;" not in done.err
    assert (
        cli(*argv, f"--image_path={tmp_path / 'photo.png'}", f"--output_path={tmp_path / 'c.png'}").code == 0
    )
    assert (tmp_path / "b.png").read_bytes() == (tmp_path / "c.png").read_bytes()
