"""Colours carried to a photo's own size, along its edges or smoothly: Delta E at full resolution.

    python -m benchmarks.studies.bench_upsample [--photos=FOLDER]

The colours of a photo are shrunk to the size at which a model sees it, carried back by each way of
`inference.upsample`, and joined to the photo as `predict` does: what is lost is the upsampling's. Then
the same with the colours that the shipped weights predict. On the largest photos that scikit-image ships, or
on those of a folder. Writes docs/prediction/upsample.json, and a figure of the first.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import ROOT
from checkpoint import shipped
from config import Config
from core.figures import progress_bar, write_examples
from core.files import write_json
from data.color import rgb_to_lab
from data.listing import find_photos
from inference.chroma import Chroma, apply_chroma
from inference.colorizer import Colorizer
from inference.upsample import UPSAMPLERS
from media.picture import WHITE_LEVEL, Picture, from_array, load_picture
from metrics import delta_e_76, delta_e_2000

RESULTS = ROOT / "docs" / "prediction"
NAMES = ("retina", "hubble_deep_field", "rocket", "astronaut", "coffee", "chelsea")
"""Photos that scikit-image ships, the largest first: 2.0 MP, 0.9 MP, and four of 0.1 to 0.3 MP."""
SIDES = (224, 256)
"""Sizes at which a model sees photos, pixels."""
METRICS = {"delta_e_76": delta_e_76, "delta_e_2000": delta_e_2000}
_DRAWN = ("hubble_deep_field", "rocket", "astronaut", "coffee")
_CROP = 64  # pixels


def to_lab(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W)."""
    values = torch.from_numpy(pixels.astype(np.float32)).permute(2, 0, 1)[None]
    return rgb_to_lab(values / WHITE_LEVEL[pixels.dtype.name])


def true_chroma(original: Picture, side: int) -> Chroma:
    """The photo's own colours at a model's size."""
    small = original.preview(side).resize((side, side), Image.Resampling.BILINEAR)
    return Chroma(to_lab(np.asarray(small))[:, 1:], original.size, "the photo itself")


def score(original: Picture, sources: Mapping[str, Chroma]) -> dict[str, Any]:
    """Source of the colours -> upsampling -> metric -> value."""
    truth = to_lab(original.pixels)
    found: dict[str, Any] = {}
    for source, chroma in sources.items():
        for upsample in UPSAMPLERS:
            lab = to_lab(apply_chroma(original, chroma, upsample=upsample, saturation=1).pixels)
            values = {name: metric(lab, truth).item() for name, metric in METRICS.items()}
            found.setdefault(source, {})[upsample] = values
    return found


def mean_of(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The mean over photos of everything that `score` gives."""
    first = rows[0]
    return {
        source: {
            upsample: {
                metric: float(np.mean([row[source][upsample][metric] for row in rows])) for metric in METRICS
            }
            for upsample in ways
        }
        for source, ways in first.items()
    }


def draw(path: Path, photos: Mapping[str, Picture]) -> None:
    """The crop of each photo in which the two ways differ most, with its true colours carried."""
    columns = []
    for name in _DRAWN:
        original = photos[name]
        chroma = true_chroma(original, SIDES[0])
        pictures = {
            way: apply_chroma(original, chroma, upsample=way, saturation=1).pixels
            for way in ("bilinear", "guided")
        }
        error = {way: (to_lab(p) - to_lab(original.pixels)).square().sum(1) for way, p in pictures.items()}
        gain = torch.nn.functional.avg_pool2d(error["bilinear"] - error["guided"], _CROP, _CROP // 4)[0]
        y, x = divmod(int(gain.argmax()), gain.shape[1])
        box = np.s_[y * _CROP // 4 :, x * _CROP // 4 :]
        columns.append((name, [p[box][:_CROP, :_CROP] for p in (original.pixels, *pictures.values())]))
    write_examples(path, columns, ("photo", "bilinear", "guided"))


def main() -> None:
    """Measure, draw and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, help="folder of photos, instead of those of scikit-image")
    parser.add_argument("--json", type=Path, default=RESULTS / "upsample.json")
    args = parser.parse_args()
    if args.photos:
        paths = find_photos(args.photos, recursive=True)
        photos = {path.name: load_picture(path, max_pixels=Config.max_pixels) for path in paths}
    else:
        photos = {name: from_array(getattr(skimage.data, name)()) for name in NAMES}
        draw(RESULTS / "upsample.png", photos)
    colorizers = {path.stem: Colorizer.load(path) for path in sorted(shipped.FOLDER.glob("*.safetensors"))}
    rows: list[dict[str, Any]] = []
    with progress_bar("upsampling", len(photos)) as bar:
        for name, original in photos.items():
            sources = {f"true colours from {side} px": true_chroma(original, side) for side in SIDES}
            sources |= {
                weights: colorizer.predict_whole(original) for weights, colorizer in colorizers.items()
            }
            megapixels = original.size[0] * original.size[1] / 1e6
            rows.append({"photo": name, "megapixels": megapixels, "scores": score(original, sources)})
            bar.update()
    figures: dict[str, Any] = {
        "command": "python -m benchmarks.studies.bench_upsample"
        + (" --photos=PHOTOS" if args.photos else ""),
        "mean": mean_of([row["scores"] for row in rows]),
        "photos": rows,
    }
    write_json(args.json, figures)
    for source, ways in figures["mean"].items():
        print(source, {way: {key: round(v, 2) for key, v in values.items()} for way, values in ways.items()})


if __name__ == "__main__":
    main()
