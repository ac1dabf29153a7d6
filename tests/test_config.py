"""Settings check themselves where they are declared."""

import dataclasses

import pytest

from config import Config
from errors import UserError


def test_published_defaults():
    config = Config(mode="train")
    assert (config.batch_size, config.lr, config.patience, config.seed) == (256, 0.001, 10, 42)
    assert (config.image_size, config.split_ratio, config.epochs) == (224, (0.70, 0.15, 0.15), 200)
    assert config.subset_size == 30_000
    assert config.model == "model1"
    assert config.run_path.as_posix() == "runs/model1"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", float("nan")),
        ("lr", float("inf")),
        ("epochs", -1),
        ("patience", 0),
        ("image_size", 16),
        ("seed", -1),
        ("max_rejected", 1.5),
        ("limit", 0),
        ("seed", 10**400),
        ("device", "tpu"),
        ("resize", "stretch"),
        ("split", "holdout"),
        ("mode", "paint"),
        ("port", 65536),
        ("max_upload", 0),
        ("render_size", "large"),
        ("render_size", "16"),
        ("split_ratio", (0.5, 0.5)),
        ("split_ratio", (0.5, 0.6, -0.1)),
        ("split_ratio", (0.5, 0.2, 0.2)),
        ("split_ratio", (float("nan"), 0.5, 0.5)),
    ],
)
def test_values_out_of_range_are_named(name, value):
    with pytest.raises(UserError, match=f"--{name}=.*must be|--{name}=.*sums"):
        Config(**{"mode": "train", name: value})


def test_every_setting_has_help():
    for item in dataclasses.fields(Config):
        assert item.name in ("model_settings", "given") or item.metadata["help"]
