"""The compare mode: models side by side on photos, or scored on a test set with intervals of differences."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import find_weights
from config import Config
from core.data_config import DataConfig
from core.device import find_device, reuse_freed_memory
from core.distributed import world
from core.errors import UserError
from core.files import write_csv, write_json, write_text
from core.predict_config import PredictConfig
from core.settings import check_kind, names_for
from core.train_config import TrainConfig
from data.listing import photos_at
from data.pipeline import open_split
from data.protocols import with_protocol
from evaluate import (
    about,
    about_weights,
    check_not_fewer,
    more_scores,
    per_image,
    print_more,
    score_photos,
    scoring_loader,
    suffix_of,
    warn_of_other_split,
)
from inference.blind import blind_page
from inference.colorizer import Colorizer
from inference.side_by_side import side_by_side
from media.decode import photo_format
from media.encode import save_picture
from models.base import ColorizationModel
from models.inputs import Inputs
from scoring import paired
from scoring.scorecard import FLOORS, print_capped, print_head, print_rows, summarize

RUN_DIR = Path("runs/compare")
"""Default folder of the scores, without --run_dir."""

_SHOWN = tuple(name for name in paired.COMPARED if name != "mse")  # equivalent to PSNR
_TAKEN = (*FLOORS, "photo")  # names of other rows and columns, which a model's label must not have
_FLOOR = "gray"  # the floor that every model is compared with
_ROUNDS = 7
_IN_BOTH = {"image_size", "resize", "max_pixels", "max_photos"}
_OF_SCORES = {*names_for(DataConfig, "compare"), *names_for(TrainConfig, "compare")} - _IN_BOTH
_OF_SCORES |= {"run_dir", "samples"}
_OF_PICTURES = {*names_for(PredictConfig, "compare"), "blind"} - _OF_SCORES
_MAX_PHOTOS = 20  # in a picture


def run(config: Config) -> int:
    """Compare the models that --compare names, on --image_path in a picture or on --data_dir in a table.

    Raises:
        UserError: no models, no photos, or the output cannot be written or must not be replaced.
    """
    if not config.compare:
        raise UserError(
            "--mode=compare needs models, such as --compare=model1,runs/mine: names of weights that ship, "
            "folders of runs, or files"
        )
    models = load_models([item.strip() for item in config.compare.split(",")])
    if config.blind and (config.image_path is None or len(models) < 2):
        raise UserError(
            "--blind shows people two models' pictures of a photo: it needs --image_path=FILE or FOLDER, "
            "and two models or more in --compare"
        )
    if config.image_path is None:
        for flag in sorted(_OF_PICTURES & config.given):
            raise UserError(f"--{flag} is for a picture, of --image_path, not for scores: leave it out")
        return _score(config, models)
    if not config.image_path.is_dir():
        check_kind(config, "photo", config.image_path)
    if "seed" in config.given and not config.blind:
        raise UserError("--seed is for scores, and the order of --blind: leave it out")
    for flag in sorted(_OF_SCORES & config.given):
        raise UserError(f"--image_path asks for a picture, --{flag} for scores: leave one of them out")
    return _draw(config, config.image_path, models)


def load_models(items: Sequence[str]) -> dict[str, LoadedModel]:
    """Load weights by shipped name, run folder or file; returns short label -> weights.

    Raises:
        UserError: one of them cannot be found or loaded, or is named twice.
    """
    if not all(items):
        raise UserError("--compare names nothing between two commas, or at an end: leave the comma out")
    found = [load_weights(find_weights(Path(item), None, "")) for item in items]
    short = [loaded.label for loaded in found]
    labels = [
        item if short.count(label) > 1 or label in _TAKEN else label
        for item, label in zip(items, short, strict=True)
    ]
    paths = [loaded.path.resolve() for loaded in found]
    for label, path in zip(labels, paths, strict=True):
        if paths.count(path) > 1:
            raise UserError(f"--compare names {label} twice: leave one of them out")
    models = dict(zip(labels, found, strict=True))
    for label, loaded in models.items():
        print(f"{label}: {loaded.path} ({loaded.name})")
    return models


def common_view(config: Config, models: Mapping[str, LoadedModel]) -> dict[str, Any]:
    """The `image_size` and `resize` at which all models are scored: by flag, else as they were trained.

    Raises:
        UserError: they were trained with different values, and no flag chooses one.
    """
    view = {}
    for key in ("image_size", "resize"):
        trained = {label: w.info[key] for label, w in models.items() if key in w.info}
        if key not in config.given and len(set(trained.values())) > 1:
            listed = ", ".join(f"{label} {value}" for label, value in trained.items())
            raise UserError(
                f"the models were trained at different --{key} ({listed}), and scores at different ones "
                f"cannot be compared: say at which with --{key}"
            )
        given = key in config.given or not trained
        view[key] = getattr(config, key) if given else next(iter(trained.values()))
    return view


def _score(config: Config, models: dict[str, LoadedModel]) -> int:
    """Score models, print tables, and write compare.json and compare.csv."""
    config = with_protocol(config)
    config = config.replace(run_dir=config.run_dir or RUN_DIR, **common_view(config, models))
    device = find_device(config.device)
    reuse_freed_memory()
    manifest = open_split(config)
    entries = manifest.of(config.split, config.max_photos)
    print(f"{config.split}: {len(entries)} photos at {config.image_size} px ({config.resize})")
    if config.dry_run:
        return 0
    for loaded in models.values():
        warn_of_other_split(loaded, manifest.sha256, config.split)
    suffix, folder = suffix_of(config, entries, models.values()), config.run_path
    check_not_fewer(config, f"compare{suffix}.json", len(entries))
    loader = scoring_loader(config, entries, device)
    networks = {label: loaded.model for label, loaded in models.items()}
    scored = score_photos(networks, loader, config)
    if not world().is_main:
        return 0
    names, scores = scored.names, scored.columns
    L = loader.batch(range(min(loader.batch_size, len(loader)))).L
    speeds = photos_per_second(networks, L)
    cards = {
        label: paired.estimate(scores[label], seed=config.seed)
        | about_weights(loaded)
        | {"parameters": sum(p.numel() for p in loaded.model.parameters())}
        | {"photos_per_second": speeds[label]}
        for label, loaded in models.items()
    }
    common = about(config, manifest, len(names))
    speed = (
        f"of the network alone on {device.type}, {len(L)} photos at a time, the fastest of {_ROUNDS} rounds"
    )
    common["definitions"] = common["definitions"] | paired.DEFINITIONS | {"photos_per_second": speed}
    shared = summarize(next(iter(scores.values())), seed=config.seed)
    card = {"models": cards, "floors": shared["floors"], "truth": shared["truth"]}
    card |= {"differences": differences(scores, seed=config.seed)} | common
    card |= more_scores(scored, config)
    print_comparison(card)
    print_more(card)
    rows = [{"model": label, **row} for label in models for row in per_image(names, scores[label])]
    write_csv(folder / f"compare{suffix}.csv", rows, list(dict.fromkeys(key for row in rows for key in row)))
    write_json(folder / f"compare{suffix}.json", card)
    print(f"written to {folder}: compare{suffix}.json, compare{suffix}.csv")
    return 0


def differences(scores: Mapping[str, paired.Scores], *, seed: int) -> list[dict[str, Any]]:
    """Estimate the differences of every model from the gray floor and from all models listed before it."""
    first = next(iter(scores.values()))
    sides = {_FLOOR: paired.of_floor(first, _FLOOR), **scores}
    return [
        {"of": label, "minus": other, **paired.estimate(sides[label], minus=sides[other], seed=seed)}
        for other, label in itertools.combinations(sides, 2)
    ]


@torch.inference_mode()
def photos_per_second(models: Mapping[str, ColorizationModel], L: Tensor) -> dict[str, float]:
    """Measure the speed of each network: in alternating rounds, of which the fastest counts.

    Other work on the machine slows down some rounds. The first is a warm-up.

    Args:
        models: in evaluation mode, on the device of `L`.
        L: (N, 1, H, W).
    """
    seconds: dict[str, list[float]] = {label: [] for label in models}
    for _ in range(1 + _ROUNDS):
        for label, model in models.items():
            start = time.perf_counter()
            model.predict(Inputs(L)).sum().item()  # .item() waits for the device
            seconds[label].append(time.perf_counter() - start)
    return {label: len(L) / min(times[1:]) for label, times in seconds.items()}


def print_comparison(card: dict[str, Any]) -> None:
    """Print the contents of compare.json: models and floors, then all differences."""
    print_head(card)
    shown = card["protocol"]["metrics"] if "protocol" in card else _SHOWN
    print_rows({**card["models"], **card["floors"]}, shown)
    print(f"colourfulness of the true photos: {card['truth']['colorfulness']['mean']:.1f}")
    print_capped(card["floors"])
    for label, values in card["models"].items():
        print(f"{label}: {values['parameters']:,} parameters, {values['photos_per_second']:.1f} photos/s")
    print("\ndifferences on the same photos [95 % paired bootstrap interval]; *: it leaves out 0")
    rows = {f"{pair['of']} − {pair['minus']}": pair for pair in card["differences"]}
    print_rows(rows, shown, sign="+")


def _draw(config: Config, photo: Path, models: Mapping[str, LoadedModel]) -> int:
    """Color photos by every model, and write them as one picture, or with --blind as a page."""
    paths = photos_at(photo, recursive=config.recursive)
    output = _picture_path(config, photo)
    if output.resolve() in {path.resolve() for path in paths}:
        raise UserError(f"--output_path={output} is one of the photos: name another")
    chosen = paths[: config.max_photos or _MAX_PHOTOS]
    if len(chosen) < len(paths):
        print(f"the first {len(chosen)} of {len(paths)} photos; --max_photos takes more or fewer")
    if config.dry_run:
        print(f"would write {output}")
        return 0
    if world().is_main:  # one process does this alone
        colorizers = {label: Colorizer.from_config(config, loaded) for label, loaded in models.items()}
        reading: Any = {"max_pixels": config.max_pixels, "skip_unreadable": photo.is_dir()}
        if config.blind:
            root = photo if photo.is_dir() else photo.parent
            page = blind_page(
                colorizers, chosen, root=root, seed=config.seed, quality=config.quality, **reading
            )
            write_text(output, page)
        else:
            save_picture(output, side_by_side(colorizers, chosen, **reading), quality=config.quality)
        print(output)
    return 0


def _picture_path(config: Config, photo: Path) -> Path:
    """The path of the picture or page to write, by default beside the photo or folder."""
    place = photo.resolve() if photo.is_dir() else photo
    if not place.name:
        raise UserError(f"--image_path={photo} has nothing beside it: name a picture with --output_path")
    name = place.name if photo.is_dir() else place.stem
    output = config.output_path or place.with_name(
        f"{name}_{'blind.html' if config.blind else 'compared.png'}"
    )
    if not config.blind:
        photo_format(output)
    elif output.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"--output_path={output}: with --blind its ending must be .html")
    if output.exists() and not config.overwrite:
        raise UserError(f"{output} exists: add --overwrite, or name another with --output_path")
    return output
