"""Cuts are found, in dark shots too; a change of light and grain are none."""

import pytest
import skimage.data
import torch
from shots import SHOTS, lab, shot

from video.cuts import is_cut


def test_cuts_are_found_and_motion_is_none():
    L, _ = lab([frame for source in SHOTS for frame in shot(source())])
    cuts = [i for i in range(1, len(L)) if is_cut(L[i : i + 1], L[i - 1 : i])]
    assert cuts == [8, 16, 24]


def test_dark_shots_have_cuts_too():
    L, _ = lab([frame for source in SHOTS for frame in shot(source())])
    dark = 0.15 * L
    cuts = [i for i in range(1, len(dark)) if is_cut(dark[i : i + 1], dark[i - 1 : i])]
    assert cuts == [8, 16, 24]


@pytest.mark.parametrize(
    "change", [lambda L: L + 20, lambda L: 1.3 * L, lambda L: L + 5 * torch.randn_like(L)]
)
def test_light_and_grain_are_no_cut(change):
    torch.manual_seed(0)
    L, _ = lab([skimage.data.coffee()[:96, :128]])
    assert not is_cut(change(L), L)
    assert not is_cut(
        torch.full_like(L, 3) + torch.randn_like(L), torch.full_like(L, 3) + torch.randn_like(L)
    )
