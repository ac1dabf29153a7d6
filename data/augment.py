"""Random flip, rotation and resized crop of a batch, on its own device, in one interpolation."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ROTATION = 15.0
"""Largest rotation in either direction, degrees."""
MIN_CROP = 0.8
"""Smallest share of a photo's area that a crop keeps, as published."""
CROP_ASPECT = (3 / 4, 4 / 3)
"""Width over height of a crop, before it is stretched back to the photo's shape."""


def warp_affine(rgb: Tensor, theta: Tensor) -> Tensor:
    """Warp photos (N, 3, S, S) by the maps (N, 2, 3) of `random_affine`, in a single interpolation.

    Pixels outside the photo are filled by reflection, so that the network sees no black corners.

    Raises:
        ValueError: the photos are not square: the rotation would shear them.
    """
    if rgb.ndim != 4 or rgb.shape[-1] != rgb.shape[-2]:
        raise ValueError(f"expected square photos (N, C, S, S), got {tuple(rgb.shape)}")
    grid = sampling_grid(theta.to(rgb), rgb.shape[-1])
    return F.grid_sample(rgb, grid, padding_mode="reflection", align_corners=False)


def sampling_grid(theta: Tensor, size: int) -> Tensor:
    """Sampling grid of affine maps, as `F.affine_grid(..., align_corners=False)`, but faster.

    An affine map is the sum of a term of the column and a term of the row, so no matrix product is needed.

    Args:
        theta: (N, 2, 3), such as from `random_affine`.
        size: S, side of the photos in pixels.
    Returns:
        (N, S, S, 2), x and y in [-1, 1], of theta's dtype and device.
    """
    centers = torch.linspace(1 / size - 1, 1 - 1 / size, size).to(theta)
    grid = theta.new_empty(len(theta), size, size, 2)
    for axis, (of_x, of_y, offset) in enumerate(theta.permute(1, 2, 0)[..., None]):
        columns, rows = of_x * centers, of_y * centers + offset
        torch.add(columns[:, None, :], rows[:, :, None], out=grid[..., axis])
    return grid


def random_affine(num: int, generator: torch.Generator, min_crop: float = MIN_CROP) -> Tensor:
    """Draw `num` maps from output to input coordinates, both in [-1, 1].

    Half of them flip; each rotates by up to 15 degrees in either direction, and crops.

    Args:
        num: N.
        generator: on the CPU, so that every device gets the same random numbers.
        min_crop: smallest share of the area that a crop keeps, in (0, 1].
    Returns:
        (N, 2, 3) float32: [rotation * scale * flip | centre of the crop].
    """
    u = torch.rand(6, num, generator=generator)
    area = min_crop + (1 - min_crop) * u[0]
    # Neither side of the crop may exceed the photo's: width = sqrt(area * aspect) <= 1.
    low = area.clamp_min(CROP_ASPECT[0]).log()
    high = (1 / area).clamp_max(CROP_ASPECT[1]).log()
    aspect = (low + (high - low) * u[1]).exp()
    width, height = (area * aspect).sqrt(), (area / aspect).sqrt()
    x, y = (1 - width) * (2 * u[2] - 1), (1 - height) * (2 * u[3] - 1)
    flip = torch.where(u[4] < 0.5, -1.0, 1.0)
    angle = math.radians(MAX_ROTATION) * (2 * u[5] - 1)

    cos, sin = angle.cos(), angle.sin()
    # Crop first, then rotate about the centre of the photo: R @ (scale @ p + centre).
    return torch.stack(
        (
            torch.stack((cos * width * flip, -sin * height, cos * x - sin * y), dim=1),
            torch.stack((sin * width * flip, cos * height, sin * x + cos * y), dim=1),
        ),
        dim=1,
    )
