"""Updates of a model whose parameters learn at different rates."""

import pytest
import torch
from torch import nn

from data.batch import Batch
from engine.step import Stepper
from models.base import ColorizationModel
from models.objective import Group, Objective, Update
from models.settings import ModelSettings


class TwoRates(ColorizationModel):
    """Two numbers whose loss has the same gradient for both; the second learns at a tenth."""

    def __init__(self):
        super().__init__(ModelSettings())
        self.fast, self.slow = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))


class TwoRatesObjective(Objective):
    def updates(self, model):
        return [Update([Group([model.fast]), Group([model.slow], 0.1)], self.losses)]

    def losses(self, model, batch):
        return {"loss": (model.fast + model.slow).mean()}


def stepper_of(model, lr):
    return Stepper(
        model, TwoRatesObjective(model, None), lr=lr, device=torch.device("cpu"), dtype=torch.float32
    )


def test_groups_learn_at_their_own_rates():
    """Adam moves by the learning rate while the gradient stays the same."""
    model = TwoRates()
    stepper = stepper_of(model, 0.1)
    batch = Batch(torch.zeros(2, 1, 4, 4), torch.zeros(2, 2, 4, 4), ("a", "b"))
    stepper.step(1, batch, 2)
    assert (model.fast.item(), model.slow.item()) == pytest.approx((-0.1, -0.01), rel=1e-4)
    stepper.set_lr(0.02)
    assert stepper.lr == 0.02
    stepper.step(2, batch, 2)
    assert (model.fast.item(), model.slow.item()) == pytest.approx((-0.12, -0.012), rel=1e-4)


def test_both_groups_are_the_updates_parameters():
    model = TwoRates()
    assert [id(p) for p in stepper_of(model, 1.0).updates[0].parameters] == [id(model.fast), id(model.slow)]
    assert [group["lr"] for group in stepper_of(model, 1.0).optimizer.param_groups] == [1.0, 0.1]
