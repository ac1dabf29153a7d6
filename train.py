"""The train mode: open or resume a run, train, and test the best weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import evaluate
from checkpoint.file import LoadedModel
from checkpoint.training_state import load_training_state
from config import Config
from core.device import find_device, reuse_freed_memory, versions
from core.distributed import main_first, world
from core.errors import UserError
from core.files import check_writable, remove_leftovers
from core.locks import try_lock, unlock
from core.runs import (
    BEST,
    LAST,
    MANIFEST,
    METRICS,
    clear,
    forget_scores,
    holds_run,
    read_config,
    restore_config,
    write_config,
)
from data.listing import Listing
from data.manifest import SPLITS, Manifest, read_manifest, read_rows
from data.pipeline import draw_split, open_listing
from engine.early_stopping import best_epoch, is_finished, limits_reached
from engine.history import History
from engine.trainer import Trainer
from inference.weights import describe, initial_weights
from models.base import ColorizationModel
from models.losses import OWN, build_criterion, parse_loss
from models.registry import build_model, build_objective, find_model, find_objective


def run(config: Config) -> int:
    """Train a model on --data_dir, keep its best weights in --run_dir, and test them.

    Raises:
        UserError: the folder, the flags or the run directory do not allow it, or the loss became
            infinite or NaN.
    """
    device = find_device(config.device)
    reuse_freed_memory()
    config, initial = _resolve(config)
    last = config.run_path / LAST
    # A run that was stopped before its first checkpoint has only a split and a configuration.
    state = load_training_state(last) if config.resume and last.exists() else None
    torch.manual_seed(config.seed)
    model = initial.model if initial else build_model(config.model, **config.model_settings)
    by_loss = find_objective(config.model).keeps(model.settings) == "best"
    if state and is_finished(state["history"], config, by_loss=by_loss) and _is_tested(config):
        print(_how_it_ended(config, state["history"], by_loss=by_loss))
        return 0
    config = _settle_loss(config, model.settings)
    if not config.resume:  # a run of before goes on with the flags that it was started with
        _check_effects(config, model.settings)
    if config.freeze_encoder:
        model.freeze_encoder()
    listing = open_listing(config)
    if config.dry_run:
        return _describe(config, model, listing, _open_manifest(config, listing, state))
    if state is None:  # fail early, before thousands of photos are decoded
        check_writable(config.run_path)
    with _alone_in(config.run_path):
        with main_first():
            criterion = build_criterion(config.loss, vgg_weights=config.vgg_weights)
            if state is None and initial is None:
                model.load_pretrained()
        manifest = _open_manifest(config, listing, state)
        objective = build_objective(config.model, model, criterion, manifest.classes)
        origin = _origin(config, initial)
        trainer = Trainer(config, model, objective, manifest, device, origin, state)
        if world().is_main:  # before the photos are packed, so that --resume can continue from there
            _open_run(config, listing, manifest, vars(model.settings), origin)
        trainer.fit()
        return _test_best(config, manifest)


def _resolve(config: Config) -> tuple[Config, LoadedModel | None]:
    """The configuration of a new or resumed run, and the initial weights of a new one (None: random)."""
    initial = None
    if config.resume:
        config = restore_config(config)
    find_model(config.model)  # it rejects a model without weights before any are read
    if config.init_weights and not (config.resume and (config.run_path / LAST).exists()):
        initial, config = initial_weights(config)
    if holds_run(config.run_path) and not (config.resume or config.overwrite or config.dry_run):
        can_resume = (config.run_path / LAST).exists()
        raise UserError(
            f"{config.run_path} holds a run: {'go on with it with --resume, ' if can_resume else ''}"
            "replace it with --overwrite, or name another --run_dir"
        )
    if initial and config.overwrite and initial.path.resolve().parent == config.run_path.resolve():
        raise UserError(
            f"--overwrite would delete {initial.path}, which the training starts from: name another --run_dir"
        )
    if Path(config.data_dir).absolute() == config.run_path.absolute():
        raise UserError(f"--run_dir={config.run_path} is the folder of the photos: name another")
    return config, initial


@contextlib.contextmanager
def _alone_in(run_path: Path) -> Iterator[None]:
    """Keep other trainings out of a run directory; the main process does it for all of a job.

    Raises:
        UserError: another training is under way in it.
    """
    try:
        held = try_lock(run_path) if world().is_main else None
    except BlockingIOError as error:
        raise UserError(f"another training is under way in {run_path}: name another --run_dir") from error
    try:
        yield
    finally:
        unlock(held)


def _how_it_ended(config: Config, history: History, *, by_loss: bool) -> str:
    """One line on a finished run: its epochs, and the settings that, if larger, let it go further."""
    flags = [f"--{name}" for name in limits_reached(history, config, by_loss=by_loss)]
    further = f"a larger {flags[0]} goes" if len(flags) == 1 else f"larger {' and '.join(flags)} go"
    best = best_epoch(history, by_loss=by_loss)
    return f"{config.run_path} is finished: {len(history)} epochs, best {best}; {further} further"


def _describe(config: Config, model: ColorizationModel, listing: Listing, manifest: Manifest) -> int:
    """Print what a training would do."""
    print(describe(config, model))
    counts = ", ".join(f"{split} {len(manifest.of(split, config.max_photos))}" for split in SPLITS)
    print(f"{listing.root}: {len(listing.photos)} photos listed; {counts}")
    return 0


def _settle_loss(config: Config, settings: Any) -> Config:
    """Set the loss that the model is trained with: `--loss`, or the model's own."""
    if find_objective(config.model).takes_loss(settings):
        parse_loss(config.loss)
        return config
    return config.replace(loss=OWN)


