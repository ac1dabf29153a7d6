"""Photos on a page: whether all are found, whether one is taken for a page, and what colours they get.

    python -m benchmarks.studies.bench_page --photos=FOLDER [--historical=FOLDER]

Pages are made of a seeded draw of the photos of FOLDER, which also are looked at by themselves, as are all
of the second folder. Writes docs/prediction/page.json.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import draw_photos
from benchmarks.studies.pages import LAYOUTS, PAPERS, sheet
from checkpoint import shipped
from config import Config
from core.figures import progress_bar
from core.files import write_json
from data.color import cie_chroma, rgb_to_lab
from data.listing import find_photos
from inference.chroma import without_color
from inference.colorizer import Colorizer
from inference.sheet import photos_on_page
from media.picture import Box, Picture, load_picture

DEFINITIONS = {
    "found": "share of pages on which as many photos are found as there are, each with an intersection over "
    "union of 0.85 or more",
    "found_by_turn": "the same, mean over layouts and papers, where each photo lies askew by so many degrees",
    "found_by_gap": "the same where photos fill the page but for so many pixels of 1000 between them",
    "taken_for_pages": "photos in which two or more are found",
    "chroma": "mean chroma over the photo's own area, over that of the same pixels colored alone",
}
_SAME = 0.85
_BORDER = 0.1  # of the short side
_BORDERS = {"white border": 252, "black border": 5}  # codes
_TURNS = (1, 2, 3, 5, 8)  # degrees
_GAPS = (0, 4, 8, 16)  # pixels of 1000 between photos that fill the page
_NUM_OF_A_SHEET = len(LAYOUTS["nine"])


def found_on_pages(
    photos: Sequence[Picture], num: int, *, turn: float = 0, gap: int | None = None
) -> dict[str, float]:
    """Layout and paper -> share of so many pages on which all photos are found; see `sheet`."""
    kinds, shares = list(itertools.product(LAYOUTS, PAPERS)), {}
    with progress_bar("pages", len(kinds)) as bar:
        for seed, (layout, paper) in enumerate(kinds):
            rng, hits = np.random.default_rng(seed), []
            for _ in range(num):
                chosen = rng.choice(len(photos), len(LAYOUTS[layout]), replace=False)
                seed_of_page = int(rng.integers(2**31))
                page = sheet([photos[i] for i in chosen], layout, paper, seed_of_page, turn=turn, gap=gap)
                hits.append(_are_same(list(photos_on_page(page.picture)), page.boxes))
            shares[f"{layout} on {paper}"] = float(np.mean(hits))
            bar.update()
    return shares


def taken_for_pages(paths: Sequence[Path]) -> list[str]:
    """Names of the photos in which several are found."""
    with progress_bar("ordinary photos", len(paths)) as bar:
        names = []
        for path in paths:
            if len(photos_on_page(load_picture(path, max_pixels=Config.max_pixels))) > 1:
                names.append(f"{path.parent.name}/{path.name}")
            bar.update()
    return names


def chroma_ratios(colorizer: Colorizer, photos: Sequence[Picture]) -> dict[str, list[float]]:
    """Where a photo is -> chroma there over that of the same pixels alone, of each photo.

    Args:
        colorizer: a model.
        photos: nine for a page, or a multiple of it.
    """
    ratios = {}
    for name, code in _BORDERS.items():
        ratios[name] = [_ratio(colorizer, *_framed(photo, code))[0] for photo in photos]
    papers, ratios["one of nine"] = itertools.cycle(PAPERS), []
    for first in range(0, len(photos), _NUM_OF_A_SHEET):
        page = sheet(photos[first : first + _NUM_OF_A_SHEET], "nine", next(papers), first)
        ratios["one of nine"] += _ratio(colorizer, page.picture, page.boxes)
    return ratios


def _framed(photo: Picture, code: int) -> tuple[Picture, list[Box]]:
    """A photo without colour in a border, and where it is."""
    width, height = photo.size
    edge = round(_BORDER * min(width, height))
    gray = without_color(photo).pixels
    pixels = np.pad(gray, ((edge, edge), (edge, edge), (0, 0)), constant_values=code)
    return Picture(pixels), [(edge, edge, edge + width, edge + height)]


def _ratio(colorizer: Colorizer, picture: Picture, boxes: Sequence[Box]) -> list[float]:
    """Chroma of each photo in a picture over its chroma alone."""
    colored = colorizer.color(picture)
    return [_chroma(colored.crop(box)) / _chroma(colorizer.color(picture.crop(box))) for box in boxes]


def _chroma(picture: Picture) -> float:
    rgb = torch.from_numpy(picture.pixels.astype(np.float32) / 255).permute(2, 0, 1)[None]
    return cie_chroma(rgb_to_lab(rgb)[:, 1:]).mean().item()


def _are_same(found: Sequence[Box], boxes: Sequence[Box]) -> bool:
    if len(found) != len(boxes):
        return False
    return all(max(_iou(box, other) for other in found) >= _SAME for box in boxes)


def _iou(a: Box, b: Box) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    both = float(np.prod(np.maximum(sides, 0)))
    areas = [(right - left) * (lower - upper) for left, upper, right, lower in (a, b)]
    return both / (sum(areas) - both)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--historical", type=Path)
    parser.add_argument("--weights", default=shipped.DEFAULT)
    parser.add_argument("--num", type=int, default=400, help="photos to draw; default 400")
    parser.add_argument("--pages", type=int, default=10, help="of each kind; default 10")
    parser.add_argument("--sheets", type=int, default=2, help="of nine, for their chroma; default 2")
    parser.add_argument("--json", type=Path, default=RESULTS / "page.json")
    args = parser.parse_args()
    paths = draw_photos(args.photos, args.num)
    photos = [load_picture(path, max_pixels=Config.max_pixels) for path in paths]
    old = find_photos(args.historical, recursive=True) if args.historical else []
    figures: dict[str, Any] = {"found": found_on_pages(photos, args.pages), "pages_of_each": args.pages}
    for name, values in {"turn": _TURNS, "gap": _GAPS}.items():
        shares = [found_on_pages(photos, args.pages, **{name: value}).values() for value in values]
        figures[f"found_by_{name}"] = {
            str(v): float(np.mean([*s])) for v, s in zip(values, shares, strict=True)
        }
    figures |= {"num_photos": len(paths), "num_historical": len(old)}
    figures["taken_for_pages"] = taken_for_pages([*paths, *old])
    colorizer = Colorizer.load(args.weights, device="cpu")
    ratios = chroma_ratios(colorizer, photos[:: len(photos) // (args.sheets * 9)][: args.sheets * 9])
    figures["chroma"] = {
        name: {"median": float(np.median(each)), "low": min(each), "high": max(each), "num": len(each)}
        for name, each in ratios.items()
    }
    for name, figure in figures.items():
        print(name, figure)
    command = (
        f"python -m benchmarks.studies.bench_page --photos=PHOTOS --historical=HISTORICAL --num={args.num}"
    )
    write_json(args.json, {"command": command, "definitions": DEFINITIONS, **figures})


if __name__ == "__main__":
    main()
