"""Training throughput, data and step together, against the straightforward path.

The straightforward path is what the published implementation does, written with care: Pillow decodes,
torchvision transforms augment, scikit-image converts, all per photo in one DataLoader worker per core;
float32, the same model, optimizer and batch size. It runs in a process of its own, so that nothing
that ours sets for its process helps or hinders it.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import torch
import torchvision.transforms.v2 as T
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from benchmarks.common import OwnProcess, alternate, machine, parse, ratio, report, summary, write_photos
from config import Config
from data.batch import Batch
from data.color import AB_SCALE, L_SCALE
from data.dataset import draw_split, open_listing
from device import find_device, reuse_freed_memory
from models import build_model
from models.losses import build_criterion
from train import Trainer

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


def throughput(trainer: Trainer, loader: Any) -> float:
    """Photos per second of one training epoch on a loader."""
    trainer.train_loader = loader
    start = time.perf_counter()
    _, num_photos = trainer.train_epoch(1)
    return num_photos / (time.perf_counter() - start)


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", photos=256, batch_size=32, rounds=5)
    device = find_device(args.device)
    reuse_freed_memory()  # as train.run does
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder) / "photos", args.photos)
        config = Config(
            mode="train",
            data_dir=f"{folder}/photos",
            run_dir=Path(folder, "run"),
            batch_size=args.batch_size,
            split_ratio=(0.98, 0.01, 0.01),
            device=args.device,
        )
        manifest = draw_split(config, open_listing(config))
        trainer = Trainer(config, build_model("model1"), build_criterion("mse"), manifest, device)
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
                },
                args.rounds,
            )
    speedup = ratio(rates["ours"], rates["straightforward"])
    step_share = ratio(rates["ours"], rates["ours, step alone"])
    figures = {
        "speedup": speedup,
        "photos_per_s": {name: summary(values) for name, values in rates.items()},
        "data_share_of_epoch": 1 - step_share["median"],
        "precision": str(trainer.stepper.dtype),
        "batch_size": args.batch_size,
        "image_size": IMAGE_SIZE,
        "machine": machine(args.device),
    }
    rows = {name: f"{np.median(values):8.1f} photos/s" for name, values in rates.items()}
    rows["speedup"] = f"{speedup['median']:8.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    rows["data path"] = f"{100 * figures['data_share_of_epoch']:8.1f} % of the epoch"
    report(
        f"training at {IMAGE_SIZE} px, batch {args.batch_size}, {trainer.stepper.dtype}",
        rows,
        figures,
        args.json,
    )


if __name__ == "__main__":
    main()
