"""The run directory: names of its files, and its stored configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from config import RENAMED, Config
from core.errors import UserError
from core.files import TEMPORARY, read_json, write_json
from core.settings import field_types

CONFIG = "config.json"
MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
HISTORY = "history.csv"
LOSS_PLOT = "loss.png"
BEST = "best.safetensors"
LAST = "last.pt"
METRICS = "metrics.json"
EXAMPLES = "examples"
PACK = "pack"

_FIELDS = {item.name: item for item in dataclasses.fields(Config)}
_KINDS = field_types(Config)
_RESUMABLE = {name for name, item in _FIELDS.items() if item.metadata.get("resumable")}


def holds_run(run_path: Path) -> bool:
    """Whether a folder holds results that a new training would overwrite.

    A manifest and a configuration alone do not count: that training was killed before its first checkpoint.
    """
    remains = {path.name for path in _written(run_path)} - {MANIFEST}
    if CONFIG in remains and "facts" in read_config(run_path):
        remains -= {CONFIG}
    return any(not name.startswith(".") for name in remains)


def clear(run_path: Path) -> None:
    """Remove the files of an earlier run, and no other files.

    Raises:
        UserError: a file cannot be removed.
    """
    try:
        for path in _written(run_path):
            path.unlink()
    except OSError as error:
        raise UserError(f"cannot clear {run_path} ({error}): name another --run_dir") from error


def forget_scores(run_path: Path) -> None:
    """Remove all score files, because training on may replace the best weights."""
    for path in _scores(run_path):
        path.unlink()


def _written(run_path: Path) -> list[Path]:
    """The files of a run, and temporary files of a killed one; the checkpoint first."""
    patterns = (LAST, BEST, CONFIG, MANIFEST, HISTORY, LOSS_PLOT, "events.out.tfevents.*", TEMPORARY)
    return [path for pattern in patterns for path in run_path.glob(pattern)] + _scores(run_path)


def _scores(run_path: Path) -> list[Path]:
    """The score files of the run, of every split and protocol."""
    names = ("metrics{}.json", "per_image{}.csv", "examples{}.png", "compare{}.json", "compare{}.csv")
    splits, protocols = (
        ("", *(f"_{choice}" for choice in _FIELDS[name].metadata["choices"]))
        for name in ("split", "protocol")
    )
    endings = [split + protocol for split in splits for protocol in protocols]
    return [path for name in names for end in endings if (path := run_path / name.format(end)).exists()]


def is_of_scores(path: Path) -> bool:
    """Whether a picture is the examples of a test: metrics of the same split and protocol stand beside it."""
    name, suffix = path.stem[: len(EXAMPLES)], path.stem[len(EXAMPLES) :]
    return name == EXAMPLES and (path.parent / f"metrics{suffix}.json").is_file()


def write_config(config: Config, settings: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write config.json: every setting, the model's settings with their defaults, and `facts`."""
    values = config.to_dict() | {"model_settings": settings, "facts": facts}
    write_json(config.run_path / CONFIG, values)


def read_config(run_path: Path) -> dict[str, Any]:
    """Read config.json, with renamed settings under their current names; an empty dict if there is none.

    Raises:
        UserError: the file is damaged.
    """
    path = run_path / CONFIG
    stored = read_json(path) if path.exists() else {}
    if not isinstance(stored, dict):
        raise UserError(f"{path} is no configuration: restore it or start a new run")
    for former in RENAMED.keys() & stored.keys():
        stored[RENAMED[former]] = stored.pop(former)
    return stored


def restore_config(config: Config) -> Config:
    """The stored configuration of the run to resume, with resumable settings taken from `config`.

    Raises:
        UserError: there is no run to resume, or a flag contradicts it.
    """
    if config.overwrite:
        raise UserError("--resume goes on with a run, --overwrite replaces it: leave one of them out")
    stored = read_config(config.run_path)
    if not stored or not ((config.run_path / LAST).exists() or (config.run_path / MANIFEST).exists()):
        raise UserError(f"nothing to resume in {config.run_path}: train without --resume first")
    if not isinstance(stored.get("model_settings"), dict) or not isinstance(stored.get("facts"), dict):
        raise UserError(f"{config.run_path / CONFIG} is damaged: restore it or start a new run")
    values = {k: _from_json(k, v) for k, v in stored.items() if k in _FIELDS}
    for name in config.given - _RESUMABLE:
        check_same(config, stored, name)
    for name, value in config.model_settings.items():
        if name not in values["model_settings"]:
            raise UserError(f"--{name} is not a setting of {values.get('model')}: leave it out")
        if value != values["model_settings"][name]:
            raise _contradiction(name, value, values["model_settings"][name], config.run_path)
    values |= {name: getattr(config, name) for name in config.given & _RESUMABLE}
    values |= {"run_dir": config.run_path, "download": config.download, "overwrite": False}
    return Config(**values, given=config.given)


def restore(config: Config, stored: dict[str, Any], names: Iterable[str]) -> Config:
    """`config` with the settings `names` replaced by those of a stored configuration."""
    return config.replace(**{n: _from_json(n, stored[n]) for n in names if n in stored})


def check_same(config: Config, stored: dict[str, Any], name: str) -> None:
    """Check that a setting is what a stored configuration has, if it has it.

    Raises:
        UserError: it is another.
    """
    if (
        name in _FIELDS
        and name in stored
        and getattr(config, name) != (has := _from_json(name, stored[name]))
    ):
        raise _contradiction(name, getattr(config, name), has, config.run_path)


def _from_json(name: str, value: Any) -> Any:
    kind = _KINDS[name]
    if value is None:
        return None
    if kind is Path:
        return Path(value)
    if isinstance(value, bool) and kind is not bool:  # from an older run, when this was a switch
        return _FIELDS[name].metadata["bare"] if value else _FIELDS[name].default
    return tuple(value) if isinstance(value, list) else value


def _contradiction(name: str, asked: object, has: object, run_path: Path) -> UserError:
    return UserError(
        f"--{name}={asked} contradicts the run in {run_path}, which has {has}: "
        "leave the flag out, or start a new run with another --run_dir"
    )
