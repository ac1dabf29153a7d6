"""Measuring two sides in turn, and reporting the ratio with its spread."""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image

from core.files import write_json

ROOT = Path(__file__).resolve().parent.parent
MAIN = ROOT / "main.py"


def parse(description: str, **defaults: int) -> argparse.Namespace:
    """Parse --json, --device and whole-number flags with these defaults."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for name, default in defaults.items():
        parser.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    return parser.parse_args()


class OwnProcess:
    """An object that lives in a process of its own."""

    def __init__(self, factory: Callable[..., Any], *args: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self._pool = ProcessPoolExecutor(1, context, initializer=_build, initargs=(factory, *args))

    def call(self, method: str, *args: Any) -> Any:
        """Call one of its methods there, and wait for the result."""
        return self._pool.submit(_call, method, *args).result()

    def close(self) -> None:
        """End the process."""
        self._pool.shutdown()

    def __enter__(self) -> OwnProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_built: Any = None


def _build(factory: Callable[..., Any], *args: Any) -> None:
    global _built
    _built = factory(*args)


def _call(method: str, *args: Any) -> Any:
    return getattr(_built, method)(*args)


def alternate(sides: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Call each side once per round, in turn, so that whatever slows the machine slows both.

    The first round warms up and does not count.
    """
    figures: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, measure in sides.items():
            figure = measure()
            if number > 0:
                figures[name].append(figure)
    return figures


def summary(values: Sequence[float]) -> dict[str, float]:
    """Median, smallest and largest."""
    return {"median": float(np.median(values)), "low": float(min(values)), "high": float(max(values))}


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> dict[str, float]:
    """Summary of the ratios, each taken within one round."""
    return summary([a / b for a, b in zip(numerator, denominator, strict=True)])


def machine(device: str) -> dict[str, Any]:
    """What the figures were measured on."""
    gpu = torch.cuda.get_device_name() if device == "cuda" else None
    return {
        "cpu": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def report(title: str, rows: Mapping[str, str], figures: dict[str, Any], path: Path | None) -> None:
    """Print rows and write the figures."""
    print(title)
    width = max(map(len, rows))
    for name, text in rows.items():
        print(f"  {name:<{width}}  {text}")
    if path is not None:
        write_json(path, figures)


@contextlib.contextmanager
def serving(*flags: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Serve the page at any free port: its address, and the process."""
    command = [sys.executable, str(MAIN), "--mode=serve", "--port=0", "--device=cpu", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = (line for line in process.stdout if line.startswith("http"))
            yield next(lines).split()[0], process
        finally:
            process.terminate()


def gray_photo(pixels: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """A photo enlarged and without its colours, in RGB as most scans are: colours of its own would stay."""
    return Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC).convert("L").convert("RGB")


def write_photos(folder: Path, num: int, size: int = 256) -> None:
    """Write JPEG photos of `size` pixels: crops of those that scikit-image ships, no two the same."""
    sources = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    rng = np.random.default_rng(0)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(num):
        source = sources[i % len(sources)]
        side = int(rng.integers(150, min(source.shape[:2])))
        y, x = (int(rng.integers(0, limit - side + 1)) for limit in source.shape[:2])
        photo = Image.fromarray(source[y : y + side, x : x + side]).resize((size, size))
        photo.save(folder / f"{i:06}.jpg", quality=90)
