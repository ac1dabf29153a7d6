"""Folded batch norms: the same function, only where a pass shows which layer takes which."""

import pytest
import torch
from conftest import small_model
from torch import nn

from inference.fold import fold_batch_norms
from models.inputs import Inputs


def unsettled(model):
    """With statistics and weights of batch norms that are not those of a new model."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.3, 0.3)
                module.running_var.uniform_(0.5, 2)
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.3, 0.3)
    return model.eval()


def test_every_model_colors_as_before(model_name):
    torch.manual_seed(0)
    model = unsettled(small_model(model_name))
    L = 100 * torch.rand(2, 1, 64, 96)
    with torch.no_grad():
        before = model.predict(Inputs(L))
        fold_batch_norms(model, L[:1])
        after = model.predict(Inputs(L))
    assert (after - before).abs().max() < 1e-3 * before.abs().max()


@pytest.mark.parametrize("name", ["unet", "unet_hints"])
def test_none_is_left_where_all_follow_a_convolution(name):
    model = small_model(name).eval()
    assert any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
    fold_batch_norms(model, torch.zeros(1, 1, 64, 64))
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())


class Declared(nn.Module):
    """Layers declared in another order than that in which they run."""

    def __init__(self, *, shares: bool) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1)
        self.norm1, self.norm2 = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.shares = shares

    def forward(self, x):
        x = self.norm1(self.first(x)).relu()
        return (self.norm1 if self.shares else self.norm2)(self.second(x))


@pytest.mark.parametrize("shares", [False, True])
def test_the_order_of_running_counts(shares):
    torch.manual_seed(0)
    model = unsettled(Declared(shares=shares))
    x = torch.randn(1, 1, 16, 16)
    with torch.no_grad():
        before = model(x)
        fold_batch_norms(model, x)
        assert (model(x) - before).abs().max() < 1e-5
    assert isinstance(model.norm1, nn.BatchNorm2d) == shares


def test_in_inference_mode():
    """As where somebody loads a colorizer there."""
    with torch.inference_mode():
        model, L = small_model("unet").eval(), 100 * torch.rand(1, 1, 64, 64)
        before = model.predict(Inputs(L))
        fold_batch_norms(model, L)
        assert (model.predict(Inputs(L)) - before).abs().max() < 1e-3 * before.abs().max()
    assert not any(isinstance(module, nn.BatchNorm2d) for module in model.modules())
