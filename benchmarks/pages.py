"""Pages of an album, as a scanner sees them, made of photos: for measuring whether these are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from media.picture import Box, Picture, to_dtype

PAPERS = {"white": (246, 246, 246), "cream": (238, 228, 205), "black": (20, 20, 20), "gray": (128, 128, 128)}
"""Codes of 8 bits."""
LAYOUTS = {
    "nine": [(column / 3, row / 3, 1 / 3, 1 / 3) for row in range(3) for column in range(3)],
    "four": [(column / 2, row / 2, 1 / 2, 1 / 2) for row in range(2) for column in range(2)],
    "two": [(0.0, 0.0, 1.0, 0.6), (0.3, 0.6, 0.55, 0.4)],
}
"""Where each photo has its place: (left, upper, width, height), shares of the page."""
_SIZE = (1000, 1200)  # of a page, pixels
_MARGIN = 40
_LEAST, _MOST = 0.7, 0.9  # of its place, that a photo takes
_NOISE = 2.0  # standard deviation, codes
_LIGHT = 0.04  # by which light changes from the centre to a corner of the page, at most, each way


@dataclass(frozen=True)
class Sheet:
    """A page, and where its photos are."""

    picture: Picture
    boxes: list[Box]


def sheet(photos: Sequence[Picture], layout: str, paper: str, seed: int) -> Sheet:
    """Put gray photos on paper, in an uneven light and with a little noise.

    Args:
        photos: as many as the layout has places.
        layout: a name of `LAYOUTS`.
        paper: a name of `PAPERS`.
        seed: of where the photos lie, of the light and of the noise.
    """
    rng = np.random.default_rng(seed)
    width, height = _SIZE
    page = np.tile(np.array(PAPERS[paper], np.float32), (height, width, 1))
    boxes = []
    for photo, place in zip(photos, LAYOUTS[layout], strict=True):
        left, upper, right, lower = box = _box_in(place, photo.size, rng)
        gray = Image.fromarray(to_dtype(photo.pixels, "uint8")).convert("L")
        page[upper:lower, left:right] = np.asarray(gray.resize((right - left, lower - upper)))[..., None]
        boxes.append(box)
    page = page * _light(rng) + rng.normal(0, _NOISE, (height, width, 1))
    return Sheet(Picture(page.clip(0, 255).round().astype(np.uint8)), boxes)


def _box_in(place: tuple[float, ...], size: tuple[int, int], rng: np.random.Generator) -> Box:
    """Somewhere in a place of a page, for a photo of a size."""
    inner = np.array(_SIZE) - 2 * _MARGIN
    corner, room = _MARGIN + inner * place[:2], inner * place[2:]
    taken = np.round(rng.uniform(_LEAST, _MOST) * (room / size).min() * np.array(size))
    x, y = np.round(corner + (room - taken) * rng.uniform(0.3, 0.7, 2)).astype(int).tolist()
    across, down = taken.astype(int).tolist()
    return x, y, x + across, y + down


def _light(rng: np.random.Generator) -> np.ndarray:
    """(H, W, 1) factors: lighter towards one side, darker towards the corners."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, length) for length in _SIZE))
    across, down, out = rng.uniform(-_LIGHT, _LIGHT, 3)
    light: np.ndarray = 1 + across * x + down * y - abs(out) * (x**2 + y**2) / 2
    return light[..., None]
