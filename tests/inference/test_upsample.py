"""Colours from small to large: exact where nothing is known, sharper where the lightness says so."""

import pytest
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image

from data.color import join, lab_to_rgb, rgb_to_lab
from inference.upsample import UPSAMPLERS, Stretched, bilinear, guided_filter
from metrics import delta_e_76


def to_lab(image):
    pixels = torch.frombuffer(bytearray(image.tobytes()), dtype=torch.uint8)
    return rgb_to_lab(pixels.view(1, image.height, image.width, 3).permute(0, 3, 1, 2).double() / 255)


@pytest.mark.parametrize(("height", "width"), [(100, 90), (7, 5), (7, 90), (100, 5), (16, 12), (1, 1)])
def test_rows_are_those_of_interpolate(height, width):
    image = torch.rand(1, 3, 16, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = F.interpolate(image, (height, width), mode="bilinear", antialias=True)
    stretched = Stretched(image, height, width)
    for top in range(0, height, 3):
        rows = slice(top, min(top + 3, height))
        assert (stretched[rows] - expected[..., rows, :]).abs().max() < 1e-12


def test_guided_is_bilinear_where_there_is_no_edge():
    ab = torch.rand(1, 2, 8, 8, generator=torch.Generator().manual_seed(0)) * 100
    small, large = torch.full((1, 1, 8, 8), 50.0), torch.full((1, 1, 40, 30), 50.0)
    rows = slice(0, 40)
    difference = guided_filter(small, ab, 40, 30)(large, rows) - bilinear(small, ab, 40, 30)(large, rows)
    assert difference.abs().max() < 1e-4


def test_colours_do_not_bleed_over_an_edge():
    """A dark blue and a light yellow half, ten times larger than the model saw them."""
    large = torch.full((1, 1, 80, 80), 20.0)
    large[..., 43:] = 90
    truth = torch.where(large > 50, 60.0, -60.0)
    small_L, small_b = (F.interpolate(x, (8, 8), mode="area") for x in (large, truth))
    small_ab = torch.cat((torch.zeros_like(small_b), small_b), dim=1)
    errors = {}
    for name, upsample in UPSAMPLERS.items():
        found = upsample(small_L, small_ab, 80, 80)(large, slice(0, 80))
        errors[name] = (found[:, 1:] - truth).abs().mean().item()
    assert errors["guided"] < 0.3 * errors["bilinear"]


@pytest.mark.parametrize("name", ["astronaut", "coffee", "chelsea", "rocket", "retina", "hubble_deep_field"])
def test_true_colours_of_photos_come_back_closer(name):
    photo = Image.fromarray(getattr(skimage.data, name)())
    small, large = to_lab(photo.resize((128, 128), Image.Resampling.BILINEAR)), to_lab(photo)
    errors = {}
    for upsampler, upsample in UPSAMPLERS.items():
        ab = upsample(small[:, :1], small[:, 1:], photo.height, photo.width)(
            large[:, :1], slice(0, photo.height)
        )
        lab = rgb_to_lab(lab_to_rgb(join(large[:, :1], ab)))
        errors[upsampler] = delta_e_76(lab, large).item()
    assert errors["guided"] < 0.97 * errors["bilinear"]
