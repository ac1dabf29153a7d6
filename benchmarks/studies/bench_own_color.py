"""How often a colour photo is taken for a toned print, and a toned print for a colour photo.

    python -m benchmarks.studies.bench_own_color --photos=PHOTOS [--num=N]

Colour photos are drawn of each class of the training scenes and of the life list: no model is asked. Toned
prints are made of some of these photos and of the historical ones: sepia, cyanotype or yellowed paper, toned
unevenly, some with a blot, with grain and a scanner's noise, as JPEG. Writes docs/prediction/own_color.json.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import draw_photos
from core.files import write_json
from data.own_color import has_color, small_lab

_EXPONENTS = {"sepia": (0.7, 1.0, 1.6), "cyanotype": (1.8, 1.1, 0.65), "yellowed": (1.0, 1.0, 1.0)}
_PAPER = {"sepia": (1.0, 0.97, 0.88), "cyanotype": (0.97, 0.99, 1.0), "yellowed": (1.0, 0.93, 0.75)}
_UNEVEN = 0.3  # of the strength of the tone, at most
_BLOTS = 0.3  # of the prints have one


def toned(photo: Image.Image, kind: str, rng: np.random.Generator) -> Image.Image:
    """A print of a photo in gray, scanned."""
    gray = np.asarray(photo.convert("L"))[..., None] / 255
    height, width = gray.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    slopes = rng.normal(size=5)
    field = sum(slope * term for slope, term in zip(slopes, (x, y, x * y, x * x, y * y), strict=True))
    field = field / max(1e-6, float(np.abs(field).max()))
    strength = (rng.uniform(0.5, 1.2) * (1 + rng.uniform(0, _UNEVEN) * field))[..., None]
    pixels = gray ** (1 + (np.array(_EXPONENTS[kind]) - 1) * strength)
    pixels = pixels * (1 - (1 - np.array(_PAPER[kind])) * strength)
    if rng.random() < _BLOTS:
        across, down = rng.uniform(-1, 1, 2)
        distance = np.hypot(x - across, y - down) / rng.uniform(0.1, 0.4)
        blot = np.exp(-(distance**4))[..., None]
        pixels = pixels * (1 - rng.uniform(0.3, 1) * blot * np.array((0.05, 0.12, 0.25)))
    pixels = pixels + rng.normal(0, rng.uniform(0, 0.03), (height, width, 1))
    pixels = pixels + rng.normal(0, rng.uniform(0, 0.01), pixels.shape)
    buffer = io.BytesIO()
    scan = Image.fromarray((255 * pixels.clip(0, 1)).round().astype(np.uint8))
    scan.save(buffer, "JPEG", quality=int(rng.integers(60, 96)))
    return Image.open(buffer).convert("RGB")


def share_in_color(photos: Sequence[Image.Image]) -> float:
    """Of photos, those whose colours would stay."""
    return float(np.mean([has_color(small_lab(photo)) for photo in photos]))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--num", type=int, default=60, help="photos of each class; default 60")
    parser.add_argument("--json", type=Path, default=RESULTS / "own_color.json")
    args = parser.parse_args()
    folders = sorted(path for path in (args.photos / "train" / "scenes").iterdir() if path.is_dir())
    drawn = {folder.name: draw_photos(folder, args.num) for folder in folders}
    drawn["life"] = draw_photos(args.photos / "train" / "life", 5 * args.num)
    missed = {}
    for name, paths in drawn.items():
        missed[name] = 1 - share_in_color([Image.open(path).convert("RGB") for path in paths])
    scenes = [path for name, paths in drawn.items() if name != "life" for path in paths]
    historical = draw_photos(args.photos / "historical", args.num)
    rng = np.random.default_rng(0)
    prints = {
        kind: share_in_color([toned(Image.open(path), kind, rng) for path in (*scenes[::4], *historical)])
        for kind in _EXPONENTS
    }
    all_scenes = np.average(
        [missed[folder.name] for folder in folders], weights=[len(drawn[f.name]) for f in folders]
    )
    result: dict[str, Any] = {
        "command": f"python -m benchmarks.studies.bench_own_color --photos=PHOTOS --num={args.num}",
        "colour photos taken for prints": {"scenes": float(all_scenes), **missed},
        "prints taken for colour photos": prints,
        "num": {
            "scenes": len(scenes),
            "life": len(drawn["life"]),
            "prints": len(scenes[::4]) + len(historical),
        },
    }
    print(
        f"{all_scenes:.1%} of {len(scenes)} scenes are taken for prints; of prints for colour photos", prints
    )
    for name in sorted(missed, key=missed.__getitem__, reverse=True):
        print(f"{name}: {missed[name]:.1%} of {len(drawn[name])}")
    write_json(args.json, result)


if __name__ == "__main__":
    main()
