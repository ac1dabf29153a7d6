"""What holds for every model of the registry."""

import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import small_model

from checkpoint.file import load_weights, save_weights
from core.errors import UserError
from data.batch import Batch
from data.color import rgb_to_lab
from engine.step import Stepper
from models.base import PRESETS
from models.losses import build_criterion
from models.registry import MODELS, SETTINGS, build_model


@pytest.fixture
def model(model_name, batch):
    """As a training has it before its first step."""
    torch.manual_seed(0)
    model = small_model(model_name)
    model.prepare(("field", "street"))
    model.measure([batch])
    return model


def make_stepper(model, lr):
    criterion = build_criterion("mse")
    return Stepper(model, criterion, lr=lr, device=torch.device("cpu"), dtype=torch.float32)


@pytest.fixture
def batch():
    """Eight smooth photos whose colour follows from their lightness: something to learn."""
    ramp = torch.linspace(0.1, 0.9, 32)
    value = (ramp[None, :] * torch.linspace(0.5, 1, 8)[:, None])[:, None, None, :].expand(-1, 1, 32, -1)
    lab = rgb_to_lab(torch.cat((value, value**1.5, 1 - value), dim=1))
    labels = torch.tensor([0, 1, 0, 1, 0, 1, 0, -1])
    return Batch(L=lab[:, :1], ab=lab[:, 1:], names=tuple("abcdefgh"), labels=labels)


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
    stepper = make_stepper(model.train(), 1e-3)
    trainable = {name: p for name, p in model.named_parameters() if p.requires_grad}
    found = {}
    for turn in range(len(stepper.updates)):
        stepper.backward(batch, len(batch), turn)
        found |= {name: p.grad for name, p in trainable.items() if p.grad is not None}
    assert found.keys() == trainable.keys()
    for name, gradient in found.items():
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0, name


def test_every_update_moves_its_own_parameters_alone(model, batch):
    stepper = make_stepper(model.train(), 1e-3)
    for turn, update in enumerate(stepper.updates):
        stepper.backward(batch, len(batch), turn)
        own = {id(p) for p in update.parameters}
        assert all((p.grad is not None) == (id(p) in own) for p in model.parameters())


def test_frozen_parts_do_not_move(model, batch):
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    prefixes = {name.partition(".")[0] for name in frozen}
    before = copy.deepcopy(model.state_dict())
    stepper = make_stepper(model.train(), 0.01)
    for number in (1, 2):
        stepper.step(number, batch, len(batch))
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert not {name for name in moved if name.partition(".")[0] in prefixes}


def test_overfits_one_batch(model, batch):
    """Judged by the colours alone, whatever is minimised."""
    stepper = make_stepper(model.train(), 1e-3)
    error = first = F.mse_loss(model(batch.L), batch.ab).item()
    number = 0
    while error >= 0.1 * first and number < 100:
        number += 1
        stepper.step(number, batch, len(batch))
        if number % 10 == 0:
            error = F.mse_loss(model(batch.L), batch.ab).item()
    assert error < 0.1 * first


def test_saved_and_loaded_equal_bits(model, model_name, tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, model_name, model, {"image_size": 96})
    weights = load_weights(path)
    assert (weights.name, weights.info) == (model_name, {"image_size": 96})
    state = weights.model.state_dict()
    assert state.keys() == model.predicting_state().keys()
    assert not {name.partition(".")[0] for name in state} & set(model.training_only)
    for name, value in state.items():
        assert torch.equal(model.state_dict()[name], value)
    first = path.read_bytes()
    save_weights(path, model_name, model, {"image_size": 96})
    assert path.read_bytes() == first


@pytest.mark.parametrize("preset", PRESETS)
def test_plain_state_dict_tells_model_and_preset(model_name, preset, tmp_path):
    torch.manual_seed(0)
    state = build_model(model_name, preset=preset).state_dict()
    torch.save(state, tmp_path / "x.pth")
    weights = load_weights(tmp_path / "x.pth")
    assert (weights.name, weights.model.settings.preset) == (model_name, preset)
    assert all(torch.equal(value, state[name]) for name, value in weights.model.state_dict().items())


def test_another_preset_than_that_of_the_weights(model, model_name, tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, model_name, model, {})
    with pytest.raises(UserError, match=r"--preset=paper: weights .* are of small: leave it out"):
        load_weights(path, settings={"preset": "paper"})


def test_report_is_finite(model):
    assert all(abs(value) < 1e3 for value in model.report().values())


def test_model_table_entries():
    assert all(model.summary for model in MODELS.values())
    assert {name: model.Settings for name, model in MODELS.items()} == SETTINGS


def test_unknown_names():
    with pytest.raises(UserError, match="model1, model2"):
        build_model("model3")
    with pytest.raises(UserError, match="--gamma_mode is not a setting of model2"):
        build_model("model2", gamma_mode="power")
    with pytest.raises(UserError, match="--gamma_mode=cubic: must be one of power, signed"):
        build_model("model1", gamma_mode="cubic")
