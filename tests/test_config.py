"""Settings check themselves where they are declared."""

import dataclasses
from pathlib import Path

import pytest

from config import Config
from core.errors import UserError
from core.settings import check_kind, in_words


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
        ("max_photos", 0),
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


def test_what_a_resumed_run_may_be_told_anew():
    """All else of a training would make it another run."""
    free = {item.name for item in dataclasses.fields(Config) if item.metadata.get("resumable")}
    assert free == {
        *("mode", "resume", "dry_run", "download", "run_dir", "data_dir", "pack_dir", "on_device"),
        *("epochs", "patience", "device", "num_workers", "max_pixels", "compile", "vgg_weights"),
    }


@pytest.mark.parametrize(
    ("name", "value", "kinds"),
    [
        ("output_path", Path("x.png"), {"photo", "clip"}),
        ("output_dir", Path("x"), {"folder"}),
        ("recursive", True, {"folder"}),
        ("temporal", "off", {"clip", "folder"}),
        ("every", 2, {"clip", "folder"}),
        ("deinterlace", True, {"clip", "folder"}),
        ("save_chroma", Path("x"), {"photo"}),
        ("apply_chroma", Path("x"), {"photo"}),
        ("save_confidence", Path("x"), {"photo"}),
        ("side_by_side", True, {"photo", "folder"}),
        ("quality", 80, {"photo", "clip", "folder"}),
    ],
)
@pytest.mark.parametrize("kind", ["photo", "clip", "folder"])
def test_settings_for_some_kinds_of_input(name, value, kinds, kind):
    config = Config(mode="predict", **{name: value})
    if kind in kinds:
        check_kind(config, kind, Path("old"))
    else:
        with pytest.raises(UserError, match=rf"--{name} is for .*s, and old is a {kind}: "):
            check_kind(config, kind, Path("old"))


def test_words():
    assert [in_words(words) for words in (["a"], ["a", "b"], ["a", "b", "c"])] == [
        "a",
        "a and b",
        "a, b and c",
    ]
