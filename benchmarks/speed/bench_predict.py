"""Coloring one photo: cold start, warm time and peak memory by size; the network beside a far larger one.

Cold is the whole command, from the start of Python to the written picture; warm is a call of a loaded
Colorizer on the same file, decoding included; both with the weights that predict takes when nothing is named.
The larger network is that of Zhang et al. 2016, the best known of the classic colorizers, as published; what
it is compared with, at the same size, is the GAE.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from torch import Tensor, nn

from benchmarks.common import MAIN, alternate, gray_photo, machine, parse, ratio, report, summary
from checkpoint.shipped import DEFAULT
from inference.colorizer import Colorizer
from models.registry import build_model

SIZES = {
    "0.05 MP": (256, 192),
    "1 MP": (1152, 864),
    "2 MP": (1632, 1224),
    "12 MP": (4000, 3000),
    "50 MP": (8192, 6144),
    "100 MP": (11600, 8700),
}
NETWORK_SIZE = 256

# In a small process between: on Linux the peak of a program begins with that of the process that started it.
_MEASURE = """
import os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - start, usage.ru_maxrss)
sys.exit(1 if status else 0)
"""


def write_photo(path: Path, size: tuple[int, int]) -> None:
    """A photo of scikit-image's, enlarged and gray."""
    gray_photo(skimage.data.coffee(), size).save(path, quality=90)


def run_cold(photo: Path, output: Path, device: str) -> tuple[float, float]:
    """(seconds, peak memory in MB) of the predict command."""
    command = [sys.executable, str(MAIN), "--mode=predict", f"--image_path={photo}", f"--weights={DEFAULT}"]
    command += [f"--output_path={output}", "--overwrite", f"--device={device}"]
    done = subprocess.run([sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"predict failed: {' '.join(command)}\n{done.stderr}")
    seconds, kilobytes = map(float, done.stdout.split()[-2:])
    return seconds, kilobytes / 1024


def timer(network: nn.Module, device: str) -> Callable[[], float]:
    """Measure the seconds of one photo of `NETWORK_SIZE` through a network."""
    network = network.to(device).eval()
    L = torch.full((1, 1, NETWORK_SIZE, NETWORK_SIZE), 50.0, device=device)

    @torch.inference_mode()
    def measure() -> float:
        start = time.perf_counter()
        result: Tensor = network(L)
        result.sum().item()  # waits for the device
        return time.perf_counter() - start

    return measure


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", rounds=5)
    sizes: dict[str, Any] = {}
    rows = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        colorizer = Colorizer.load(DEFAULT, device=args.device)
        for label, size in SIZES.items():
            photo = folder / f"{size[0]}.jpg"
            write_photo(photo, size)
            warm = []
            for _ in range(args.rounds + 1):
                start = time.perf_counter()
                colorizer(photo)
                warm.append(time.perf_counter() - start)
            runs = [run_cold(photo, folder / "out.jpg", args.device) for _ in range(3)]
            cold, memory = zip(*runs, strict=True)
            sizes[label] = {
                "cold_s": summary(cold),
                "warm_s": summary(warm[1:]),
                "peak_memory_mb": summary(memory),
            }
            rows[label] = (
                f"cold {np.median(cold):6.2f} s   warm {np.median(warm[1:]):7.3f} s   "
                f"peak {np.median(memory):6.0f} MB"
            )
    larger = build_model("zhang2016")
    networks = {"GAE": timer(build_model("model1"), args.device), "Zhang 2016": timer(larger, args.device)}
    seconds = alternate(networks, args.rounds)
    speedup = ratio(seconds["Zhang 2016"], seconds["GAE"])
    for label, values in seconds.items():
        rows[f"network, {label}"] = f"{1000 * np.median(values):7.1f} ms at {NETWORK_SIZE} px"
    rows["speedup"] = f"{speedup['median']:7.1f}x [{speedup['low']:.1f}, {speedup['high']:.1f}]"
    figures = {
        "speedup": speedup,
        "weights": DEFAULT,
        "sizes": sizes,
        "network_s": {label: summary(values) for label, values in seconds.items()},
        "network_size": NETWORK_SIZE,
        "parameters_of_zhang_2016": sum(p.numel() for p in larger.parameters()),
        "machine": machine(args.device),
    }
    report("coloring one photo", rows, figures, args.json)


if __name__ == "__main__":
    main()
