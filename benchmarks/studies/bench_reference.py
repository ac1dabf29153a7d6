"""Colours from a reference of the same class: palette, cosine features and those of an encoder, beside gray.

    python -m benchmarks.studies.bench_reference --photos=FOLDER [--num=30]

FOLDER has a folder for each class. Of each, in turn, a photo and its reference are drawn with a seed. PSNR at
256 pixels. Writes docs/guided/reference.json.
"""

from __future__ import annotations

import argparse
import random
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common import ROOT
from config import Config
from core.figures import progress_bar
from core.files import write_json
from data.color import join, lab_to_rgb
from data.listing import find_photos
from inference.corrector import Scribbler
from inference.model_view import lab_seen
from inference.reference import Reference, cosine_features, encoder_features, palette
from inference.shipped_encoder import shipped_encoder
from inference.solve import spread
from media.picture import load_picture
from metrics import psnr
from scoring.scorecard import bootstrap

RESULTS = ROOT / "docs" / "guided"
_SIDE, _SEED = 256, 42  # pixels


def draw_pairs(folder: Path, num: int) -> list[tuple[Path, Path]]:
    """(photo, reference) of one class each, the classes in turn."""
    rng = random.Random(_SEED)
    classes = [find_photos(path, recursive=True) for path in sorted(folder.iterdir()) if path.is_dir()]
    classes = [rng.sample(paths, len(paths)) for paths in classes]
    turns = range(max(map(len, classes)) // 2)
    pairs = [(paths[2 * i], paths[2 * i + 1]) for i in turns for paths in classes if 2 * i + 1 < len(paths)]
    return pairs[:num]


@torch.inference_mode()
def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--num", type=int, default=30, help="pairs; default 30")
    parser.add_argument("--json", type=Path, default=RESULTS / "reference.json")
    args = parser.parse_args()
    features = {"dct": cosine_features, "encoder": encoder_features(shipped_encoder())}
    rows: list[dict[str, float]] = []
    pairs = draw_pairs(args.photos, args.num)
    with progress_bar("references", len(pairs)) as bar:
        for paths in pairs:
            photo, reference = (load_picture(path, max_pixels=Config.max_pixels) for path in paths)
            lab = lab_seen(photo, (_SIDE, _SIDE))
            ways: dict[str, Scribbler] = {"palette": partial(palette, reference)}
            ways |= {name: Reference(reference, which).scribbles for name, which in features.items()}
            found = {name: spread(lab[:, :1], way(photo, _SIDE, _SIDE)) for name, way in ways.items()}
            found = {"gray": torch.zeros_like(lab[:, 1:])} | found
            truth = lab_to_rgb(lab)
            rows.append(
                {name: psnr(lab_to_rgb(join(lab[:, :1], ab)), truth).item() for name, ab in found.items()}
            )
            bar.update()
    table = np.array([list(row.values()) for row in rows]).T
    low, high = bootstrap(table, _SEED)
    scores = zip(rows[0], table.mean(axis=1).tolist(), low.tolist(), high.tolist(), strict=True)
    figures: dict[str, Any] = {
        "command": f"python -m benchmarks.studies.bench_reference --photos=PHOTOS --num={args.num}",
        "pairs": len(rows),
        "psnr": {name: {"mean": mean, "low": bottom, "high": top} for name, mean, bottom, top in scores},
    }
    write_json(args.json, figures)
    print("| colours | PSNR, dB |\n|---|---|")
    for name, cell in figures["psnr"].items():
        print(f"| {name} | {cell['mean']:.2f} [{cell['low']:.2f}, {cell['high']:.2f}] |")


if __name__ == "__main__":
    main()
