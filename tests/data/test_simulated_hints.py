"""Simulated hints: their number, places and sizes are those of the paper, their colours the photo's."""

import pytest
import torch
from scipy.ndimage import label

from data.simulated_hints import give_patch, simulate_hints


def photos(num, height=64, width=48):
    return 50 * torch.randn(num, 2, height, width, generator=torch.Generator().manual_seed(0))


def test_a_patch_has_the_mean_colour():
    ab = photos(1)[0]
    hints = torch.zeros(3, 64, 48)
    give_patch(hints, ab, 10, 20, 7)
    assert hints[2, 7:14, 17:24].all()
    assert hints[2].sum() == 49
    expected = ab[:, 7:14, 17:24].mean(dim=(1, 2))
    assert (hints[:2, 10, 20] - expected).abs().max() < 1e-5
    assert not hints[:2, hints[2] == 0].any()


@pytest.mark.parametrize(("y", "x"), [(0, 0), (63, 47), (0, 47), (63, 0)])
@pytest.mark.parametrize("size", [1, 2, 9])
def test_a_patch_at_the_edge_is_cut(y, x, size):
    hints = torch.zeros(3, 64, 48)
    give_patch(hints, photos(1)[0], y, x, size)
    assert hints[2, y, x] == 1
    assert 1 <= hints[2].sum() <= size * size


def test_seeds_say_it_all():
    ab, seeds = photos(6), torch.arange(6)
    together = simulate_hints(ab, seeds)
    assert torch.equal(together, simulate_hints(ab, seeds))
    assert torch.equal(simulate_hints(ab[2:3], seeds[2:3]), together[2:3])
    assert not torch.equal(simulate_hints(ab, seeds + 6)[:, 2], together[:, 2])


def test_a_seed_whose_draw_is_zero():
    assert torch.rand(2, generator=torch.Generator().manual_seed(18179793))[1] == 0
    assert simulate_hints(torch.zeros(1, 2, 8, 8), torch.tensor([18179793]))[0, 2].any()


def test_number_and_places_are_those_of_the_paper():
    """Geometric: no hint in an eighth of the photos; all colours in a hundredth; rather near the middle."""
    hints = simulate_hints(torch.zeros(1500, 2, 96, 96), torch.arange(1500))
    given = hints[:, 2].flatten(1).mean(dim=1)
    assert (given == 0).float().mean() == pytest.approx(1 / 8, abs=0.03)
    assert 0.003 < (given == 1).float().mean() < 0.02
    some = hints[(given > 0) & (given < 1), 2]
    counts = [label(mask.numpy())[1] for mask in some[:300]]
    assert 4 < sum(counts) / len(counts) < 8  # 8 where there is one, less what overlaps
    chance = some.mean(dim=0)
    assert chance[36:60, 36:60].mean() > 2 * chance[:12, :12].mean()
