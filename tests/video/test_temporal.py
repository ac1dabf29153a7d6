"""Colours are steady, and nothing of one shot gets into the next."""

import itertools

import numpy as np
import skimage.color
import skimage.data
import torch
from shots import lab, shot

from video.temporal import SteadyChroma, follow


def step(steady, L, ab):
    """The colours of the next frame."""
    before = steady.state.get("L")
    return steady(L, ab, None if before is None else follow(L, before))


def test_noise_is_averaged_on_a_static_scene():
    """An average with memory m keeps sqrt((1 - m) / (1 + m)) of independent noise: 0.28 for 0.85."""
    torch.manual_seed(0)
    L, ab = lab([skimage.data.chelsea()[:96, :128]])
    steady = SteadyChroma()
    result = [step(steady, L + torch.randn_like(L), ab + 5 * torch.randn_like(ab)) for _ in range(40)]
    change = torch.stack([(a - b).norm(dim=1).mean() for a, b in itertools.pairwise(result[20:])]).mean()
    raw = 5 * np.sqrt(np.pi)  # mean distance of two such vectors
    assert change < 0.25 * raw
    assert (torch.stack(result[20:]).mean(0) - ab).norm(dim=1).mean() < 3


def test_colours_move_with_what_they_belong_to():
    L, ab = lab(shot(skimage.data.coffee(), num=10, step=2))
    steady = SteadyChroma()
    step(steady, L[:1], ab[:1])
    for i in range(1, 10):  # a model that knows no colours: those of the first frame have to be carried along
        carried = step(steady, L[i : i + 1], torch.zeros_like(ab[:1]))
    kept = 0.85**9
    inner = (..., slice(12, -24), slice(12, -36))
    error = (carried - kept * ab[9:])[inner].norm(dim=1).mean()
    left_behind = (kept * ab[:1] - kept * ab[9:])[inner].norm(dim=1).mean()
    assert error < 0.5 * left_behind


def test_a_cut_forgets():
    L, ab = lab([skimage.data.coffee()[:96, :128], skimage.data.astronaut()[:96, :128]])
    steady = SteadyChroma()
    step(steady, L[:1], ab[:1])
    assert torch.equal(step(steady, L[1:], ab[1:]), ab[1:])


def test_what_comes_into_sight_has_its_own_colours():
    L, ab = lab([skimage.data.coffee()[:96, :128]] * 2)
    L, ab = L.clone(), ab.clone()
    L[1, :, 30:60, 40:80] = 95 - L[1, :, 30:60, 40:80]
    ab[1] = 40
    steady = SteadyChroma()
    step(steady, L[:1], ab[:1])
    result = step(steady, L[1:], ab[1:])
    L_differs = (L[1, 0] - L[0, 0]).abs()[36:54, 46:74] > 30
    assert (result[0, :, 36:54, 46:74] - 40).norm(dim=0)[L_differs].mean() < 3


def test_the_state_is_all_that_it_remembers():
    L, ab = lab(shot(skimage.data.coffee(), num=4))
    one, first = SteadyChroma(), SteadyChroma()
    whole = [step(one, L[i : i + 1], ab[i : i + 1]) for i in range(4)]
    for i in range(2):
        step(first, L[i : i + 1], ab[i : i + 1])
    second = SteadyChroma(first.state)
    for i in range(2, 4):
        assert torch.equal(step(second, L[i : i + 1], ab[i : i + 1]), whole[i])
