"""A shot that comes back has the colours that it had; a new one those of the model."""

import numpy as np
import pytest
import safetensors.torch
import skimage.color
import skimage.data
import torch

from video import shots
from video.shots import Shots
from video.temporal import SteadyChroma, follow

TINT = torch.tensor([15.0, -10.0]).view(1, 2, 1, 1)


def frames(photo, start, num=3):
    """L and ab of a camera that moves on."""
    parts = [photo[i : i + 200, 2 * i : 2 * i + 300] for i in range(start, start + num)]
    values = np.stack([skimage.color.rgb2lab(part) for part in parts]).astype(np.float32)
    return [(x[None, :1], x[None, 1:]) for x in torch.from_numpy(values).permute(0, 3, 1, 2).contiguous()]


@pytest.fixture(scope="module")
def film():
    """A, B and then A in a tint; the model's own colours of each."""
    coffee, cat = skimage.data.coffee(), skimage.data.chelsea()
    again = [(L, ab + TINT) for L, ab in frames(coffee, 3)]
    return [*frames(coffee, 0), *frames(cat, 0), *again]


def color(film, steady):
    """Colours and states."""
    found = []
    for L, ab in film:
        before = steady.state.get("L")
        found.append((steady(L, ab, None if before is None else follow(L, before)), steady.state))
    return found


def test_a_shot_comes_back(film):
    plain, colored = (color(film, SteadyChroma(returning=x)) for x in (False, True))
    for i in range(6):  # nothing comes back
        assert torch.equal(colored[i][0], plain[i][0])
    for i in (6, 8):
        error, without = ((x[i][0] - (film[i][1] - TINT)).norm(dim=1).mean() for x in (colored, plain))
        assert error < 0.2 * without


def test_going_on_from_a_file_is_the_same_to_the_bit(film):
    whole = color(film, SteadyChroma())
    for stop in (4, 6, 7):
        first = SteadyChroma()
        color(film[:stop], first)
        state = safetensors.torch.load(safetensors.torch.save(first.state))
        rest = color(film[stop:], SteadyChroma(state))
        for (ab, after), (expected, expected_after) in zip(rest, whole[stop:], strict=True):
            assert torch.equal(ab, expected)
            assert after.keys() == expected_after.keys()
            assert all(torch.equal(after[key], expected_after[key]) for key in after)


def test_the_oldest_is_forgotten(film, monkeypatch):
    monkeypatch.setattr(shots, "_REMEMBERED", 3)
    seen, numbers = Shots({}), []
    for L, ab in (film[0], film[3], film[0], film[3]):
        seen.end(L, ab)
        seen.begin(L, ab)
        numbers.append(len(seen.state))
    assert numbers == [4, 6, 6, 6]
