"""How a clip lies on the screen."""

import itertools

import numpy as np
import pytest
import torch
from clips import SIZE, pictures, write_clip

from media.clip import open_clip

pytest.importorskip("av")

_ONE = 1 << 16
_TURNS = list(itertools.product((_ONE, -_ONE), (_ONE, -_ONE), (False, True)))


def shown(codes, a, b, c, d):
    """Every pixel (x, y) at (a x + c y, b x + d y), as QuickTime defines a display matrix."""
    y, x = np.indices(codes.shape)
    right, down = a * x + c * y, b * x + d * y
    right, down = right - right.min(), down - down.min()
    result = np.empty((down.max() + 1, right.max() + 1), codes.dtype)
    result[down, right] = codes
    return result


@pytest.mark.parametrize(("first", "second", "is_on_its_side"), _TURNS)
def test_all_eight_ways_of_lying(tmp_path, first, second, is_on_its_side):
    a, b, c, d = (0, first, second, 0) if is_on_its_side else (first, 0, 0, second)
    path = write_clip(tmp_path / "clip.mp4", pictures(2), matrix=(a, b, 0, c, d, 0, 0, 0, 1 << 30))
    clip = open_clip(path, max_pixels=10**6)
    codes = np.arange(SIZE[0] * SIZE[1]).reshape(SIZE[::-1])
    expected = shown(codes, *(number // _ONE for number in (a, b, c, d)))
    assert (clip.upright(codes) == expected).all()
    assert clip.upright_size == expected.shape[::-1]
    assert (clip.as_stored(torch.from_numpy(expected)).numpy() == codes).all()
