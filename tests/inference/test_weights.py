"""Which weights a mode takes when nobody names any, and what it says of them."""

import json
from pathlib import Path

import pytest
from conftest import crops
from PIL import Image

from checkpoint import shipped
from checkpoint.file import save_weights
from config import Config
from core.runs import BEST
from inference import weights
from inference.weights import choose_weights
from models.registry import build_model


@pytest.fixture
def files(tmp_path, monkeypatch):
    """Two files that ship, of which `other` is the default."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    for name in ("model1", "other"):
        save_weights(folder / f"{name}.safetensors", "model1", build_model("model1"), {})
    monkeypatch.setattr(shipped, "FOLDER", folder)
    monkeypatch.setattr(weights, "DEFAULT", "other")
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(
    ("mode", "model", "name"),
    [
        ("predict", None, "other"),
        ("serve", None, "other"),
        ("export", None, "other"),
        ("test", None, "model1"),
        ("predict", "model1", "model1"),
    ],
)
def test_those_that_ship(files, capsys, mode, model, name):
    given = {"model": model, "given": frozenset(["model"])} if model else {}
    chosen, config = choose_weights(Config(mode=mode, **given))
    assert chosen.path == files / f"{name}.safetensors"
    assert config.model == "model1"
    assert capsys.readouterr().out == f"weights that ship: {chosen.path} (model1)\n"


def test_a_run_and_named_weights_come_first(files, capsys):
    best = Path("runs/model1") / BEST
    best.parent.mkdir(parents=True)
    save_weights(best, "model1", build_model("model1"), {})
    choose_weights(Config(mode="predict"))
    choose_weights(Config(mode="predict", weights=best.parent))
    lines = [f"weights of the run: {best} (model1)", f"weights: {best} (model1)"]
    assert capsys.readouterr().out.splitlines() == lines


def test_a_dry_run_shows_the_settings_of_its_mode(cli, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(crops(1)[0]).save(path)
    outcome = cli("--mode=predict", f"--image_path={path}", "--weights=model1", "--dry_run", "--quality=50")
    shown, _ = json.JSONDecoder().raw_decode(outcome.out[outcome.out.index("{") :])
    assert shown["quality"] == 50
    assert "gamma_mode" in shown["model_settings"]
    assert not shown.keys() & {"lr", "epochs", "port", "split"}
