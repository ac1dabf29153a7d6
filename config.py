"""All settings, with defaults and validation. The command line is generated from these classes."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.data_config import DataConfig
from core.errors import UserError
from core.predict_config import PredictConfig
from core.settings import LISTING, MODES, check_ranges, setting
from core.train_config import TrainConfig

VERSION = "0.1.0"

RENAMED = {
    "average": "ema",
    "accumulate": "grad_accum",
    "smallest_crop": "min_crop",
    "limit": "max_photos",
    "style_image": "reference",
}
"""Former name of a setting -> its name. Stored configurations may use either; flags until version 0.2."""


@dataclass(frozen=True, kw_only=True)
class CompareConfig:
    """Settings of the comparison."""

    compare: str | None = setting(
        None,
        "models to compare, separated by commas: names of weights that ship, folders of runs, files; on "
        "--image_path in a picture, on --data_dir in a table, written to --run_dir (default runs/compare)",
        modes=("compare",),
    )
    blind: bool = setting(
        False,
        "write a page that asks people which of two models' pictures is better, and counts: one HTML file "
        "(default <name>_blind.html beside --image_path); --seed sets the order",
        modes=("compare",),
    )


@dataclass(frozen=True, kw_only=True)
class ServeConfig:
    """Settings of the web page."""

    host: str = setting(
        "127.0.0.1",
        "address at which the page is served; 0.0.0.0: reachable from other machines, without a password",
        modes=("serve",),
    )
    port: int = setting(
        7860, "port at which the page is served; 0: any that is free", modes=("serve",), low=0, high=65535
    )
    max_upload: int = setting(200, "largest photo that the page takes, MB", modes=("serve",), low=1)
    keep_minutes: int = setting(
        30,
        "minutes without use after which the page deletes what is left of a person's photos",
        modes=("serve",),
        low=1,
    )


@dataclass(frozen=True, kw_only=True)
class Config(DataConfig, TrainConfig, PredictConfig, CompareConfig, ServeConfig):
    """General settings."""

    mode: str = setting(dataclasses.MISSING, "what to do", modes=MODES, resumable=True, choices=MODES)
    model: str = setting(
        "model1",
        "name of the model; predict, export and serve take the weights unet_vivid where neither this nor "
        "--weights is given",
        modes=("train", "test", "predict", "export", "serve"),
        instead={"compare": "--compare names several"},
    )
    run_dir: Path | None = setting(
        None, "the run's folder (default runs/<model>, of check runs/check)", modes=MODES, resumable=True
    )
    weights: Path | None = setting(
        None,
        "weights for test, predict, export and serve: .safetensors, a .pth state dict, the folder of a run, "
        "or the name of weights that ship (default best.safetensors of --run_dir, else those that ship)",
        modes=("test", "predict", "export", "serve"),
        instead={
            "train": "a training starts anew, from --init_weights=FILE, or goes on with --resume",
            "compare": "--compare names several",
        },
    )
    device: str = setting(
        "auto",
        "where to compute; auto: a GPU if there is one",
        modes=("train", "test", "predict", "compare", "serve"),
        resumable=True,
        choices=("auto", "cpu", "cuda", "mps"),
    )
    seed: int = setting(
        42,
        "seed of the split, the initial weights and the augmentation",
        modes=LISTING,
        low=0,
        high=2**32 - 1,
    )
    overwrite: bool = setting(
        False, "write over an existing run or file", modes=("train", "test", "predict", "compare", "export")
    )
    dry_run: bool = setting(
        False,
        "print the configuration, the split and the model's size, and stop",
        modes=MODES,
        resumable=True,
    )

    # Not flags: the model's settings that were given, and the names of all settings that were given.
    model_settings: dict[str, Any] = field(default_factory=dict)
    given: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        check_ranges(self)
        DataConfig.__post_init__(self)
        PredictConfig.__post_init__(self)
        if "warmup" in self.given and self.warmup >= self.epochs:
            raise UserError(
                f"--warmup={self.warmup}: must be shorter than the training, --epochs={self.epochs}"
            )
        if self.render_sizes and self.mode != "predict":
            raise UserError(
                f"--render_size={self.render_size}: several are for predict, not for {self.mode}: name one"
            )

    @property
    def run_path(self) -> Path:
        """The run's folder."""
        return self.run_dir or Path("runs") / self.model

    def replace(self, **changes: Any) -> Config:
        """A copy with some settings changed, validated again."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """All settings as plain JSON values."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name != "given"}
        return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}

    def training_settings(self) -> dict[str, Any]:
        """The settings that a training depends on, except for data and model, as plain JSON values."""
        names = {item.name for item in dataclasses.fields(TrainConfig)} - {"resume", "compile"}
        return {name: value for name, value in self.to_dict().items() if name in names | {"seed"}}