def _check_effects(config: Config, settings: Any) -> None:
    """
    Raises:
        UserError: a flag was given that changes nothing beside the others.
    """
    reasons = find_objective(config.model).without_effect(settings)
    if config.loss == OWN:
        reasons.setdefault("loss", f"{config.model} is trained with a loss of its own: leave it out")
    if config.loss == OWN or "perceptual" not in parse_loss(config.loss):
        reasons["vgg_weights"] = "--loss has no term perceptual: add it, or leave this out"
    if config.freeze_encoder:
        whole = "--freeze_encoder keeps the whole encoder as it is: leave one of them out"
        reasons |= {"frozen_stages": whole, "encoder_lr": whole}
    for name, reason in reasons.items():
        if name in config.given:
            raise UserError(f"--{name}: {reason}")


def _open_manifest(config: Config, listing: Listing, state: dict[str, Any] | None) -> Manifest:
    path = config.run_path / MANIFEST
    if state is None and not (config.resume and path.exists()):
        return draw_split(config, listing)
    manifest = read_manifest(path, listing)
    drawn = (
        state["manifest_sha256"] if state else read_config(config.run_path)["facts"].get("manifest_sha256")
    )
    if manifest.sha256 != drawn:
        raise UserError(f"{path} is not what the run was started with: restore it or start a new run")
    if manifest.missing:
        raise UserError(
            f"{len(manifest.missing)} photos of {path} are gone from {listing.root} (first: "
            f"{manifest.missing[0]}): put them back, or start a new run"
        )
    return manifest


def _origin(config: Config, initial: LoadedModel | None) -> dict[str, Any] | None:
    """SHA-256 and metadata of the run's initial weights; None for random ones."""
    if initial:
        return {"sha256": initial.sha256, **initial.info}
    if config.resume:
        stored: dict[str, Any] | None = read_config(config.run_path)["facts"].get("initial_weights")
        return stored
    return None


def _open_run(
    config: Config,
    listing: Listing,
    manifest: Manifest,
    settings: dict[str, Any],
    origin: dict[str, Any] | None,
) -> None:
    """Write the configuration; for a new run also the manifest, after clearing an earlier one."""
    if config.resume:
        forget_scores(config.run_path)
        remove_leftovers(config.run_path)
    else:
        clear(config.run_path)
        manifest.write(config.run_path / MANIFEST)
    facts = {
        "manifest_sha256": manifest.sha256,
        "listing_sha256": listing.sha256(),
        "num_listed": len(listing.photos),
        "initial_weights": origin,
        "versions": versions(),
    }
    write_config(config.replace(data_dir=listing.root), settings, facts)


def _is_tested(config: Config) -> bool:
    """Whether the best weights were scored, or there are no test photos."""
    splits = {row["split"] for row in read_rows(config.run_path / MANIFEST)}
    return "test" not in splits or (config.run_path / METRICS).exists()


def _test_best(config: Config, manifest: Manifest) -> int:
    if not manifest.of("test"):
        print("no test photos in the split: not tested")
        return 0
    best = config.run_path / BEST
    return evaluate.run(
        config.replace(mode="test", split="test", weights=best, model_settings={}, download=False)
    )
