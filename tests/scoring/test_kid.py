"""The kernel distance against loops, by hand, and by what an unbiased estimate owes."""

import numpy as np
import pytest
import torch

from scoring import kid
from scoring.kid import kid_terms


def draw(num, dims, seed, offset=0.0):
    return torch.from_numpy(np.random.default_rng(seed).normal(size=(num, dims)) + offset)


def by_loops(x, y):
    k = lambda a, b: (float(a @ b) / len(a) + 1) ** 3  # noqa: E731
    num, total = len(x), 0.0
    for i in range(num):
        for j in range(num):
            if i != j:
                total += k(x[i], x[j]) + k(y[i], y[j]) - k(x[i], y[j]) - k(x[j], y[i])
    return total / (num * (num - 1))


@pytest.mark.parametrize("rows", [3, 1024])
def test_as_loops_have_it(monkeypatch, rows):
    monkeypatch.setattr(kid, "_ROWS", rows)
    first, second = draw(10, 4, 0), draw(10, 4, 1, offset=0.5)
    assert kid_terms(first, second).mean().item() == pytest.approx(by_loops(first, second))


def test_two_photos_by_hand():
    """x = 0 and 1, y = 1 and 2: k(0, 1) + k(1, 2) - k(0, 2) - k(1, 1) = 1 + 27 - 1 - 8, for both."""
    terms = kid_terms(torch.tensor([[0.0], [1.0]]), torch.tensor([[1.0], [2.0]]))
    assert terms.tolist() == pytest.approx([19, 19])


def test_unbiased_and_as_uncertain_as_its_terms_say():
    """Over draws of the same kind it is 0 in the mean; of different kinds it varies as the terms do."""
    same = [kid_terms(draw(12, 3, s), draw(12, 3, s + 1000)).mean().item() for s in range(400)]
    assert abs(np.mean(same)) < 3 * np.std(same) / 20
    others = [kid_terms(draw(60, 3, s), draw(60, 3, s + 1000, offset=0.7)) for s in range(200)]
    spread = np.std([terms.mean().item() for terms in others])
    told = np.mean([terms.std().item() / 60**0.5 for terms in others])
    assert told == pytest.approx(spread, rel=0.2)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 2)), ((4, 3), (5, 3)), ((1, 3), (1, 3)), ((4,), (4,))])
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match="expected"):
        kid_terms(*map(torch.zeros, shapes))
