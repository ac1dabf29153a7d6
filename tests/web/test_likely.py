"""Which colours are suggested: those that most models agree on first, at the lightness of the place."""

import numpy as np
import skimage.color
import torch

from inference.chroma import Chroma
from media.picture import from_array
from web.likely import groups, likely_colors


def test_groups():
    ab = torch.tensor([[50.0, 0], [0, 30], [2, 30], [4, 30], [51, 0]])
    assert torch.equal(groups(ab), torch.tensor([[2.0, 30], [50.5, 0]]))
    assert groups(ab[:1]).tolist() == [[50, 0]]


def chroma_of(color):
    """Color on the left half, gray on the right."""
    ab = torch.zeros(1, 2, 4, 6)
    ab[0, :, :, :3] = torch.tensor(color, dtype=torch.float32)[:, None, None]
    return Chroma(ab, (60, 40), "test")


def test_colors_are_those_of_the_place():
    gray = np.full((40, 60, 3), 90, np.uint8)
    gray[:, 40:] = 160
    predicted = [chroma_of((20, 10)), chroma_of((0, -25)), chroma_of((1, -25))]
    left = likely_colors(from_array(gray), predicted, (0.1, 0.5))
    lab = skimage.color.rgb2lab(np.array([[int(c[i : i + 2], 16) for i in (1, 3, 5)] for c in left]) / 255)
    expected = skimage.color.rgb2lab(np.full((1, 3), 90 / 255))[0, 0]
    assert np.abs(lab - [[expected, 0.5, -25], [expected, 20, 10]]).max() < 0.6
    assert likely_colors(from_array(gray), predicted, (0.9, 0.5)) == ["#a0a0a0"]
