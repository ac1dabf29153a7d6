"""The run directory: what its files are called, and the configuration that it was made with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from config import Config, field_types
from errors import UserError
from files import read_json, write_json

CONFIG = "config.json"
MANIFEST = "manifest.csv"
REJECTED = "rejected.csv"
HISTORY = "history.csv"
LOSS_PLOT = "loss.png"
BEST = "best.safetensors"
LAST = "last.pt"
METRICS = "metrics.json"
PACK = "pack"

# What a resumed run may be told anew; anything else would make it another run.
_CHANGEABLE = {"mode", "run_dir", "data_dir", "resume", "epochs", "patience", "device", "num_workers"}
_CHANGEABLE |= {"dry_run", "download", "pack_dir", "on_device", "model_settings"}


def holds_run(run_path: Path) -> bool:
    """Whether there is something that a new training would replace."""
    return any((run_path / name).exists() for name in (LAST, BEST))


def clear(run_path: Path) -> None:
    """Remove what an earlier run wrote, and nothing else that lies there.

    Raises:
        UserError: something cannot be removed.
    """
    written = (LAST, BEST, CONFIG, MANIFEST, HISTORY, LOSS_PLOT, "events.out.tfevents.*", ".*.tmp")
    scores = ("metrics{}.json", "per_image{}.csv", "examples{}.png")
    patterns = [*written, *(s.format(split) for s in scores for split in ("", "_train", "_val", "_all"))]
    try:
        for pattern in patterns:
            for path in run_path.glob(pattern):
                path.unlink()
    except OSError as error:
        raise UserError(f"cannot clear {run_path} ({error}): name another --run_dir") from error


def write_config(config: Config, settings: dict[str, Any], facts: dict[str, Any]) -> None:
    """Write config.json: every setting, the model's own with their defaults, and `facts`."""
    values = config.to_dict() | {"model_settings": settings, "facts": facts}
    write_json(config.run_path / CONFIG, values)


def read_config(run_path: Path) -> dict[str, Any]:
    """What `write_config` wrote, or an empty dict where there is no run."""
    path = run_path / CONFIG
    return read_json(path) if path.exists() else {}


def restore_config(config: Config) -> Config:
    """The configuration of the run to resume, with what may change taken from `config`.

    Raises:
        UserError: there is no run to resume, or a flag contradicts it.
    """
    if config.overwrite:
        raise UserError("--resume goes on with a run, --overwrite replaces it: leave one of them out")
    stored = read_config(config.run_path)
    if not stored or not (config.run_path / LAST).exists():
        raise UserError(f"nothing to resume in {config.run_path}: train without --resume first")
    kinds = field_types(Config)
    values = {k: _from_json(kinds[k], v) for k, v in stored.items() if k in kinds}
    for name in config.given - _CHANGEABLE:
        if name in values and getattr(config, name) != values[name]:
            raise _contradiction(name, getattr(config, name), values[name], config.run_path)
    for name, value in config.model_settings.items():
        if value != values["model_settings"].get(name):
            raise _contradiction(name, value, values["model_settings"].get(name), config.run_path)
    values |= {name: getattr(config, name) for name in config.given & _CHANGEABLE}
    values |= {"run_dir": config.run_path, "download": config.download, "overwrite": False}
    return Config(**values, given=config.given)


def _from_json(kind: Any, value: Any) -> Any:
    if value is None:
        return None
    if kind is Path:
        return Path(value)
    return tuple(value) if isinstance(value, list) else value


def _contradiction(name: str, asked: object, has: object, run_path: Path) -> UserError:
    return UserError(
        f"--{name}={asked} contradicts the run in {run_path}, which has {has}: "
        "leave the flag out, or start a new run with another --run_dir"
    )
