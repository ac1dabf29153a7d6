"""A training step and a prediction, beside another checkout of the program.

    python -m benchmarks.speed.bench_before --before=CHECKOUT --json=docs/performance/before.json

Both by the command line, without its start: the time of a longer run less that of a shorter, over what it did
more. The checkouts take turns. Training is that of the GAE at 224 px, validation included; prediction is of a
folder of photos of 1 MP, JPEG to JPEG, with weights that ship with each.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.common import MAIN, alternate, machine, ratio, report, summary, write_photos
from benchmarks.speed.bench_predict import write_photo

NUM_TRAINED, EPOCHS = 256, (1, 4)
NUM_COLORED, SIZE = (4, 64), (1152, 864)
WEIGHTS = ("model1", "unet_vivid")


def run(program: Path, *flags: str) -> float:
    """Seconds of a command."""
    start = time.perf_counter()
    command = [sys.executable, str(program), "--device=cpu", "--overwrite", *flags]
    subprocess.run(command, check=True, capture_output=True, cwd=program.parent)
    return time.perf_counter() - start


def trainer(program: Path, photos: Path, runs: Path) -> Callable[[], float]:
    """Measure the seconds of a photo of an epoch."""

    def measure() -> float:
        flags = ("--mode=train", f"--data_dir={photos}", "--batch_size=32", "--split_ratio=0.8,0.2,0")
        short, long = (run(program, *flags, f"--epochs={n}", f"--run_dir={runs / str(n)}") for n in EPOCHS)
        return (long - short) / (EPOCHS[1] - EPOCHS[0]) / NUM_TRAINED

    return measure


def colorer(program: Path, photos: Path, weights: str) -> Callable[[], float]:
    """Measure the seconds of a photo of a folder."""

    def measure() -> float:
        flags = ("--mode=predict", f"--weights={weights}", f"--output_dir={photos / 'colored'}")
        short, long = (run(program, *flags, f"--image_path={photos / str(n)}") for n in NUM_COLORED)
        return (long - short) / (NUM_COLORED[1] - NUM_COLORED[0])

    return measure


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, required=True, help="another checkout")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    programs = {"now": MAIN, "before": args.before.resolve() / "main.py"}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_photos(folder / "photos", NUM_TRAINED)
        for num in NUM_COLORED:
            (folder / str(num)).mkdir()
            for i in range(num):
                write_photo(folder / str(num) / f"{i}.jpg", SIZE)
        found = {}
        for work in ("training", *WEIGHTS):
            sides = {
                side: trainer(program, folder / "photos", folder / side)
                if work == "training"
                else colorer(program, folder, work)
                for side, program in programs.items()
            }
            label = work if work == "training" else f"prediction, {work}"
            found[label] = alternate(sides, args.rounds)
    figures = {
        work: {"photos_per_s": {side: summary([1 / s for s in each]) for side, each in seconds.items()}}
        | {"speedup": ratio(seconds["before"], seconds["now"])}
        for work, seconds in found.items()
    }
    command = f"python -m benchmarks.speed.bench_before --rounds={args.rounds} --before=CHECKOUT"
    rows = {work: str(each) for work, each in figures.items()}
    report(
        "beside another checkout",
        rows,
        {"command": command, "figures": figures, "machine": machine("cpu")},
        args.json,
    )


if __name__ == "__main__":
    main()
