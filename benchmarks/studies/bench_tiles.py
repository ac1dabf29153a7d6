"""Whether a model colors small faces in a group better when it looks at parts of the photo, enlarged.

    python -m benchmarks.studies.bench_tiles --photos=PHOTOS [--num=N] [--weights=NAME]

No group photo in colour is at hand whose faces are small and whose pixels are many: groups are put together,
18 faces of the faces test list in three rows, 60 pixels wide, on a photo of the scenes test list enlarged to
900x600. The whole is shown to the model at its own size and at larger ones, or by overlapping tiles at its
own size, alone or averaged with the whole. Writes docs/prediction/tiles.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import draw_photos
from checkpoint import shipped
from core.figures import progress_bar
from core.files import write_json
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from media.picture import Box, Picture, from_array

SIZE = (900, 600)
FACE = 60  # pixels, width; a head is a quarter higher
ROWS, IN_A_ROW = 3, 6
_OVERLAP = 0.25  # of a tile, with each neighbour
_HEAD = (30, 10, 120, 122)  # of the squares of the list, 150 pixels wide
DEFINITIONS = {
    "faces": "mean distance of a* and b* from the truth in the ellipses of the faces, CIELAB units",
    "rest": "the same elsewhere",
    "chroma": "mean chroma in the faces over the true one",
    "views": "how often the model is asked for a photo",
}

Predict = Callable[[Picture], Chroma]


def group(faces: list[Path], scene: Path) -> tuple[Picture, np.ndarray]:
    """A group in colour, and where its faces are: (H, W) bool."""
    canvas = Image.open(scene).convert("RGB").resize(SIZE, Image.Resampling.BICUBIC)
    where = Image.new("L", SIZE)
    height = FACE * 5 // 4
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : FACE * 1j]
    inside = np.hypot(x, y)
    soft = Image.fromarray((255 * (1 - (inside - 0.85) / 0.15).clip(0, 1)).astype(np.uint8))
    sharp = Image.fromarray(np.where(inside < 0.85, 255, 0).astype(np.uint8))
    for i, path in enumerate(faces):
        row, column = divmod(i, IN_A_ROW)
        left = (2 * column + 1 + row % 2) * SIZE[0] // (2 * IN_A_ROW + 1) - FACE // 2
        upper = SIZE[1] * 2 // 5 + row * (height + 25)
        face = Image.open(path).convert("RGB").crop(_HEAD).resize((FACE, height), Image.Resampling.LANCZOS)
        canvas.paste(face, (left, upper), soft)
        where.paste(sharp, (left, upper), sharp)
    return from_array(np.asarray(canvas)), np.asarray(where) > 0


def in_tiles(predict: Predict, num: int) -> Predict:
    """`predict` of num x num overlapping tiles, blended linearly where they overlap."""

    def tiled(picture: Picture) -> Chroma:
        width, height = picture.size
        parts = [(box, predict(picture.crop(box))) for box in _boxes(picture.size, num)]
        total, weight = torch.zeros(1, 2, height, width), torch.zeros(1, 1, height, width)
        for (left, upper, right, lower), part in parts:
            ramp = _ramp(lower - upper)[:, None] * _ramp(right - left)
            place = np.s_[..., upper:lower, left:right]
            total[place] += ramp * interpolate(part.ab, (lower - upper, right - left), mode="bilinear")
            weight[place] += ramp
        return Chroma(total / weight, picture.size, parts[0][1].by)

    return tiled


def averaged(one: Predict, other: Predict) -> Predict:
    """The mean of the colours of two."""

    def mean(picture: Picture) -> Chroma:
        width, height = picture.size
        both = [
            interpolate(predict(picture).ab, (height, width), mode="bilinear") for predict in (one, other)
        ]
        return Chroma((both[0] + both[1]) / 2, picture.size, "both")

    return mean


def _boxes(size: tuple[int, int], num: int) -> list[Box]:
    spans = []
    for length in size:
        side = length / (num - (num - 1) * _OVERLAP)
        starts = [i * side * (1 - _OVERLAP) for i in range(num)]
        spans.append([(round(start), min(length, round(start + side))) for start in starts])
    return [(left, upper, right, lower) for upper, lower in spans[1] for left, right in spans[0]]


def _ramp(length: int) -> Tensor:
    """(length,), 1 in the middle, near 0 at both ends."""
    place = (torch.arange(length) + 0.5) / length
    return (torch.minimum(place, 1 - place) / _OVERLAP).clamp_max(1)


def ways(weights: str) -> dict[str, tuple[Predict, int]]:
    """Name -> what predicts the colours, and how often it asks the model."""
    own = Colorizer.load(weights, device="cpu")
    trained_at = own.predictor.image_size
    found: dict[str, tuple[Predict, int]] = {f"whole, {trained_at} px": (own.predict_whole, 1)}
    for side in (trained_at * 3 // 2, trained_at * 2):
        larger = Colorizer.load(weights, render_size=str(side), device="cpu")
        found[f"whole, {side} px"] = (larger.predict_whole, 1)
    for num in (2, 3):
        tiles = in_tiles(own.predict_whole, num)
        found[f"{num}x{num} tiles"] = (tiles, num * num)
        found[f"{num}x{num} tiles and the whole"] = (averaged(own.predict_whole, tiles), num * num + 1)
    return found


def score(chroma: Chroma, truth: Picture, gray: Picture, is_face: np.ndarray) -> dict[str, float]:
    """Figures of `DEFINITIONS` but the last."""
    colored = apply_chroma(gray, chroma, upsample="guided", saturation=1.0)
    ab, true = (skimage.color.rgb2lab(p.pixels)[..., 1:] for p in (colored, truth))
    distance = np.linalg.norm(ab - true, axis=-1)
    sizes = [float(np.linalg.norm(values, axis=-1)[is_face].mean()) for values in (ab, true)]
    return {
        "faces": float(distance[is_face].mean()),
        "rest": float(distance[~is_face].mean()),
        "chroma": sizes[0] / sizes[1],
    }


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--num", type=int, default=24, help="groups; default 24")
    parser.add_argument("--weights", default=shipped.DEFAULT)
    parser.add_argument("--json", type=Path, default=RESULTS / "tiles.json")
    args = parser.parse_args()
    per_group = ROWS * IN_A_ROW
    faces = draw_photos(args.photos / "faces" / "test", args.num * per_group)
    scenes = draw_photos(args.photos / "test" / "scenes", args.num)
    asked = ways(args.weights)
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in ("no colour", *asked)}
    with progress_bar("coloring", args.num) as bar:
        for i, scene in enumerate(scenes):
            some = [faces[(i * per_group + j) % len(faces)] for j in range(per_group)]
            truth, is_face = group(some, scene)
            gray = without_color(truth)
            nothing = Chroma(torch.zeros(1, 2, 8, 8), truth.size, "")
            seen["no colour"].append(score(nothing, truth, gray, is_face))
            for name, (predict, _) in asked.items():
                seen[name].append(score(predict(gray), truth, gray, is_face))
            bar.update()
    rows: dict[str, dict[str, Any]] = {}
    for name, scores in seen.items():
        rows[name] = {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}
        rows[name]["views"] = asked[name][1] if name in asked else 0
        print(name, {key: round(value, 2) for key, value in rows[name].items()})
    command = (
        f"python -m benchmarks.studies.bench_tiles --photos=PHOTOS --num={args.num} --weights={args.weights}"
    )
    write_json(args.json, {"command": command, "rows": rows, "definitions": DEFINITIONS})


if __name__ == "__main__":
    main()
