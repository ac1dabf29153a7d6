"""Augmentation: one sampling, no black corners, the parameters within their ranges."""

import pytest
import torch
import torch.nn.functional as F
import torchvision.transforms.v2.functional as TF
from conftest import crops

from data import augment as module
from data.augment import MIN_CROP, random_affine, sampling_grid, warp_affine


@pytest.fixture
def photos():
    return torch.stack([torch.from_numpy(c).permute(2, 0, 1) for c in crops(8)]).float() / 255


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def augment(photos, generator, min_crop=MIN_CROP):
    return warp_affine(photos, random_affine(len(photos), generator, min_crop))


def test_follows_the_generator(photos):
    first, second = augment(photos, generator()), augment(photos, generator())
    assert torch.equal(first, second)
    assert not torch.equal(first, augment(photos, generator(1)))
    assert first.shape == photos.shape
    assert first.min() >= 0
    assert first.max() <= 1


def test_no_black_corners():
    white = torch.ones(64, 3, 32, 32)
    assert augment(white, generator()).min() > 0.999


@pytest.mark.parametrize("smallest", [0.8, 0.3])
def test_parameters_are_in_range(smallest):
    theta = random_affine(20_000, generator(), smallest)
    matrix, centre = theta[:, :, :2], theta[:, :, 2]
    area = torch.linalg.det(matrix).abs()
    assert area.min() >= smallest - 1e-4
    assert area.max() <= 1 + 1e-4
    assert area.mean() == pytest.approx((1 + smallest) / 2, abs=0.01)
    flipped = torch.linalg.det(matrix) < 0
    assert flipped.float().mean() == pytest.approx(0.5, abs=0.02)
    # The second column is (-sin, cos) * height, whichever way the photo is flipped.
    angle = torch.atan2(-matrix[:, 0, 1], matrix[:, 1, 1]).rad2deg()
    assert angle.abs().max() <= 15
    assert angle.std() == pytest.approx(30 / 12**0.5, abs=0.2)
    # Turned back, the crop lies inside the photo.
    back = torch.stack(
        (
            torch.stack((angle.deg2rad().cos(), angle.deg2rad().sin()), 1),
            torch.stack((-angle.deg2rad().sin(), angle.deg2rad().cos()), 1),
        ),
        1,
    )
    corners = torch.tensor([[-1.0, -1.0, 1.0, 1.0], [-1.0, 1.0, -1.0, 1.0]])
    seen = back @ (matrix @ corners + centre[:, :, None])
    assert seen.abs().max() <= 1 + 1e-4


def test_rotation_alone_matches_torchvision(photos):
    """With the crop fixed to the whole photo, what is left is a rotation and perhaps a flip."""
    theta = random_affine(len(photos), generator(), min_crop=1)
    turned = augment(photos, generator(), min_crop=1)
    inside = slice(16, 48)
    for photo, matrix, ours in zip(photos, theta, turned, strict=True):
        if torch.linalg.det(matrix[:, :2]) < 0:
            ours = ours.flip(-1)
        angle = torch.atan2(-matrix[0, 1], matrix[1, 1]).rad2deg().item()
        expected = TF.rotate(photo, angle, interpolation=TF.InterpolationMode.BILINEAR)
        assert (ours - expected)[:, inside, inside].abs().max() < 2e-3


@pytest.mark.parametrize("size", [7, 64])
def test_sampling_grid_matches_torch(size):
    theta = random_affine(16, generator())
    expected = F.affine_grid(theta, [16, 3, size, size], align_corners=False)
    assert (sampling_grid(theta, size) - expected).abs().max() < 1e-6


def test_identity(photos, monkeypatch):
    monkeypatch.setattr(module, "MAX_ROTATION", 0.0)
    for photo, ours in zip(photos, augment(photos, generator(), min_crop=1), strict=True):
        assert min(F.l1_loss(ours, photo), F.l1_loss(ours.flip(-1), photo)) < 1e-5


def test_only_squares():
    with pytest.raises(ValueError, match="square"):
        warp_affine(torch.zeros(1, 3, 8, 9), random_affine(1, generator()))
