"""Simulate a person's hints from a photo's true colours, to train guided models.

Source: Zhang et al. 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors", section 3.1.1.
"""

from __future__ import annotations

import torch
from torch import Tensor

STOP = 1 / 8
"""Parameter of the geometric distribution of the number of hints, whose mean is 7."""
ALL_COLORS = 1 / 100
"""Probability that a photo's hints are all of its colours."""
LARGEST_PATCH = 9
"""Largest side of a hint, a square of at least 1 pixel."""


def simulate_hints(ab: Tensor, seeds: Tensor) -> Tensor:
    """Draw random hints as the paper does: few patches, more likely near the centre.

    Args:
        ab: (N, 2, H, W), true colours in CIELAB units.
        seeds: (N,) int64, the random seed of each photo.
    Returns:
        (N, 3, H, W), same dtype and device: the mean a* and b* of each patch, 0 elsewhere; and a mask, 1 in
        patches, 0 elsewhere.
    """
    hints = ab.new_zeros(len(ab), 3, *ab.shape[-2:])
    for photo, given, seed in zip(ab, hints, seeds.tolist(), strict=True):
        generator = torch.Generator().manual_seed(seed)
        chances = torch.rand(2, generator=generator)
        if chances[0] < ALL_COLORS:
            given[:2], given[2] = photo, 1
            continue
        # `rand` is a multiple of 2^-24 and can be 0.
        num = int(chances[1].clamp_min(2**-24).double().log() / torch.tensor(1 - STOP).double().log())
        # Mean 1/2 and standard deviation 1/4 of the sides; places outside are moved to the edge.
        places = 0.5 + 0.25 * torch.randn(num, 2, generator=generator)
        sizes = torch.randint(1, LARGEST_PATCH + 1, (num,), generator=generator)
        for place, size in zip(places.tolist(), sizes.tolist(), strict=True):
            y, x = (
                min(max(int(p * side), 0), side - 1) for p, side in zip(place, ab.shape[-2:], strict=True)
            )
            give_patch(given, photo, y, x, size)
    return hints


def give_patch(hints: Tensor, ab: Tensor, y: int, x: int, size: int) -> None:
    """Write the mean colour of a patch into hints.

    Args:
        hints: (3, H, W), modified in place.
        ab: (2, H, W), true colours.
        y, x: the patch's centre; the patch is clipped to the photo.
        size: its side, pixels.
    """
    top, left = y - (size - 1) // 2, x - (size - 1) // 2
    box = slice(max(0, top), top + size), slice(max(0, left), left + size)
    hints[:2, *box] = ab[:, *box].mean(dim=(1, 2), keepdim=True)
    hints[2, *box] = 1
