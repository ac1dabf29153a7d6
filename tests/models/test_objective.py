"""A toy model that draws its colours: all that is random about a photo follows from its own seed."""

import pytest
import torch
from torch import nn

from core.errors import UserError
from data.batch import Batch
from data.loader import seed_of
from engine.step import Stepper
from models.base import ColorizationModel
from models.inputs import Inputs
from models.objective import Objective
from models.settings import ModelSettings


class Toy(ColorizationModel):
    """One number times noise of the photo's own."""

    accepts = frozenset({"seeds"})
    needs = frozenset({"seeds"})
    is_random = True

    def __init__(self):
        super().__init__(ModelSettings())
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, L, seeds):
        shape = (2, *L.shape[-2:])
        noise = [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s in seeds.tolist()]
        return self.scale * torch.stack(noise)


def toy_batch(num=4):
    names = tuple(f"photo {i}" for i in range(num))
    seeds = torch.tensor([seed_of(name) for name in names])
    return Batch(torch.full((num, 1, 8, 8), 50.0), torch.zeros(num, 2, 8, 8), names, seeds=seeds)


def training(model, num_parts=1):
    objective = Objective(model, lambda ab, batch: {"square": (ab - batch.ab).square().mean()})
    options = {"lr": 0.1, "device": torch.device("cpu"), "dtype": torch.float32, "num_parts": num_parts}
    return objective, Stepper(model, objective, **options)


def test_same_seed_same_bits_in_any_batch():
    model, batch = Toy(), toy_batch()
    together = model.predict(model.inputs(batch))
    assert torch.equal(together, model.predict(model.inputs(batch)))
    for i, part in enumerate(batch.split(4)):
        assert torch.equal(model.predict(model.inputs(part))[0], together[i])
    assert not torch.equal(together[0], together[1])
    other = model.predict(Inputs(batch.L, seeds=batch.seeds + 1))
    assert not torch.equal(other, together)


def test_validation_is_no_lottery():
    model, batch = Toy(), toy_batch()
    objective, _ = training(model)
    torch.manual_seed(0)
    first, ab = objective.validation(model, batch)
    torch.manual_seed(1)
    again, same = objective.validation(model, batch)
    assert torch.equal(ab, same)
    assert torch.equal(first["square"], again["square"])


def test_parts_of_a_batch_learn_the_same():
    moved = []
    for num_parts in (1, 2):
        model = Toy()
        _, stepper = training(model, num_parts)
        for number in (1, 2):
            stepper.step(number, toy_batch(), 4)
        moved.append(model.scale.item())
    assert moved[0] == pytest.approx(moved[1], abs=1e-6)
    assert moved[0] < 0.9


def test_without_seeds_it_says_what_it_needs():
    with pytest.raises(UserError, match="Toy needs seeds"):
        Toy().predict(Inputs(torch.zeros(1, 1, 8, 8)))
