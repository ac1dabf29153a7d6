"""Do the colours move with the photo?"""

import pytest
import torch

from scoring.shift import SHIFT, shift


@pytest.fixture
def L():
    return 100 * torch.rand(2, 1, 40, 48, generator=torch.Generator().manual_seed(0))


def colors_of_pixels(L):
    """Shift-invariant: every pixel by itself."""
    return torch.cat((L - 50, 20 - L / 4), dim=1)


def slope(L):
    """Of the position alone: a* grows by 3 per column, b* by 1 per row."""
    rows, columns = (torch.arange(size, dtype=L.dtype) for size in L.shape[-2:])
    ab = torch.stack((3 * columns.expand(len(rows), -1), rows[:, None].expand(-1, len(columns))))
    return ab.expand(len(L), -1, -1, -1)


def test_colours_that_stay_on_their_pixels(L):
    assert torch.equal(shift(colors_of_pixels, L, colors_of_pixels(L)), torch.zeros(2))


def test_colours_of_the_position_alone(L):
    expected = torch.full((2,), SHIFT * (3**2 + 1**2) ** 0.5)
    assert torch.allclose(shift(slope, L, slope(L)), expected)


def test_twice_the_colours_twice_the_distance(L):
    """What is reported over the chroma does not depend on how lively a model is."""

    def lively(L):
        return 2 * slope(L)

    assert torch.allclose(shift(lively, L, lively(L)), 2 * shift(slope, L, slope(L)))


def test_each_photo_by_itself(L):
    """A grid of colours of 32 px has moved by half a period; a photo that is gray has none."""

    def grid(L):
        columns = torch.arange(L.shape[-1]) % 32 < 16
        return torch.where(columns & (L > 0), 10.0, 0.0).expand(-1, 2, -1, -1)

    L[0] = 0
    assert shift(grid, L, grid(L)).tolist() == pytest.approx([0, 10 * 2**0.5])


def test_what_comes_in_is_the_mirror_image(L):
    seen = []

    def predict(L):
        seen.append(L)
        return torch.zeros_like(L).expand(-1, 2, -1, -1)

    shift(predict, L, predict(L))
    first, moved = seen
    assert moved.shape == first.shape
    assert torch.equal(moved[..., SHIFT:, SHIFT:], first[..., :-SHIFT, :-SHIFT])
    assert torch.equal(moved[..., SHIFT - 3, SHIFT:], first[..., 3, :-SHIFT])
    assert torch.equal(moved[..., SHIFT:, SHIFT - 3], first[..., :-SHIFT, 3])


def test_photos_too_small(L):
    with pytest.raises(ValueError, match="more than 16"):
        shift(colors_of_pixels, L[..., :SHIFT], colors_of_pixels(L[..., :SHIFT]))
