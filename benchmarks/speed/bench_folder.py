"""Coloring a folder against coloring its photos one by one.

One by one is a command for every photo, as a script without --image_path=FOLDER would do it; the folder is
one command. Beside them, without the start of Python and the loading of weights: the same folder by a loaded
Colorizer, in a plain loop (decode, color, encode) and as the folder's command does it, several photos at a
time.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import skimage.data

from benchmarks.common import alternate, gray_photo, machine, parse, ratio, report, summary
from benchmarks.speed.bench_predict import MAIN
from checkpoint.shipped import DEFAULT
from config import Config
from inference.colorizer import Colorizer
from inference.folder import FolderJob, color_photos
from inference.report import Report
from media.encode import save_picture
from media.picture import load_picture

SIZE = (1632, 1224)


def write_photos(folder: Path, num: int) -> None:
    """Photos of 2 MP: crops of one that scikit-image ships, enlarged and gray, no two the same."""
    folder.mkdir()
    source = skimage.data.retina()
    for i in range(num):
        part = source[10 * i : 10 * i + 612, 10 * i : 10 * i + 816]
        gray_photo(part, SIZE).save(folder / f"{i:03}.jpg", quality=90)


class Sides:
    """The ways of coloring a folder; each returns its seconds, and leaves nothing behind."""

    def __init__(self, photos: Path, output: Path, device: str) -> None:
        self.photos, self.output, self.device = photos, output, device
        self.paths = sorted(photos.iterdir())
        self.colorizer = Colorizer.load(DEFAULT, device=device)

    def timed(self, work: Callable[[], object]) -> Callable[[], float]:
        """Measure `work` on an empty output folder."""

        def measure() -> float:
            shutil.rmtree(self.output, ignore_errors=True)
            self.output.mkdir()
            start = time.perf_counter()
            work()
            return time.perf_counter() - start

        return measure

    def one_by_one(self) -> None:
        """A command for every photo."""
        for path in self.paths:
            self._predict(f"--image_path={path}", f"--output_path={self.output / path.name}")

    def folder(self) -> None:
        """One command for all."""
        self._predict(f"--image_path={self.photos}", f"--output_dir={self.output}")

    def warm_loop(self) -> None:
        """One photo after the other, in this process."""
        for path in self.paths:
            self._color(path, self.output / path.name)

    def warm_folder(self) -> None:
        """Several at a time, in this process."""
        report = Report(self.output, lambda _: None)
        color_photos(self._color, self.paths, FolderJob(self.photos, self.output, False, report, "", ""))

    def _color(self, path: Path, target: Path) -> None:
        picture = self.colorizer.color(load_picture(path, max_pixels=Config.max_pixels))
        save_picture(target, picture, quality=Config.quality)

    def _predict(self, *argv: str) -> None:
        command = [sys.executable, str(MAIN), "--mode=predict", f"--weights={DEFAULT}", *argv]
        subprocess.run(
            [*command, f"--device={self.device}"],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", rounds=5, photos=16)
    with tempfile.TemporaryDirectory() as name:
        photos = Path(name) / "photos"
        write_photos(photos, args.photos)
        sides = Sides(photos, Path(name) / "colored", args.device)
        names = ("one_by_one", "folder", "warm_loop", "warm_folder")
        seconds = alternate({key: sides.timed(getattr(sides, key)) for key in names}, args.rounds)
    speedup = ratio(seconds["one_by_one"], seconds["folder"])
    warm = ratio(seconds["warm_loop"], seconds["warm_folder"])
    rows = {key: f"{args.photos / np.median(values):7.2f} photos/s" for key, values in seconds.items()}
    for key, value in (("speedup", speedup), ("speedup, warm", warm)):
        rows[key] = f"{value['median']:7.2f}x [{value['low']:.2f}, {value['high']:.2f}]"
    figures = {
        "speedup": speedup,
        "speedup_warm": warm,
        "photos_per_s": {key: summary([args.photos / s for s in values]) for key, values in seconds.items()},
        "weights": DEFAULT,
        "num_photos": args.photos,
        "size": SIZE,
        "machine": machine(args.device),
    }
    report(f"coloring a folder of {args.photos} photos of 2 MP", rows, figures, args.json)


if __name__ == "__main__":
    main()
