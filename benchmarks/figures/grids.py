"""Grids of photos as they are, and colored by several weights: to be looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from config import Config
from core.figures import write_examples
from data.listing import list_photos
from inference.chroma import without_color
from inference.colorizer import Colorizer
from media.picture import load_picture

_NUM_PHOTOS, _COLUMNS, _SIDE = 40, 10, 224


def draw_grids(weights: Mapping[str, Path], folders: Sequence[Path], output: Path) -> None:
    """Color photos spread evenly over each folder, and draw them in grids of ten columns.

    Args:
        weights: title of the row -> file.
        folders: of photos.
        output: where <folder>_<number>.png go.
    """
    colorizers = {title: Colorizer.load(path) for title, path in weights.items()}
    for folder in folders:
        photos = list_photos(str(folder)).photos
        chosen = np.linspace(0, len(photos) - 1, min(_NUM_PHOTOS, len(photos))).astype(int)
        columns = []
        for i in chosen:
            photo = load_picture(photos[i].path, max_pixels=Config.max_pixels)
            seen = [
                without_color(photo),
                *(colorizer.color(photo) for colorizer in colorizers.values()),
                photo,
            ]
            pictures = [np.asarray(original.preview(_SIDE).resize(_shrunk(photo.size))) for original in seen]
            columns.append((Path(photos[i].name).stem[-20:], pictures))
        titles = ("gray", *colorizers, "photo")
        for number, start in enumerate(range(0, len(columns), _COLUMNS)):
            path = output / f"{folder.name}_{number}.png"
            write_examples(path, columns[start : start + _COLUMNS], titles)
            print(path)


def _shrunk(size: tuple[int, int]) -> tuple[int, int]:
    scale = _SIDE / max(size)
    return max(1, round(scale * size[0])), max(1, round(scale * size[1]))
