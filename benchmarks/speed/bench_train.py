"""Training throughput, data and step together, against the straightforward path.

The straightforward path is what the published implementation does, written with care: Pillow decodes,
torchvision transforms augment, scikit-image converts, all per photo in one DataLoader worker per core;
float32, the same model, optimizer and batch size. It runs in a process of its own, so that nothing
that ours sets for its process helps or hinders it.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import torch
import torchvision.transforms.v2 as T
from PIL import Image
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile
from torch.utils.data import DataLoader, Dataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.common import OwnProcess, alternate, machine, parse, ratio, report, summary, write_photos
from config import Config
from core.device import find_device, reuse_freed_memory
from data.batch import Batch
from data.color import AB_SCALE, L_SCALE
from data.loader import PhotoLoader
from data.pipeline import draw_split, open_listing
from engine.trainer import Trainer
from models.losses import build_criterion
from models.registry import build_model, build_objective

IMAGE_SIZE = 224


class StraightforwardDataset(Dataset[tuple[Tensor, Tensor]]):
    """Decode, augment and convert one photo at a time."""

    def __init__(self, paths: list[Path]) -> None:
        self.paths = paths
        self.transform = T.Compose(
            [
                T.Resize((IMAGE_SIZE, IMAGE_SIZE)),
                T.RandomHorizontalFlip(),
                T.RandomRotation(15),
                T.RandomResizedCrop(IMAGE_SIZE, scale=(0.8, 1.0)),
            ]
        )

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        with Image.open(self.paths[index]) as image:
            rgb = np.asarray(self.transform(image.convert("RGB")))
        lab = torch.from_numpy(skimage.color.rgb2lab(rgb).astype(np.float32)).permute(2, 0, 1)
        return lab[:1] / L_SCALE, lab[1:] / AB_SCALE


class Straightforward:
    """The plain training loop."""

    def __init__(self, paths: list[Path], batch_size: int, device_name: str) -> None:
        self.device = device = find_device(device_name)
        self.model = build_model("model1").to(device).train()
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=1e-3)
        # The threads of the step and the workers share the cores, as they would for anybody.
        self.loader = DataLoader(
            StraightforwardDataset(paths),
            batch_size,
            shuffle=True,
            num_workers=os.cpu_count() or 1,
            pin_memory=device.type == "cuda",
            persistent_workers=True,
        )

    def epoch(self) -> float:
        """Photos per second of one epoch."""
        num_photos, start = 0, time.perf_counter()
        for L, ab in self.loader:
            pred = self.model(L.to(self.device) * L_SCALE) / AB_SCALE
            loss = nn.functional.mse_loss(pred, ab.to(self.device))
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            num_photos += len(L)
        loss.item()  # waits for the device
        return num_photos / (time.perf_counter() - start)


class Repeated:
    """A loader that hands out one finished batch again and again: the step without its data."""

    def __init__(self, batch: Batch, num: int) -> None:
        self.batch, self.num, self.device = batch, num, batch.L.device

    def __len__(self) -> int:
        return self.num * len(self.batch)

    def training_epoch(self, seed: int, epoch: int) -> Iterator[tuple[Batch, int]]:
        for _ in range(self.num):
            yield self.batch, len(self.batch)


# What the operators of a step belong to, by parts of their names; the rest is "other elementwise".
_FAMILIES = {
    "convolution": ("conv",),
    "batch norm": ("batch_norm",),
    "relu": ("relu", "threshold", "clamp_min"),
    "optimizer": ("adam",),
}


def breakdown(trainer: Trainer, batch: Batch) -> dict[str, float]:
    """Shares of a step's time by family of operators."""
    on_gpu = batch.L.device.type == "cuda"
    activities = [ProfilerActivity.CUDA if on_gpu else ProfilerActivity.CPU]
    with profile(activities=activities) as measured:
        for number in range(1, 6):
            trainer.stepper.step(number, batch, len(batch))
        trainer.stepper.guard.check(0)
    seconds = dict.fromkeys([*_FAMILIES, "other elementwise"], 0.0)
    for event in measured.key_averages():
        name = event.key.lower()
        family = next((f for f, marks in _FAMILIES.items() if any(m in name for m in marks)), None)
        own = event.self_device_time_total if on_gpu else event.self_cpu_time_total
        seconds[family or "other elementwise"] += own
    return {family: value / sum(seconds.values()) for family, value in seconds.items()}


