"""The training loop: epochs, validation, checkpoints, and the state for resuming."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import Tensor
from tqdm import tqdm

from checkpoint.file import save_weights
from checkpoint.state_dict import check_state
from checkpoint.training_state import save_training_state, split_state
from config import Config
from core.device import compile_if_possible, find_precision, versions
from core.distributed import barrier, gather, sum_over_processes, world
from core.errors import UserError
from core.figures import progress_bar
from core.runs import BEST, LAST
from data.batch import Batch
from data.loader import epoch_seed
from data.manifest import SPLITS, Manifest
from data.pipeline import make_loader
from engine.batch_norm import synchronize_batch_norm
from engine.early_stopping import best_epoch, is_finished
from engine.ema import EMA
from engine.history import History, HistoryWriter
from engine.schedule import lr_factor
from engine.step import Stepper
from engine.validation import validate
from models.base import ColorizationModel
from models.objective import Objective

log = logging.getLogger(__name__)

_CHECK_EVERY = 20
"""Steps between two checks, each of which synchronizes with the device, for a non-finite loss."""


class Trainer:
    """A training run; between epochs its model, optimizer and history are saved and can be restored.

    Random numbers of an epoch are determined by (seed, epoch), and early stopping by the history, so
    nothing else has to be saved.
    """

    def __init__(
        self,
        config: Config,
        model: ColorizationModel,
        objective: Objective,
        manifest: Manifest,
        device: torch.device,
        origin: dict[str, Any] | None = None,
        state: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            config: of the run.
            model: to train.
            objective: supplies the training and validation losses.
            manifest: the photos of each split.
            device: where to compute.
            origin: metadata of the initial weights, stored in the checkpoint; None: no such weights.
            state: that `save_state` wrote, to resume from; None: a new training.
        Raises:
            UserError: too few photos, or the state is of another model.
        """
        _check_sizes(config, manifest)
        self.config, self.manifest, self.device, self.origin = config, manifest, device, origin
        self.keeps_best = objective.keeps(model.settings) == "best"
        if world().size > 1:
            for module in (model, objective):
                synchronize_batch_norm(module, device)
        # Convolutions are fastest in channels-last layout; the state dict is the same.
        self.model = model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.objective = objective.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if config.compile:
            compile_if_possible(self.model, config.image_size, device)
        self.ema = EMA(self.model, config.ema) if config.ema else None
        self.stepper = Stepper(
            self.model,
            self.objective,
            lr=config.lr,
            device=device,
            dtype=find_precision(config.precision, device),
            num_parts=config.grad_accum,
        )
        self.history: History = []
        if state is not None:
            self._load_state(state)

    def prepare(self) -> None:
        """Pack the photos that are not packed yet; for a new training compute their statistics.

        This can take minutes; packing continues where it stopped if the process is killed.

        Raises:
            UserError: too few of the photos can be read, or the place cannot be written.
        """
        splits = {split: self.manifest.of(split, self.config.max_photos) for split in ("train", "val")}
        classes = self.manifest.classes
        self.train_loader, self.val_loader = (
            make_loader(self.config, entries, self.device, classes) for entries in splits.values()
        )
        _check_enough(len(self.train_loader), len(self.val_loader))
        if not self.history:
            with progress_bar("measuring photos", len(self.train_loader)) as bar:
                self.objective.fit_statistics(self.model, _watch(self.train_loader, bar))
            if self.ema:
                self.ema = EMA(self.model, self.config.ema)

    def fit(self) -> None:
        """Train until finished; after each epoch the main process writes all results to disk.

        Raises:
            UserError: the loss is not finite; the last valid state is kept.
        """
        self.prepare()
        writer = HistoryWriter(self.config.run_path)
        if not self.history:
            self.save_state()
        try:
            if world().is_main:  # a killed run may have written last.pt but not the history files
                writer.write(self.history)
            while not is_finished(self.history, self.config, by_loss=self.keeps_best):
                # All processes use the main process's history, so that they stop at the same epoch.
                row = gather(self.run_epoch(len(self.history) + 1))[0]
                self.history.append(row)
                if self.best_epoch == row["epoch"]:
                    self.save_best(row)
                self.save_state()
                if world().is_main:
                    writer.write(self.history)
                print(self.describe(row))
        except KeyboardInterrupt:
            if world().is_main:
                kept = f"every finished epoch is kept in {self.config.run_path}"
                print(f"{kept}; go on with --resume", file=sys.stderr)
            raise
        finally:
            writer.close()
        barrier()  # until the main process has written its files

    @property
    def kept(self) -> ColorizationModel:
        """The model that is validated and saved: the average of the weights if --ema is on."""
        return self.ema.model if self.ema else self.model

    @property
    def best_epoch(self) -> int:
        """The epoch whose weights are saved as the best."""
        return best_epoch(self.history, by_loss=self.keeps_best)

    def run_epoch(self, epoch: int) -> dict[str, Any]:
        """Train one epoch and validate; return a row of history.csv."""
        torch.manual_seed(epoch_seed(self.config.seed, epoch))
        start = time.perf_counter()
        losses, num_photos = self.train_epoch(epoch)
        seconds = time.perf_counter() - start
        # Not in the first epoch, when new layers are untrained.
        if epoch > 1 and (warning := self.objective.warn_of(losses)):
            log.warning("epoch %d: %s", epoch, warning)
        terms = {f"train_{name}": loss for name, loss in losses.items()} if len(losses) > 1 else {}
        return {
            "epoch": epoch,
            "train_loss": sum(losses.values()),
            **terms,
            **validate(self.kept, self.objective, self.val_loader, self.stepper.dtype),
            **self.kept.report(),
            "lr": self.stepper.lr,
            "images_per_s": num_photos / seconds,
        }

    def train_epoch(self, epoch: int) -> tuple[dict[str, float], int]:
        """Train on all photos once; return the mean of each loss term per photo, and the number of photos."""
        self.model.train()
        self.objective.train()
        loader, stepper = self.train_loader, self.stepper
        sums: dict[str, Tensor] = {}
        num_photos = 0
        name = f"epoch {epoch}/{self.config.epochs}"
        with progress_bar(name, len(loader)) as bar:
            batches = loader.training_epoch(self.config.seed, epoch)
            for step, (batch, num_global) in enumerate(batches, start=1):
                stepper.set_lr(self.lr_at(epoch - 1 + num_photos / len(loader)))
                for term, loss in stepper.step(step, batch, num_global).items():
                    sums[term] = sums.get(term, 0) + loss
                if self.ema:
                    self.ema.update(self.model)
                num_photos += num_global
                bar.update(num_global)
                if step % _CHECK_EVERY == 0:
                    stepper.guard.check(epoch)
                    total = torch.stack(list(sums.values())).sum().item()
                    bar.set_postfix(loss=f"{total * world().size / num_photos:.4f}")
        stepper.guard.check(epoch)
        means = sum_over_processes(torch.stack(list(sums.values()))) / num_photos
        return dict(zip(sums, means.tolist(), strict=True)), num_photos

    def lr_at(self, epochs_done: float) -> float:
        """Return the learning rate after a (fractional) number of epochs."""
        config = self.config
        progress = epochs_done / config.epochs
        warmup = min(config.warmup / config.epochs, 0.5)  # a recipe's may be as long as a short training
        return config.lr * lr_factor(config.schedule, progress, warmup)

    def describe(self, row: dict[str, Any]) -> str:
        """Format one line about an epoch."""
        own = "".join(f" · {name} {value:.4f}" for name, value in self.kept.report().items())
        terms = [f"{k.removeprefix('train_')} {row[k]:.4f}" for k in row if k.startswith("train_")][1:]
        losses = f" ({', '.join(terms)})" if terms else ""
        best = " *" if self.best_epoch == row["epoch"] else ""
        return (
            f"epoch {row['epoch']}/{self.config.epochs} · loss {row['train_loss']:.5f}{losses} "
            f"val {row['val_loss']:.5f}{best} · PSNR {row['val_psnr']:.2f} dB "
            f"(gray {row['val_psnr_gray']:.2f}){own} · chroma {row['chroma_ratio']:.2f} of true "
            f"· {row['images_per_s']:.0f} photos/s"
        )

    def save_best(self, row: dict[str, Any]) -> None:
        """Write best.safetensors."""
        info = {
            "image_size": self.config.image_size,
            "resize": self.config.resize,
            # Without the speed, so that equal runs write equal bytes.
            "validation": {key: value for key, value in row.items() if key != "images_per_s"},
            "training": self.config.training_settings(),
            "num_photos": {s: len(self.manifest.of(s, self.config.max_photos)) for s in SPLITS},
            "initial_weights": self.origin,
            "manifest_sha256": self.manifest.sha256,
            "versions": versions(),
        }
        if world().is_main:
            save_weights(self.config.run_path / BEST, self.config.model, self.kept, info)

    def save_state(self) -> None:
        """Write last.pt, after the best weights: if killed in between, the run repeats the epoch."""
        state = {
            "model": self.model.state_dict(),
            "objective": self.objective.state_dict(),
            "optimizer": self.stepper.optimizer.state_dict(),
            "average": self.ema.state_dict() if self.ema else None,
            "history": self.history,
            "manifest_sha256": self.manifest.sha256,
        }
        if world().is_main:
            save_training_state(self.config.run_path / LAST, state)

    def _load_state(self, state: dict[str, Any]) -> None:
        last = str(self.config.run_path / LAST)
        model, objective, average = split_state(state, self.model)
        check_state(model, self.model.state_dict(), last, self.config.model)
        check_state(objective, self.objective.state_dict(), last, self.config.model)
        self.model.load_state_dict(model)
        self.objective.load_state_dict(objective)
        self.stepper.optimizer.load_state_dict(state["optimizer"])
        if self.ema:
            self.ema.load_state_dict(average)
        self.history = state["history"]


def _check_sizes(config: Config, manifest: Manifest) -> None:
    smallest = 2 * world().size
    if config.batch_size < smallest:
        raise UserError(
            f"--batch_size={config.batch_size}: batch norm needs at least 2 photos in a training step "
            f"of each process: {smallest} or more"
        )
    _check_enough(*(len(manifest.of(split, config.max_photos)) for split in ("train", "val")))


def _check_enough(num_train: int, num_val: int) -> None:
    smallest = 2 * world().size
    if num_train < smallest or num_val < 1:
        raise UserError(
            f"training needs at least {smallest} photos to train on and 1 to validate on: "
            "add photos, or set --split_ratio or --max_photos"
        )


def _watch(batches: Iterable[Batch], bar: tqdm) -> Iterator[Batch]:
    for batch in batches:
        yield batch
        bar.update(len(batch))
