"""At which size a model best sees a photo, squashed or in its own shape, and how long that takes.

    python -m benchmarks.studies.bench_render_size --weights=NAME --photos=FOLDER

Scores on a seeded draw of the photos of a folder that the weights were not trained on. A larger photo is
shrunk to the same size, so that small photos speak for all sizes; what size costs is the time, of a photo of
scikit-image's, enlarged. Writes docs/prediction/render_size.json; `python -m benchmarks.figures.tables`
writes the page.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.common import alternate, machine
from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import DEFINITIONS, draw_photos, judge
from checkpoint import shipped
from core.files import write_json
from inference.colorizer import Colorizer
from media.picture import Picture, from_array

SIDES = (160, 192, 224, 256, 320, 384)
RESIZES = ("squash", "crop")
PHOTOS = {"0.3 MP": (640, 480), "2 MP": (1632, 1224), "12 MP": (4000, 3000)}


def scores(weights: str, paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """'resize side' -> figures, those of the weights' own first."""
    own = Colorizer.load(weights, device="cpu").predictor
    sizes = [(own.resize, own.image_size)]
    sizes += [size for resize in RESIZES for side in SIDES if (size := (resize, side)) not in sizes]
    return judge(
        {
            f"{resize} {side}": Colorizer.load(weights, resize=resize, render_size=str(side), device="cpu")
            for resize, side in sizes
        },
        paths,
    )


def seconds(weights: str, rounds: int) -> dict[str, dict[str, float]]:
    """Size of the photo -> render size -> median seconds to color it, once it is read."""
    colorizers = {str(side): Colorizer.load(weights, render_size=str(side), device="cpu") for side in SIDES}
    found = {}
    for label, size in PHOTOS.items():
        photo = from_array(np.asarray(Image.fromarray(skimage.data.coffee()).resize(size)))
        sides = {side: partial(_time, colorizer, photo) for side, colorizer in colorizers.items()}
        found[label] = {side: float(np.median(t)) for side, t in alternate(sides, rounds).items()}
    return found


def _time(colorizer: Colorizer, photo: Picture) -> float:
    start = time.perf_counter()
    colorizer.color(photo)
    return time.perf_counter() - start


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=shipped.DEFAULT)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=100, help="photos; default 100")
    parser.add_argument("--rounds", type=int, default=5, help="of the times; default 5")
    parser.add_argument("--json", type=Path, default=RESULTS / "render_size.json")
    args = parser.parse_args()
    paths = draw_photos(args.photos, args.limit)
    rows = scores(args.weights, paths)
    for name, row in rows.items():
        print(name, row)
    command = (
        f"python -m benchmarks.studies.bench_render_size --weights={Path(args.weights).name} --photos=PHOTOS"
    )
    figures = {"command": f"{command} --limit={args.limit}", "num_photos": len(paths), "rows": rows}
    figures |= {"seconds": seconds(args.weights, args.rounds), "machine": machine("cpu")}
    write_json(args.json, figures | {"definitions": DEFINITIONS})


if __name__ == "__main__":
    main()
