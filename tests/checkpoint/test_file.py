"""Weights files: self-describing ones, plain state dicts, and everything that is neither."""

import json
import pickle

import pytest
import safetensors.torch
import torch

from checkpoint import file as checkpoint
from checkpoint.file import (
    load_weights,
    save_weights,
)
from core.errors import UserError
from models.registry import build_model


class Exploit:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, target):
        self.target = target

    def __reduce__(self):
        return open, (str(self.target), "w")


@pytest.fixture
def state():
    return build_model("model1").state_dict()


def save(tmp_path, value, name="x.pth"):
    torch.save(value, tmp_path / name)
    return tmp_path / name


def test_settings_come_from_the_file_unless_given(tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, "model1", build_model("model1", gamma_mode="signed"), {})
    assert load_weights(path).model.settings.gamma_mode == "signed"
    assert load_weights(path, settings={"gamma_mode": "power"}).model.settings.gamma_mode == "power"


def test_plain_state_dict_without_counts_of_steps(tmp_path, state):
    old = {name: value for name, value in state.items() if "num_batches" not in name}
    loaded = load_weights(save(tmp_path, old), name="model1").model.state_dict()
    assert loaded.keys() == state.keys()
    assert all(torch.equal(loaded[name], value) for name, value in old.items())


def test_gamma_saved_with_one_dimension(tmp_path, state):
    state["gamma_correction.gamma"] = torch.tensor([1.5])
    assert load_weights(save(tmp_path, state)).model.gamma_correction.gamma.item() == 1.5


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_weights_of_the_other_model(tmp_path, suffix):
    model = build_model("model2")
    path = tmp_path / f"x{suffix}"
    if suffix == ".pth":
        torch.save(model.state_dict(), path)
    else:
        save_weights(path, "model2", model, {})
    with pytest.raises(UserError, match="are of model2, not of model1: use --model=model2"):
        load_weights(path, name="model1")


def test_differences_are_named(tmp_path, state):
    missing = {key: value for key, value in state.items() if key != "decoder.4.bias"}
    with pytest.raises(UserError, match=r"lacks decoder\.4\.bias"):
        load_weights(save(tmp_path, missing), name="model1")
    with pytest.raises(UserError, match=r"has head\.bias"):
        load_weights(save(tmp_path, state | {"head.bias": torch.zeros(1)}), name="model1")
    with pytest.raises(UserError, match=r"encoder\.0\.weight is \(32, 3, 3, 3\), must be \(32, 1, 3, 3\)"):
        load_weights(save(tmp_path, state | {"encoder.0.weight": torch.zeros(32, 3, 3, 3)}))
    with pytest.raises(UserError, match=r"decoder\.0\.bias holds numbers that are not finite"):
        load_weights(save(tmp_path, state | {"decoder.0.bias": torch.full((256,), torch.nan)}))


def test_a_model_that_nothing_shows_is_asked_for(tmp_path, state):
    """That of another encoder, say: it is not blamed on a model that it is not of."""
    unet = build_model("unet", preset="small", encoder="test_efficientnet", heads="mean")
    path = save(tmp_path, unet.state_dict())
    for settings in ({}, {"encoder": "test_efficientnet"}):
        with pytest.raises(UserError, match=r"fit none .*: name it with --model=NAME, and its settings"):
            load_weights(path, settings=settings)
    settings = {"preset": "small", "encoder": "test_efficientnet", "heads": "mean"}
    assert load_weights(path, name="unet", settings=settings).model.settings == unet.settings
    with pytest.raises(UserError, match="fit none"):
        load_weights(save(tmp_path, {"x": torch.zeros(1)}))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gamma_correction.gamma", torch.tensor(-2.0)),
        ("gamma_correction.gamma", torch.tensor(0.0)),
        ("gamma_correction.gamma", torch.tensor(1e30)),
        ("encoder.1.running_var", torch.full((32,), -1.0)),
        ("encoder.1.bias", torch.ones(32, dtype=torch.int8)),
        ("encoder.1.bias", torch.ones(32, dtype=torch.complex64)),
    ],
)
def test_values_outside_their_domain(tmp_path, state, name, value):
    with pytest.raises(UserError, match=name):
        load_weights(save(tmp_path, state | {name: value}))


def test_code_in_a_pickle_is_never_run(tmp_path):
    target = tmp_path / "owned"
    for name, dump in (("new.pth", torch.save), ("old.pth", lambda v, p: p.write_bytes(pickle.dumps(v)))):
        dump({"encoder.0.weight": Exploit(target)}, tmp_path / name)
        with pytest.raises(UserError, match="refused"):
            load_weights(tmp_path / name)
    assert not target.exists()


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
@pytest.mark.parametrize("kept", [0, 10, 5000])
def test_truncated(tmp_path, suffix, kept, state):
    whole = tmp_path / f"whole{suffix}"
    if suffix == ".pth":
        torch.save(state, whole)
    else:
        save_weights(whole, "model1", build_model("model1"), {})
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(whole.read_bytes()[:kept])
    with pytest.raises(UserError, match=f"cut{suffix}"):
        load_weights(cut)


def test_truncated_in_the_old_format(tmp_path):
    path = tmp_path / "x.pth"
    torch.save({"a": torch.arange(5.0)}, path, _use_new_zipfile_serialization=False)
    whole = path.read_bytes()
    for kept in range(len(whole)):
        path.write_bytes(whole[:kept])
        with pytest.raises(UserError, match=r"x\.pth"):
            load_weights(path)


@pytest.mark.parametrize(
    "about", [{}, [], {"format": 1, "model": "model1", "settings": None, "info": {}}, {"format": "x"}]
)
def test_metadata_of_other_kinds(tmp_path, state, about):
    path = tmp_path / "x.safetensors"
    path.write_bytes(safetensors.torch.save(state, {"colorizer": json.dumps(about)}))
    with pytest.raises(UserError, match="do not describe themselves"):
        load_weights(path)


@pytest.mark.parametrize("value", [[1, 2], {"epoch": 3}, torch.zeros(3)])
def test_no_state_dict(tmp_path, value):
    with pytest.raises(UserError, match="no plain state dict"):
        load_weights(save(tmp_path, value))


def test_newer_format(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 2)
    save_weights(tmp_path / "x.safetensors", "model1", build_model("model1"), {})
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    with pytest.raises(UserError, match="newer version"):
        load_weights(tmp_path / "x.safetensors")
