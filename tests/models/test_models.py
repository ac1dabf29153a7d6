"""What holds for every model of the registry."""

import copy

import pytest
import torch
import torch.nn.functional as F
from conftest import small_model, training_of

from checkpoint.file import load_weights, recognize, save_weights
from core.errors import UserError
from data.batch import Batch
from data.color import rgb_to_lab
from models.base import PRESETS
from models.inputs import GUIDANCE, Inputs
from models.registry import MODELS, SETTINGS, build_model


@pytest.fixture
def model(model_name, batch):
    """As a training has it before its first step."""
    torch.manual_seed(0)
    return small_model(model_name)


@pytest.fixture
def training(model, model_name, batch):
    """What it learns from, and a stepper, by learning rate."""

    def start(lr=1e-3):
        objective, stepper = training_of(model_name, model.train(), classes=("field", "street"), lr=lr)
        objective.fit_statistics(model, [batch])
        return objective, stepper

    return start


def colors(model, L):
    return model.predict(Inputs(L))


@pytest.fixture
def batch():
    """Eight smooth photos whose colour follows from their lightness: something to learn."""
    ramp = torch.linspace(0.1, 0.9, 32)
    value = (ramp[None, :] * torch.linspace(0.5, 1, 8)[:, None])[:, None, None, :].expand(-1, 1, 32, -1)
    lab = rgb_to_lab(torch.cat((value, value**1.5, 1 - value), dim=1))
    labels = torch.tensor([0, 1, 0, 1, 0, 1, 0, -1])
    seeds = torch.arange(8)
    return Batch(L=lab[:, :1], ab=lab[:, 1:], names=tuple("abcdefgh"), labels=labels, seeds=seeds)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (33, 70), (1, 1), (31, 224)])
def test_any_size(model, height, width):
    L = torch.rand(2, 1, height, width) * 100
    with torch.no_grad():
        ab = colors(model.eval(), L)
    assert ab.shape == (2, 2, height, width)
    assert ab.dtype == torch.float32
    assert ab.isfinite().all()
    assert ab.abs().max() <= 128


def test_one_photo_is_as_in_a_batch(model):
    L = torch.rand(3, 1, 64, 64) * 100
    with torch.no_grad():
        together, alone = colors(model.eval(), L), colors(model, L[1:2])
    assert (together[1:2] - alone).abs().max() < 1e-3


def test_gradients_reach_every_trainable_parameter(model, training, batch):
    objective, stepper = training()
    both = {**dict(model.named_parameters()), **dict(objective.named_parameters(prefix="objective"))}
    trainable = {name: p for name, p in both.items() if p.requires_grad}
    found = {}
    for turn in range(len(stepper.updates)):
        stepper.backward(batch, len(batch), turn)
        found |= {name: p.grad for name, p in trainable.items() if p.grad is not None}
    assert found.keys() == trainable.keys()
    for name, gradient in found.items():
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0, name


def test_every_update_moves_its_own_parameters_alone(model, training, batch):
    objective, stepper = training()
    for turn, update in enumerate(stepper.updates):
        stepper.backward(batch, len(batch), turn)
        own = {id(p) for p in update.parameters}
        assert all(
            (p.grad is not None) == (id(p) in own) for p in [*model.parameters(), *objective.parameters()]
        )


def test_frozen_parts_do_not_move(model, training, batch):
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    prefixes = {name.partition(".")[0] for name in frozen}
    before = copy.deepcopy(model.state_dict())
    _, stepper = training(0.01)
    for number in (1, 2):
        stepper.step(number, batch, len(batch))
    moved = {name for name, value in model.state_dict().items() if not torch.equal(value, before[name])}
    assert moved
    assert not {name for name in moved if name.partition(".")[0] in prefixes}


def test_overfits_one_batch(model, training, batch):
    """Judged by the colours alone, whatever is minimised."""
    _, stepper = training(lr=3e-3)
    error = first = F.mse_loss(colors(model, batch.L), batch.ab).item()
    number = 0
    while error >= 0.1 * first and number < 100:
        number += 1
        stepper.step(number, batch, len(batch))
        if number % 10 == 0:
            error = F.mse_loss(colors(model, batch.L), batch.ab).item()
    assert error < 0.1 * first


def test_training_and_validation_go_through_the_one_forward(model, training, batch):
    """Compilation, hooks and several processes see nothing else."""
    objective, stepper = training()
    passes = []
    model.register_forward_hook(lambda *_: passes.append(1))
    for turn in range(len(stepper.updates)):
        stepper.backward(batch, len(batch), turn)
        assert len(passes) == turn + 1
    passes.clear()
    objective.validation(model, batch)
    colors(model, batch.L)
    assert len(passes) == 2


def test_what_is_not_accepted_is_an_error_and_nothing_is_none(model):
    L = 100 * torch.rand(1, 1, 32, 32)
    model.eval()
    assert torch.equal(colors(model, L), model.predict(Inputs(L, hints=None, reference=None, seeds=None)))
    given = {
        "hints": torch.zeros(1, 3, 32, 32),
        "reference": torch.zeros(1, 3, 32, 32),
        "seeds": torch.zeros(1, dtype=torch.int64),
        "prompt": ("a street",),
    }
    assert given.keys() == set(GUIDANCE)
    for name, value in given.items():
        if name not in model.accepts:
            with pytest.raises(UserError, match=f"{type(model).__name__} takes no {name}"):
                model.predict(Inputs(L, **{name: value}))


def test_saved_and_loaded_equal_bits(model, model_name, tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, model_name, model, {"image_size": 96})
    weights = load_weights(path)
    assert (weights.name, weights.info) == (model_name, {"image_size": 96})
    state = weights.model.state_dict()
    assert state.keys() == model.state_dict().keys()
    for name, value in state.items():
        assert torch.equal(model.state_dict()[name], value)
    first = path.read_bytes()
    save_weights(path, model_name, model, {"image_size": 96})
    assert path.read_bytes() == first


@pytest.mark.parametrize("preset", PRESETS)
def test_plain_state_dict_tells_model_and_preset(model_name, preset, tmp_path):
    with torch.device("meta"):  # random numbers for all of it take seconds
        shapes = build_model(model_name, preset=preset).state_dict()
    name, settings = recognize(shapes)
    assert (name, settings["preset"]) == (model_name, preset)
    if preset == "small":
        state = {
            key: torch.full(value.shape, number % 7, dtype=value.dtype)
            for number, (key, value) in enumerate(shapes.items())
        }
        torch.save(state, tmp_path / "x.pth")
        weights = load_weights(tmp_path / "x.pth")
        assert (weights.name, weights.model.settings.preset) == (model_name, preset)
        assert all(torch.equal(value, state[key]) for key, value in weights.model.state_dict().items())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("unet", {"heads": "mean"}),
        ("unet", {"heads": "bins"}),
        ("unet_hints", {"heads": "mean"}),
        ("zhang2017", {"global_hints": True}),
    ],
)
def test_plain_state_dict_tells_settings_that_its_keys_show(name, settings):
    with torch.device("meta"):
        shapes = build_model(name, preset="small", **settings).state_dict()
    assert recognize(shapes) == (name, {"preset": "small", **settings})


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
