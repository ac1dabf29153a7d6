"""How sure unet is, with distributions made by hand."""

import math

import pytest
import torch

from models.bins import NUM_BINS, NUM_NEIGHBORS
from models.registry import build_model
from models.unet import Output

L = torch.full((1, 1, 40, 48), 50.0)


@pytest.fixture(scope="module")
def model():
    return build_model("unet", preset="small", encoder="test_efficientnet", encoder_weights="random").eval()


def confidence_of(model, *shares):
    """Of as many bins as there are shares, the rest impossible: the one value that the map has."""
    logits = torch.full((1, NUM_BINS, 16, 16), -1e4)
    logits[:, : len(shares)] = torch.tensor(shares).log()[:, None, None]
    sure = model.confidence(Output(None, logits), L)
    assert sure.shape == L.shape
    assert sure.max() - sure.min() < 1e-6
    return sure.max().item()


def test_by_the_entropy(model):
    assert confidence_of(model, 1.0) == 1
    assert confidence_of(model, *[1 / NUM_NEIGHBORS] * NUM_NEIGHBORS) == pytest.approx(1)
    assert confidence_of(model, *[1 / NUM_BINS] * NUM_BINS) == pytest.approx(0, abs=1e-5)
    # Ten bins at a half and ten at a half of that half: ln 20 plus the loss by their difference, by hand.
    shares = [2 / 30] * 10 + [1 / 30] * 10
    entropy = 10 * 2 / 30 * math.log(15) + 10 / 30 * math.log(30)
    expected = 1 - (entropy - math.log(5)) / (math.log(313) - math.log(5))
    assert confidence_of(model, *shares) == pytest.approx(expected, abs=1e-5)


def test_of_a_photo(model):
    with torch.inference_mode():
        photos = torch.rand(2, 1, 40, 48) * 100
        sure = model.confidence(model(photos), photos)
    assert sure.shape == (2, 1, 40, 48)
    assert 0 <= sure.min() < sure.max() <= 1


def test_without_a_distribution_nothing_is_said():
    model = build_model("unet", preset="small", encoder="test_efficientnet", heads="mean")
    assert model.confidence(model(L), L) is None
    assert build_model("model1").confidence(torch.zeros(1, 2, 40, 48), L) is None
