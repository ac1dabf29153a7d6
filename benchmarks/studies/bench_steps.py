"""What the number of steps does for drawn colours: PSNR, chroma and time, by sampler, and of the best guess.

    python -m benchmarks.studies.bench_steps --weights=FILE --photos=FOLDER

On a seeded draw of the photos of a folder that the weights were not trained on; every photo is drawn by the
same seed with each sampler and number of steps. Writes docs/prediction/steps.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.common import machine
from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import DEFINITIONS, draw_photos, judge
from config import Config
from core.files import write_json
from inference.colorizer import Colorizer
from media.picture import load_picture

STEPS = (1, 2, 4, 8, 25, 50)
SAMPLERS = ("dpm", "ddim")


def measure(colorizer: Colorizer, paths: Sequence[Path], *, seed: int = 0) -> dict[str, dict[str, Any]]:
    """'best guess' and each '<sampler> <steps>' -> the figures of `judge`, and milliseconds of a photo."""
    sides = {"best guess": colorizer}
    for sampler in SAMPLERS:
        for num in STEPS:
            drawing = colorizer.with_settings(sampler=sampler, steps=num)
            drawing.guidance = replace(colorizer.guidance, seed=seed)
            sides[f"{sampler} {num}"] = drawing
    first = load_picture(paths[0], max_pixels=Config.max_pixels)
    sides["dpm 1"].predict_whole(first)  # which imports what all need
    return {
        name: row | {"milliseconds": 1000 * row.pop("seconds")} for name, row in judge(sides, paths).items()
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="of a model that draws in steps")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100, help="photos; default 100")
    parser.add_argument("--json", type=Path, default=RESULTS / "steps.json")
    args = parser.parse_args()
    paths = draw_photos(args.photos, args.limit)
    rows = measure(Colorizer.load(args.weights, device="cpu"), paths)
    for name, row in rows.items():
        print(
            f"{name:<10}  gain {row['gain']:+.2f} dB  chroma {row['chroma']:.2f} of true  "
            f"{row['milliseconds']:.0f} ms"
        )
    command = f"python -m benchmarks.studies.bench_steps --weights={args.weights.name} --photos=PHOTOS"
    about = {"command": f"{command} --limit={args.limit}", "num_photos": len(paths)}
    write_json(args.json, about | {"machine": machine("cpu"), "definitions": DEFINITIONS, "rows": rows})


if __name__ == "__main__":
    main()
