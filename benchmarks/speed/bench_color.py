"""RGB -> CIELAB on a batch of photos, against kornia: time, and the error of both against float64.

Needs kornia (`pip install kornia`), which the project itself does not use.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import alternate, machine, parse, ratio, report, summary
from core.device import reuse_freed_memory
from data.color import rgb_to_lab

IMAGE_SIZE = 224


def timer(convert: Callable[[Tensor], Tensor], rgb: Tensor) -> Callable[[], float]:
    """Measure the seconds of ten conversions."""

    def measure() -> float:
        start = time.perf_counter()
        for _ in range(10):
            lab = convert(rgb)
        lab[0, 0, 0, 0].item()  # waits for the device
        return time.perf_counter() - start

    return measure


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", batch_size=32, rounds=15)
    try:
        import kornia.color
    except ImportError:
        sys.exit("this comparison needs kornia: pip install kornia")
    reuse_freed_memory()  # as in training; it helps both
    generator = torch.Generator().manual_seed(0)
    rgb = torch.rand(args.batch_size, 3, IMAGE_SIZE, IMAGE_SIZE, generator=generator).to(args.device)
    sides = {"kornia": kornia.color.rgb_to_lab, "ours": rgb_to_lab}
    exact = rgb_to_lab(rgb.double().cpu())  # tested against the formulas of the standards to 1e-9
    errors = {name: (f(rgb).cpu() - exact).abs().max().item() for name, f in sides.items()}
    seconds = alternate({name: timer(f, rgb) for name, f in sides.items()}, args.rounds)
    speedup = ratio(seconds["kornia"], seconds["ours"])
    per_photo = {name: [s / 10 / len(rgb) for s in values] for name, values in seconds.items()}
    rows = {
        name: f"{1e3 * np.median(values):7.3f} ms per photo, largest error {errors[name]:.1e}"
        for name, values in per_photo.items()
    }
    rows["speedup"] = f"{speedup['median']:7.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    figures = {
        "speedup": speedup,
        "seconds_per_photo": {name: summary(values) for name, values in per_photo.items()},
        "largest_error": errors,
        "image_size": IMAGE_SIZE,
        "batch_size": args.batch_size,
        "machine": machine(args.device),
    }
    report(f"RGB -> CIELAB, {len(rgb)} photos of {IMAGE_SIZE} px", rows, figures, args.json)


if __name__ == "__main__":
    main()
