"""Settings of the training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from core.settings import SPLITTING, setting
from engine.recipes import FINE_TUNING_LR, RECIPES
from engine.schedule import SCHEDULES


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """Settings of the training."""

    batch_size: int = setting(256, "photos per step, over all processes", modes=SPLITTING, low=1)
    grad_accum: int = setting(
        1,
        "parts into which each process splits its photos of a step: more parts take less memory",
        modes=("train",),
        low=1,
    )
    lr: float = setting(0.001, "learning rate of Adam", modes=("train",), above=0)
    schedule: str = setting(
        "constant",
        "schedule of the learning rate; cosine: down to 0 at the last epoch",
        modes=("train",),
        choices=SCHEDULES,
    )
    warmup: int = setting(
        0, "epochs in which the learning rate rises from 0 at the start", modes=("train",), low=0
    )
    ema: float = setting(
        0.0,
        "decay of a moving average of the weights, which is then what is kept; 0: none",
        modes=("train",),
        low=0,
        high=0.99999,
    )
    epochs: int = setting(
        200, "largest number of passes over the training photos", modes=("train",), resumable=True, low=1
    )
    patience: int = setting(
        10,
        "stop after this many epochs in a row without a better validation loss, where that tells the best",
        modes=("train",),
        resumable=True,
        low=1,
    )
    precision: str = setting(
        "auto",
        "precision of the network; bfloat16 is faster where the hardware has it, which auto finds out; "
        "colour maths, gamma and loss are float32 either way",
        modes=("train",),
        choices=("auto", "float32", "bfloat16"),
    )
    compile: bool = setting(
        False,
        "fuse the network's operations with torch.compile; it takes a minute and a C++ compiler or a GPU",
        modes=("train",),
        resumable=True,
    )
    recipe: str = setting(
        "published",
        "settings of the training that no flag sets; see engine/recipes.py",
        modes=("train",),
        choices=tuple(RECIPES),
    )
    loss: str = setting(
        "mse",
        "loss terms with weights, such as mse or mse:1,chroma:0.5; see models/losses.py",
        modes=("train",),
    )
    vgg_weights: str = setting(
        "imagenet",
        "weights for the loss term perceptual: imagenet (downloaded by torchvision) or the path of a vgg16 "
        "state dict",
        modes=("train",),
        resumable=True,
    )
    min_crop: float = setting(
        0.8,
        "share of a photo's area that a random crop of it keeps at least",
        modes=("train",),
        low=0.05,
        high=1,
    )
    film_augment: float = setting(
        0.0,
        "share of the training photos that the model sees as old film kept them: responses, grain, blur, "
        "borders, tones, print screens; without a number: all",
        modes=("train",),
        low=0,
        high=1,
        bare=1.0,
    )
    init_weights: Path | None = setting(
        None,
        f"start from these weights instead of random ones; --lr is then {FINE_TUNING_LR:g} where not given",
        modes=("train",),
    )
    freeze_encoder: bool = setting(False, "train the decoder alone", modes=("train",))
    resume: bool = setting(
        False, "go on with the run in --run_dir where it stopped", modes=("train",), resumable=True
    )
