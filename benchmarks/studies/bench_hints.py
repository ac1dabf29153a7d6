"""PSNR against the number of hints: of levin2004, of models that they correct, and of models that see them.

    python -m benchmarks.studies.bench_hints --photos=FOLDER [--num=100] [--weights=unet,unet_hints]

As in Zhang et al. 2017 a hint is a patch of 7x7 pixels of a photo of 256x256, at a random place, with the
mean of its true colours; a photo keeps its first hints as it gets more. Writes docs/guided/hints.json.
"""

from __future__ import annotations

import argparse
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import ROOT
from benchmarks.studies.lists import LISTS, TOGETHER
from config import Config
from core.figures import progress_bar
from core.files import write_json
from data.color import join, lab_to_rgb
from data.listing import find_photos
from data.simulated_hints import give_patch
from inference.colorizer import Colorizer
from inference.model_view import lab_seen
from inference.solve import spread
from media.picture import load_picture
from metrics import psnr
from models.inputs import Inputs
from scoring.scorecard import bootstrap

COUNTS = (0, 1, 2, 5, 10, 20, 50, 100)
RESULTS = ROOT / "docs" / "guided"
_SIDE, _PATCH, _SEED = 256, 7, 42  # pixels, pixels


def draw_photos(photos: Path, num: int) -> list[Path]:
    """So many of the test lists, drawn with a seed. The training photos may lie in the same folder."""
    paths = [path for name in TOGETHER for path in find_photos(photos / LISTS[name], recursive=True)]
    return random.Random(_SEED).sample(sorted(paths), min(num, len(paths)))


def hints_of(ab: Tensor, seed: int) -> list[Tensor]:
    """(1, 2, H, W) -> for each of `COUNTS` (1, 3, H, W), each with those before it."""
    rng = np.random.default_rng(seed)
    hints, found = ab.new_zeros(1, 3, *ab.shape[-2:]), []
    for number in range(max(COUNTS) + 1):
        if number in COUNTS:
            found.append(hints.clone())
        y, x = (int(rng.integers(side)) for side in ab.shape[-2:])
        give_patch(hints[0], ab[0], y, x, _PATCH)
    return found


def score(path: Path, colorizers: dict[str, Colorizer], seed: int) -> dict[str, list[float]]:
    """Way -> PSNR for each number of hints."""
    photo = load_picture(path, max_pixels=Config.max_pixels)
    lab = lab_seen(photo, (_SIDE, _SIDE))
    L, truth = lab[:, :1], lab_to_rgb(lab)
    given = hints_of(lab[:, 1:], seed)
    ways = {"levin2004": [spread(L, hints) for hints in given]}
    for name, colorizer in colorizers.items():
        model = colorizer.model  # asked for the same pixels as any other
        if "hints" in model.accepts:
            ways[name] = colors = [model.predict(Inputs(L, hints=hints)) for hints in given]
        else:
            colors = [model.predict(Inputs(L))] * len(given)
        ways[f"{name} and the solve"] = [spread(L, *both) for both in zip(given, colors, strict=True)]
    return {
        way: [psnr(lab_to_rgb(join(L, ab)), truth).item() for ab in colors] for way, colors in ways.items()
    }


def table(figures: dict[str, Any]) -> str:
    """In Markdown, a row for each way."""
    lines = [f"| hints | {' | '.join(map(str, COUNTS))} |", f"|---|{'---|' * len(COUNTS)}"]
    for way, cells in figures["psnr"].items():
        texts = [f"{c['mean']:.2f} [{c['low']:.2f}, {c['high']:.2f}]" for c in cells]
        lines.append(f"| {way} | {' | '.join(texts)} |")
    return "\n".join(lines)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    folders = ", ".join(LISTS[name] for name in TOGETHER)
    parser.add_argument("--photos", type=Path, required=True, help=f"folder that holds {folders}")
    parser.add_argument("--num", type=int, default=100, help="photos, drawn with a seed; default 100")
    parser.add_argument(
        "--weights", default="unet,unet_hints", help="names that ship or files, with commas between"
    )
    parser.add_argument("--json", type=Path, default=RESULTS / "hints.json")
    args = parser.parse_args()
    paths = draw_photos(args.photos, args.num)
    colorizers = {Path(name).stem: Colorizer.load(name) for name in args.weights.split(",")}
    rows = []
    with progress_bar("hints", len(paths)) as bar:
        for number, path in enumerate(paths):
            rows.append(score(path, colorizers, _SEED + number))
            bar.update()
    figures: dict[str, Any] = {
        "command": "python -m benchmarks.studies.bench_hints --photos=PHOTOS "
        f"--num={args.num} --weights={args.weights}",
        "photos": len(rows),
        "hints": COUNTS,
        "psnr": {way: _estimates(np.array([row[way] for row in rows])) for way in rows[0]},
    }
    write_json(args.json, figures)
    print(table(figures))


def _estimates(values: np.ndarray) -> list[dict[str, float]]:
    """(photos, counts) -> mean and 95 % bootstrap interval for each count."""
    low, high = bootstrap(values.T, _SEED)
    names = ("mean", "low", "high")
    return [
        dict(zip(names, map(float, v), strict=True)) for v in zip(values.mean(axis=0), low, high, strict=True)
    ]


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    main()
