"""What colour is, and what the tone of a print, a scanner or JPEG makes of gray."""

import io

import numpy as np
import pytest
import skimage.data
from PIL import Image

from data.own_color import colored_part, gray_part, has_color, is_toned, small_lab

NAMES = ("astronaut", "chelsea", "coffee")


def photo(name):
    return Image.fromarray(getattr(skimage.data, name)()[:300, :400])


def toned(image, exponents, cast=0):
    """A print whose three layers have responses of their own, with a scanner's cast."""
    gray = np.asarray(image.convert("L"))[..., None] / 255
    pixels = 255 * gray ** np.array(exponents) + np.random.default_rng(0).normal(0, cast or 1e-9, (1, 1, 3))
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def as_jpeg(image, quality):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [20, 90])
@pytest.mark.parametrize(("exponents", "cast"), [((0.6, 1, 1.8), 0), ((1.8, 1.1, 0.7), 0), ((1, 1, 1.15), 6)])
def test_prints_in_one_hue_have_no_colour(name, quality, exponents, cast):
    """Sepia, a cyanotype, yellowed paper; through JPEG."""
    assert not has_color(small_lab(as_jpeg(toned(photo(name), exponents, cast), quality)))


def test_a_toned_print_is_told_from_gray():
    assert is_toned(small_lab(toned(photo("coffee"), (0.6, 1, 1.8))))
    assert not is_toned(small_lab(photo("coffee").convert("L").convert("RGB")))
    assert not is_toned(small_lab(photo("coffee")))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("quality", [30, 95])
def test_colour_photos_have_colour(name, quality):
    lab = small_lab(as_jpeg(photo(name), quality))
    assert has_color(lab)
    assert not gray_part(lab).any()


@pytest.mark.parametrize("name", NAMES)
def test_half_of_a_photo(name):
    pixels = np.array(photo(name))
    half = pixels.shape[1] // 2
    pixels[:, :half] = np.asarray(photo(name).convert("L"))[:, :half, None]
    lab = small_lab(as_jpeg(Image.fromarray(pixels), 85), 256)
    assert has_color(lab)
    part = colored_part(lab)
    middle = part.shape[1] // 2
    assert part[:, : middle - 16].max() == 0
    assert part[:, middle + 16 :].mean() > 0.9