def limits(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """What the machine can do: products per second of a matrix product, bytes per second of a copy."""
    side, size = (8192, 2**30) if device.type == "cuda" else (2048, 2**28)
    a = torch.ones(side, side, dtype=dtype, device=device)
    x, y = (torch.ones(size // 4, device=device) for _ in range(2))

    def rate(amount: float, action: Callable[[], Tensor]) -> float:
        best = float("inf")
        for _ in range(5):
            start = time.perf_counter()
            for _ in range(5):
                result = action()
            result.flatten()[0].item()  # waits for the device
            best = min(best, (time.perf_counter() - start) / 5)
        return amount / best

    return {
        "matrix_flop_per_s": rate(2 * side**3, lambda: a @ a),
        "memory_bytes_per_s": rate(2 * size, lambda: y.copy_(x)),
    }


def flop_per_photo() -> int:
    """Of a training step: forward, and backward to inputs and to weights."""
    model = build_model("model1")
    with FlopCounterMode(display=False) as counter:
        model(torch.zeros(2, 1, IMAGE_SIZE, IMAGE_SIZE)).sum().backward()
    return counter.get_total_flops() // 2


def throughput(trainer: Trainer, loader: Any) -> float:
    """Photos per second of one training epoch on a loader."""
    trainer.train_loader = loader
    start = time.perf_counter()
    _, num_photos = trainer.train_epoch(1)
    return num_photos / (time.perf_counter() - start)


def data_throughput(loader: PhotoLoader) -> float:
    """Photos per second of one training epoch without its steps."""
    num_photos, start = 0, time.perf_counter()
    for batch, _ in loader.training_epoch(0, 1):
        num_photos += len(batch)
    batch.L[0, 0, 0, 0].item()  # waits for the device
    return num_photos / (time.perf_counter() - start)


def main() -> None:
    """Measure and report."""
    on_gpu = torch.cuda.is_available()
    args = parse(
        __doc__ or "",
        photos=8192 if on_gpu else 256,
        batch_size=256 if on_gpu else 32,
        rounds=5,
        compile=int(on_gpu),
    )
    reuse_freed_memory()  # as train.run does
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_of(args, Path(folder))
        figures = measure(args, trainer)
    show(figures, args.json)


def trainer_of(args: argparse.Namespace, folder: Path) -> Trainer:
    """A training of model1 on photos of its own, ready to step."""
    write_photos(folder / "photos", args.photos)
    config = Config(
        mode="train",
        data_dir=str(folder / "photos"),
        run_dir=folder / "run",
        batch_size=args.batch_size,
        split_ratio=(0.98, 0.01, 0.01),
        device=args.device,
        compile=bool(args.compile),
    )
    manifest = draw_split(config, open_listing(config))
    model = build_model("model1")
    objective = build_objective("model1", model, build_criterion("mse"))
    trainer = Trainer(config, model, objective, manifest, find_device(args.device))
    trainer.prepare()
    return trainer


def measure(args: argparse.Namespace, trainer: Trainer) -> dict[str, Any]:
    """Rates of the training, of its halves and of a straightforward one, and what the machine could do."""
    packed = trainer.train_loader
    batch, _ = next(packed.training_epoch(0, 1))
    only_step = Repeated(batch, max(1, len(packed) // len(batch)))
    paths = [photo.path for photo in packed.pack.photos]
    with OwnProcess(Straightforward, paths, args.batch_size, args.device) as plain:
        rates = alternate(
            {
                "straightforward": lambda: plain.call("epoch"),
                "ours": lambda: throughput(trainer, packed),
                "ours, step alone": lambda: throughput(trainer, only_step),
                "ours, data alone": lambda: data_throughput(packed),
            },
            args.rounds,
        )
    machine_limits, flop = limits(find_device(args.device), trainer.stepper.dtype), flop_per_photo()
    ours, step_rate = (float(np.median(rates[name])) for name in ("ours", "ours, step alone"))
    return {
        "speedup": ratio(rates["ours"], rates["straightforward"]),
        "photos_per_s": {name: summary(values) for name, values in rates.items()},
        "data_share_of_step": ratio(rates["ours, step alone"], rates["ours, data alone"]),
        "shares_of_step": breakdown(trainer, batch),
        "limits": machine_limits,
        "flop_per_photo": flop,
        "step_of_matrix_rate": step_rate * flop / machine_limits["matrix_flop_per_s"],
        "hours_of_200_epochs_of_21000_photos": 200 * 21_000 / ours / 3600,
        "compile": bool(args.compile),
        "precision": str(trainer.stepper.dtype),
        "batch_size": args.batch_size,
        "image_size": IMAGE_SIZE,
        "machine": machine(args.device),
    }


def show(figures: dict[str, Any], path: Path | None) -> None:
    """Print the figures, and write them."""
    speedup, data_share, shares = (
        figures[key] for key in ("speedup", "data_share_of_step", "shares_of_step")
    )
    machine_limits = figures["limits"]
    rows = {name: f"{v['median']:8.1f} photos/s" for name, v in figures["photos_per_s"].items()}
    rows["speedup"] = f"{speedup['median']:8.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    low, median, high = (100 * data_share[key] for key in ("low", "median", "high"))
    rows["data path"] = f"{median:8.1f} % of the step [{low:.1f}, {high:.1f}]"
    rows["step, by operators"] = ", ".join(f"{name} {100 * v:.0f} %" for name, v in shares.items())
    rows["step, of the matrix rate"] = (
        f"{100 * figures['step_of_matrix_rate']:8.1f} % of {machine_limits['matrix_flop_per_s'] / 1e9:,.0f} "
        f"GFLOP/s; memory {machine_limits['memory_bytes_per_s'] / 1e9:,.0f} GB/s"
    )
    rows["200 epochs of 21 000"] = f"{figures['hours_of_200_epochs_of_21000_photos']:8.2f} h"
    report(
        f"training at {IMAGE_SIZE} px, batch {figures['batch_size']}, {figures['precision']}",
        rows,
        figures,
        path,
    )


if __name__ == "__main__":
    main()
