"""What the size of the set and the number of processes change: time to draw and pack, speed, memory.

The photos are crops of those that scikit-image ships, repeated, each file with bytes of its own, in tar
files of a thousand. Each size runs in a process of its own; memory is what the process itself holds, not
the pages of the pack that the system keeps in its cache and gives up when asked.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from benchmarks.common import (
    MAIN,
    OwnProcess,
    alternate,
    machine,
    parse,
    ratio,
    report,
    summary,
    write_photos,
)
from config import Config
from core.device import find_device, reuse_freed_memory
from core.files import read_csv
from core.runs import HISTORY
from data.manifest import Manifest
from data.pipeline import draw_split, open_listing
from engine.trainer import Trainer
from models.losses import build_criterion
from models.registry import build_model, build_objective

SIZES = (1_000, 10_000, 100_000)
IMAGE_SIZE, BATCH_SIZE = 64, 64
_PHOTOS_PER_TAR = 1000
_STEPS = 40


def write_set(folder: Path, num: int, sources: list[bytes]) -> None:
    """Tar files of JPEG photos; a few bytes behind the picture make each file another."""
    folder.mkdir()
    for start in range(0, num, _PHOTOS_PER_TAR):
        with tarfile.open(folder / f"{start // _PHOTOS_PER_TAR:05}.tar", "w") as tar:
            for i in range(start, min(start + _PHOTOS_PER_TAR, num)):
                data = sources[i % len(sources)] + i.to_bytes(8, "big")
                info = tarfile.TarInfo(f"{i:08}.jpg")
                info.size = len(data)
                tar.addfile(info, io.BytesIO(data))


class MemoryPeak:
    """Largest memory of this process that is not a mapped file, looked at every 20 ms."""

    def __enter__(self) -> MemoryPeak:
        self.mb = 0.0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            anonymous = next(line for line in lines if line.startswith("RssAnon"))
            self.mb = max(self.mb, int(anonymous.split()[1]) / 1024)


class Scale:
    """The stages of a training on one folder."""

    def __init__(self, folder: Path, num: int, device_name: str) -> None:
        reuse_freed_memory()
        self.device = find_device(device_name)
        self.config = Config(
            mode="train",
            data_dir=str(folder),
            run_dir=folder.with_name(f"{folder.name} run"),
            subset_size=num,
            image_size=IMAGE_SIZE,
            batch_size=BATCH_SIZE,
            split_ratio=(0.98, 0.01, 0.01),
            device=device_name,
        )
        self.manifest: Manifest | None = None
        self.trainer: Trainer | None = None

    def draw(self) -> dict[str, float]:
        """List the folder, look at every photo and split."""
        with MemoryPeak() as peak:
            start = time.perf_counter()
            listing = open_listing(self.config)
            listed = time.perf_counter() - start
            self.manifest = draw_split(self.config, listing)
            seconds = time.perf_counter() - start
        num = len(listing.photos)
        return {"list_s": listed, "draw_photos_per_s": num / (seconds - listed), "draw_memory_mb": peak.mb}

    def pack(self) -> dict[str, float]:
        """Pack training and validation photos."""
        assert self.manifest is not None
        num = len(self.manifest.of("train")) + len(self.manifest.of("val"))
        with MemoryPeak() as peak:
            start = time.perf_counter()
            model = build_model("model1")
            objective = build_objective("model1", model, build_criterion("mse"))
            self.trainer = Trainer(self.config, model, objective, self.manifest, self.device)
            self.trainer.prepare()
            seconds = time.perf_counter() - start
        return {"pack_s": seconds, "pack_photos_per_s": num / seconds, "pack_memory_mb": peak.mb}

    def train(self, epoch: int) -> dict[str, float]:
        """Some steps of an epoch, on photos from all over the set."""
        assert self.trainer is not None
        batches = self.trainer.train_loader.training_epoch(0, epoch)
        self.trainer.model.train()
        num_photos = 0
        with MemoryPeak() as peak:
            start = time.perf_counter()
            for step, (batch, num_global) in enumerate(islice(batches, _STEPS), 1):
                self.trainer.stepper.step(step, batch, num_global)
                num_photos += num_global
            self.trainer.stepper.guard.check(epoch)
            seconds = time.perf_counter() - start
        return {"train_photos_per_s": num_photos / seconds, "train_memory_mb": peak.mb}


def train_with(processes: int, folder: Path, device: str) -> float:
    """Photos per second of the second epoch of a training by the command line."""
    run_dir = folder.with_name(f"{folder.name} {processes} processes")
    launcher = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={processes}"]
    command = [sys.executable, *launcher, str(MAIN), "--mode=train", f"--data_dir={folder}"]
    command += [f"--run_dir={run_dir}", "--overwrite", "--epochs=2", f"--device={device}"]
    command += [f"--image_size={IMAGE_SIZE}", f"--batch_size={BATCH_SIZE}", "--split_ratio=0.98,0.02,0"]
    threads = max(1, (os.cpu_count() or 1) // processes)
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr}")
    return float(read_csv(run_dir / HISTORY)[1]["images_per_s"])


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", largest=SIZES[-1], rounds=5)
    default = torch.cuda.device_count() if args.device == "cuda" else 2
    sizes = [size for size in SIZES if size <= args.largest]
    by_size: dict[int, dict[str, float]] = {}
    rates: dict[str, list[float]]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "sources", 256, size=128)
        sources = [path.read_bytes() for path in sorted((folder / "sources").iterdir())]
        workers = {}
        for size in sizes:
            write_set(folder / str(size), size, sources)
            workers[size] = OwnProcess(Scale, folder / str(size), size, args.device)
            by_size[size] = {**workers[size].call("draw"), **workers[size].call("pack")}
        memory: dict[int, list[float]] = {size: [] for size in sizes}

        def train(size: int) -> float:
            figures = workers[size].call("train", 1 + len(memory[size]))
            memory[size].append(figures["train_memory_mb"])
            return float(figures["train_photos_per_s"])

        rates = alternate({str(size): partial(train, size) for size in sizes}, args.rounds)
        for size, worker in workers.items():
            worker.close()
            by_size[size]["train_memory_mb"] = max(memory[size])
        by_processes = alternate(
            {str(n): partial(train_with, n, folder / str(sizes[0]), args.device) for n in (1, default)},
            min(args.rounds, 3),
        )
    speedup = ratio(rates[str(sizes[-1])], rates[str(sizes[0])])
    processes = ratio(by_processes[str(default)], by_processes["1"])
    figures: dict[str, Any] = {
        "speedup": speedup,
        "speedup_is": f"training speed with {sizes[-1]} photos over that with {sizes[0]}",
        "sizes": {
            size: {**values, "train_photos_per_s": summary(rates[str(size)])}
            for size, values in by_size.items()
        },
        "processes": {n: summary(values) for n, values in by_processes.items()},
        "processes_speedup": processes,
        "image_size": IMAGE_SIZE,
        "batch_size": BATCH_SIZE,
        "machine": machine(args.device),
    }
    show(figures, args.json)


def show(figures: dict[str, Any], path: Path | None) -> None:
    """Print the figures, and write them."""
    rows: dict[str, str] = {}
    for size, f in figures["sizes"].items():
        rows[f"{size:,} photos"] = (
            f"list {f['list_s']:5.1f} s   draw {f['draw_photos_per_s']:5.0f}/s   pack {f['pack_s']:5.1f} s "
            f"({f['pack_photos_per_s']:5.0f}/s)   train {f['train_photos_per_s']['median']:5.0f}/s   "
            f"memory: draw {f['draw_memory_mb']:4.0f}, pack {f['pack_memory_mb']:4.0f}, "
            f"train {f['train_memory_mb']:4.0f} MB"
        )
    for name, key in {"most to fewest photos": "speedup", "processes": "processes_speedup"}.items():
        r = figures[key]
        rows[f"speed, {name}"] = f"{r['median']:.2f}x [{r['low']:.2f}, {r['high']:.2f}]"
    for n, values in figures["processes"].items():
        rows[f"{n} processes"] = f"train {values['median']:5.0f}/s"
    report(f"scale, at {IMAGE_SIZE} px and batch {BATCH_SIZE}", rows, figures, path)


if __name__ == "__main__":
    main()
