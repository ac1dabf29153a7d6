"""What holds for every model of the registry."""

import copy

import pytest
import torch

from data.batch import Batch
from data.color import rgb_to_lab
from errors import UserError
from models import MODELS, build_model
from models.checkpoint import load_weights, save_weights
from models.losses import build_criterion


@pytest.fixture
def model(model_name):
    torch.manual_seed(0)
    return build_model(model_name)


@pytest.fixture
def batch():
    """Eight smooth photos whose colour follows from their lightness: something to learn."""
    ramp = torch.linspace(0.1, 0.9, 64)
    value = (ramp[None, :] * torch.linspace(0.5, 1, 8)[:, None])[:, None, None, :].expand(-1, 1, 64, -1)
    lab = rgb_to_lab(torch.cat((value, value**1.5, 1 - value), dim=1))
    return Batch(L=lab[:, :1], ab=lab[:, 1:], names=tuple("abcdefgh"))


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 70), (1, 1), (31, 224)])
def test_any_size(model, height, width):
    L = torch.rand(2, 1, height, width) * 100
    with torch.no_grad():
        ab = model.eval()(L)
    assert ab.shape == (2, 2, height, width)
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()
    assert ab.abs().max() <= 128


def test_one_photo_is_as_in_a_batch(model):
    L = torch.rand(3, 1, 64, 64) * 100
    with torch.no_grad():
        together, alone = model.eval()(L), model(L[1:2])
    assert (together[1:2] - alone).abs().max() < 1e-3


def test_gradients_reach_every_trainable_parameter(model, batch):
    losses = model.train().step(batch, build_criterion("mse"))
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


def test_frozen_parts_do_not_move(model, batch):
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    prefixes = {name.partition(".")[0] for name in frozen}
    before = copy.deepcopy(model.state_dict())
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    model.train()
    for _ in range(2):
        sum(model.step(batch, build_criterion("mse")).values()).backward()
        optimizer.step()
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert not {name for name in moved if name.partition(".")[0] in prefixes}


def test_overfits_one_batch(model, batch):
    criterion = build_criterion("mse")
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    model.train()
    first = None
    for _ in range(150):
        loss = sum(model.step(batch, criterion).values())
        first = first or loss.item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        model.constrain()
    assert loss.item() < 0.1 * first


def test_saved_and_loaded_equal_bits(model, model_name, tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, model_name, model, {"image_size": 96})
    weights = load_weights(path)
    assert (weights.name, weights.info) == (model_name, {"image_size": 96})
    for name, value in model.state_dict().items():
        assert torch.equal(weights.model.state_dict()[name], value)
    first = path.read_bytes()
    save_weights(path, model_name, model, {"image_size": 96})
    assert path.read_bytes() == first


def test_report_is_finite(model):
    assert all(abs(value) < 1e3 for value in model.report().values())


def test_model_table_entries():
    assert all(model.summary for model in MODELS.values())


def test_unknown_names():
    with pytest.raises(UserError, match="model1, model2"):
        build_model("model3")
    with pytest.raises(UserError, match="--gamma_mode is not a setting of model2"):
        build_model("model2", gamma_mode="power")
    with pytest.raises(UserError, match="--gamma_mode=cubic: must be one of power, signed"):
        build_model("model1", gamma_mode="cubic")
