"""Optical flow: known motions, and scikit-image's as a reference."""

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F
from skimage.registration import optical_flow_ilk

from video.flow import optical_flow, resize_flow, warp


@pytest.fixture(scope="module")
def photo():
    whole = torch.from_numpy(skimage.data.astronaut().mean(2).astype(np.float32) / 255)[None, None]
    return F.interpolate(whole, (110, 110), mode="bilinear", antialias=True)


@pytest.mark.parametrize(("right", "down"), [(0, 0), (1.5, -0.7), (5, 3), (-8, 6)])
def test_a_known_shift(photo, right, down):
    shift = torch.tensor([right, down]).float().view(1, 2, 1, 1)
    now = warp(photo, shift.expand(1, 2, *photo.shape[-2:]))
    flow = optical_flow(now, photo)
    error = (flow - shift).norm(dim=1)[..., 16:-16, 16:-16]
    assert error.median() < 0.05
    assert error.mean() < 0.4


def test_against_scikit_image(photo):
    y, x = torch.meshgrid(torch.linspace(-1, 1, 110), torch.linspace(-1, 1, 110), indexing="ij")
    zoom = torch.stack((2 * x, 3 * y))[None]
    now = warp(photo, zoom)
    reference = torch.from_numpy(optical_flow_ilk(now[0, 0].numpy(), photo[0, 0].numpy())[::-1].copy())[None]
    ours = optical_flow(now, photo)
    off, off_reference, apart = (
        difference[..., 10:-10, 10:-10].norm(dim=1).median()
        for difference in (ours - zoom, reference - zoom, ours - reference)
    )
    assert off < off_reference < 0.2
    assert apart < off + off_reference


def test_warp_by_hand():
    image = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0], flow[:, 1] = 1, -1
    # One to the right and one up; what lies outside is the border.
    expected = torch.tensor([[1.0, 2, 3, 3], [1, 2, 3, 3], [5, 6, 7, 7]])
    assert torch.allclose(warp(image, flow)[0, 0], expected)


def test_a_flow_is_counted_in_pixels_of_its_size():
    flow = torch.ones(1, 2, 4, 5)
    large = resize_flow(flow, (8, 20))
    assert large.shape == (1, 2, 8, 20)
    assert (large[:, 0] == 4).all()
    assert (large[:, 1] == 2).all()


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (25, 24)])
def test_any_size(size):
    assert optical_flow(torch.rand(1, 1, *size), torch.rand(1, 1, *size)).isfinite().all()
