"""Choose the weights that a mode uses or starts from, and take over their settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import DEFAULT, find_weights
from config import Config
from core.runs import BEST
from core.settings import names_for
from models.base import ColorizationModel
from models.inputs import Inputs
from models.registry import find_model


def choose_weights(config: Config) -> tuple[LoadedModel, Config]:
    """Load the weights that a configuration asks for, and print which they are.

    If neither weights nor a model are named and there is no run, the shipped weights `DEFAULT` are used; in
    the mode `test` the name of the model decides.

    Returns:
        The weights, and the configuration with the model's name, `image_size` and `resize` as the
        weights say, except where a flag was given.
    Raises:
        UserError: there are no such weights, or they contradict a flag.
    """
    find_model(config.model)
    best = config.run_path / BEST
    name = config.model if "model" in config.given or config.mode == "test" else DEFAULT
    path = find_weights(config.weights, best, name)
    if config.weights is not None:
        return _load(config, path, "weights")
    return _load(config, path, "weights of the run" if path == best else "weights that ship")


def initial_weights(config: Config) -> tuple[LoadedModel, Config]:
    """The same for --init_weights, from which a training starts."""
    path = find_weights(config.init_weights, None, config.model)
    return _load(config, path, "starting from", may_extend=True)


def _load(config: Config, path: Path, why: str, *, may_extend: bool = False) -> tuple[LoadedModel, Config]:
    name = config.model if "model" in config.given else None
    loaded = load_weights(path, name=name, settings=config.model_settings, may_extend=may_extend)
    print(f"{why}: {path} ({loaded.name})")
    inherited = {
        key: loaded.info[key]
        for key in ("image_size", "resize")
        if key in loaded.info and key not in config.given
    }
    return loaded, config.replace(model=loaded.name, **inherited)


def describe(config: Config, model: ColorizationModel) -> str:
    """What --dry_run prints: the resolved settings of the mode, and the model's size on a line."""
    from torch.utils.flop_counter import FlopCounterMode  # here: it takes long to import

    every = config.to_dict()
    values: dict[str, Any] = {name: every[name] for name in names_for(config, config.mode)}
    of_model = names_for(model.settings, config.mode)
    values["model_settings"] = {name: getattr(model.settings, name) for name in of_model}
    total = sum(p.numel() for p in model.parameters())
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    was_training = model.training
    counter = FlopCounterMode(display=False)
    with counter:  # gradients stay enabled: else its hooks fail where a parameter is passed to a module
        model.eval().predict(Inputs(torch.zeros(1, 1, config.image_size, config.image_size)))
    model.train(was_training)
    side, gflop = config.image_size, counter.get_total_flops() / 1e9
    return (
        f"{json.dumps(values, indent=2)}\n"
        f"{config.model}: {total:,} parameters ({trained:,} trained), "
        f"{gflop:.2f} GFLOP for one photo of {side}x{side}"
    )
