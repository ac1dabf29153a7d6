"""The moving average of weights, by hand and against PyTorch's own."""

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from engine.ema import EMA


def test_first_steps_by_hand():
    """Decays of 1/10 and then 0.15, on weights 0, 1, 2, 3 one after the other."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    average = EMA(model, 0.15)
    expected = 0.0
    for step, decay in enumerate((0.1, 0.15, 0.15), start=1):
        model.weight.data.fill_(float(step))
        average.update(model)
        expected = decay * expected + (1 - decay) * step
        assert average.model.weight.item() == pytest.approx(expected, rel=1e-6)


def test_long_after_the_start_it_is_that_of_torch():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    ours = EMA(model, 0.9)
    ours.num_updates = 10**6
    theirs = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9), use_buffers=True)
    theirs.update_parameters(model)  # the first one copies
    for _ in range(5):
        model(torch.randn(8, 3))
        with torch.no_grad():
            model[0].weight.add_(0.1)
        ours.update(model)
        theirs.update_parameters(model)
    for (name, one), other in zip(
        ours.model.state_dict().items(), theirs.module.state_dict().values(), strict=True
    ):
        if one.is_floating_point():
            assert torch.allclose(one, other, atol=1e-6), name
    assert ours.model[1].num_batches_tracked == model[1].num_batches_tracked


def test_restored():
    model = nn.Linear(2, 2)
    first, second = EMA(model, 0.9), EMA(nn.Linear(2, 2), 0.9)
    first.update(model)
    second.load_state_dict(first.state_dict())
    for average in (first, second):
        average.update(model)
    assert torch.equal(first.model.weight, second.model.weight)
    assert second.num_updates == 2
