"""The solve beside cases with a known answer, and beside dense matrices made pixel by pixel."""

import numpy as np
import pytest
import skimage.data
import torch
from skimage.color import rgb2lab
from skimage.transform import resize

from inference.solve import neighbors, spread


def hints_at(height, width, given):
    """{(y, x): (a, b)} -> (1, 3, H, W)."""
    hints = torch.zeros(1, 3, height, width)
    for (y, x), ab in given.items():
        hints[0, :, y, x] = torch.tensor([*ab, 1.0])
    return hints


def weights_of_the_paper(Y):
    """w_rs for every pixel and neighbour, as the authors' code has them, in loops."""
    height, width = Y.shape
    found = np.zeros((Y.size, Y.size))
    for y in range(height):
        for x in range(width):
            window = np.pad(Y, 1, mode="symmetric")[y : y + 3, x : x + 3]
            near = [
                (v, u)
                for v in range(max(0, y - 1), min(height, y + 2))
                for u in range(max(0, x - 1), min(width, x + 2))
                if (v, u) != (y, x)
            ]
            squares = np.array([(Y[p] - Y[y, x]) ** 2 for p in near])
            sigma = max(0.6 * window.var(), squares.min() / -np.log(0.01), 2e-6)
            w = np.exp(-squares / sigma)
            for (v, u), share in zip(near, w / w.sum(), strict=True):
                found[y * width + x, v * width + u] = share
    return (found + found.T) / 2


def photo(side):
    lab = rgb2lab(resize(skimage.data.astronaut()[:256, 100:356], (side, side), anti_aliasing=True))
    return torch.from_numpy(lab).permute(2, 0, 1)[None].float()


def test_weights_are_those_of_the_paper():
    L = photo(12)[:, :1]
    Y = L[0, 0].double().numpy() / 100
    expected = weights_of_the_paper(Y)
    found = neighbors(Y)
    for i, (down, right) in enumerate([(0, 1), (1, -1), (1, 0), (1, 1)]):
        for y in range(12 - down):
            for x in range(max(0, -right), 12 - max(0, right)):
                pair = (y * 12 + x, (y + down) * 12 + x + right)
                assert found[i, y, x] == pytest.approx(expected[pair], rel=1e-6)


@pytest.mark.parametrize("reach", [None, 0.1, 1.0])
def test_the_solution_is_that_of_a_dense_matrix(reach):
    """The energy, written down pair by pair, and its minimum found by numpy."""
    lab = photo(16)
    hints = hints_at(16, 16, {(2, 3): (40, -20), (12, 9): (-30, 10), (12, 10): (-30, 12)})
    ab = None if reach is None else lab[:, 1:]
    found = spread(lab[:, :1], hints, ab, reach=reach or 1)
    S = weights_of_the_paper(lab[0, 0].double().numpy() / 100)
    fading = 0 if reach is None else 3 / 8 / (reach * 16) ** 2
    A = np.diag(S.sum(axis=1) + fading) - S
    is_given = (hints[0, 2] > 0).flatten().numpy()
    start = np.zeros((256, 2)) if ab is None else ab[0].flatten(1).T.double().numpy()
    change = np.where(is_given[:, None], hints[0, :2].flatten(1).T.numpy() - start, 0)
    free = ~is_given
    change[free] = np.linalg.solve(A[np.ix_(free, free)], -A[np.ix_(free, is_given)] @ change[is_given])
    assert np.abs(found[0].flatten(1).T.numpy() - (start + change)).max() < 0.05


def test_hints_everywhere_are_the_answer():
    lab = photo(40)
    hints = torch.cat((lab[:, 1:], torch.ones_like(lab[:, :1])), dim=1)
    assert torch.equal(spread(lab[:, :1], hints), lab[:, 1:])
    hints[..., ::2, 1::2] = 0  # every other pixel, none beside another
    found = spread(lab[:, :1], hints, torch.zeros_like(lab[:, 1:]))
    assert ((found - lab[:, 1:]) * hints[:, 2:]).abs().max() < 1e-5


def test_no_hint_changes_nothing():
    lab = photo(20)
    nothing = torch.zeros(1, 3, 20, 20)
    assert torch.equal(spread(lab[:, :1], nothing, lab[:, 1:]), lab[:, 1:])
    assert not spread(lab[:, :1], nothing).any()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1), (2, 9), (9, 2), (3, 3), (64, 48)])
def test_one_hint_colors_a_flat_photo(size):
    found = spread(torch.full((1, 1, *size), 60.0), hints_at(*size, {(size[0] - 1, 0): (25, -35)}))
    expected = torch.tensor([25.0, -35.0])[:, None, None].expand_as(found[0])
    assert (found[0] - expected).abs().max() < 0.05


def test_between_two_hints_of_a_flat_row_lies_a_line():
    found = spread(torch.full((1, 1, 1, 23), 60.0), hints_at(1, 23, {(0, 1): (0, -50), (0, 21): (20, 50)}))
    assert (found[0, 0, 0, 1:22] - torch.linspace(0, 20, 21)).abs().max() < 0.05
    assert (found[0, 1, 0, 1:22] - torch.linspace(-50, 50, 21)).abs().max() < 0.05


def test_colors_stay_on_their_side_of_a_sharp_edge():
    L = torch.full((1, 1, 40, 40), 20.0)
    L[..., 17:] = 80
    found = spread(L, hints_at(40, 40, {(10, 5): (50, 10), (30, 30): (-40, 20)}))[0, 0]
    assert (found[:, :17] - 50).abs().max() < 4
    assert (found[:, 17:] + 40).abs().max() < 4
    assert (found[:, 16] - found[:, 17]).min() > 83


def test_a_correction_fades_with_distance():
    """In one dimension as exp(-distance / reach)."""
    L, ab = torch.full((1, 1, 1, 201), 60.0), torch.full((1, 2, 1, 201), 7.0)
    found = spread(L, hints_at(1, 201, {(0, 100): (27, 7)}), ab, reach=0.1)
    # Both neighbours of a row lie along it, where 2 of 8 do in a picture: a step spreads by 1/2, not 3/8.
    reach = 20.1 * (0.5 / 0.375) ** 0.5
    x = (torch.arange(201) - 100).abs()
    assert (found[0, 0, 0] - 7 - 20 * (-x / reach).exp())[20:181].abs().max() < 0.25
    assert torch.equal(found[0, 1], ab[0, 1])
