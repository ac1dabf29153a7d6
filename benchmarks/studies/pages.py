"""Pages of an album, as a scanner sees them, made of photos: for measuring whether these are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from media.picture import Box, Picture
from media.samples import to_dtype

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


def sheet(
    photos: Sequence[Picture], layout: str, paper: str, seed: int, *, turn: float = 0, gap: int | None = None
) -> Sheet:
    """Put gray photos on paper, in an uneven light and with a little noise.

    Args:
        photos: as many as the layout has places.
        layout: a name of `LAYOUTS`.
        paper: a name of `PAPERS`.
        seed: of where the photos lie, of the light and of the noise.
        turn: degrees by which each lies askew, one way or the other; its box is around its corners.
        gap: pixels between neighbours, which fill their places; None: each somewhere in its place.
    """
    rng = np.random.default_rng(seed)
    width, height = _SIZE
    page = np.tile(np.array(PAPERS[paper], np.float32), (height, width, 1))
    boxes = []
    for photo, place in zip(photos, LAYOUTS[layout], strict=True):
        left, upper, right, lower = _box_in(place, photo.size, rng) if gap is None else _filled(place, gap)
        gray = Image.fromarray(to_dtype(photo.pixels, "uint8")).convert("L")
        small = gray.resize((right - left, lower - upper))
        boxes.append(_put(page, small, (left, upper), turn * float(rng.choice((-1, 1)))))
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


def _filled(place: tuple[float, ...], gap: int) -> Box:
    """All of a place of a page, but for half the gap at each side."""
    inner = np.array(_SIZE) - 2 * _MARGIN
    (left, upper), (across, down) = _MARGIN + inner * place[:2], inner * place[2:]
    half = gap / 2
    return round(left + half), round(upper + half), round(left + across - half), round(upper + down - half)


def _put(page: np.ndarray, photo: Image.Image, corner: tuple[int, int], turn: float) -> Box:
    """Lay a photo on a page, turned about its middle; returns the box around it."""
    turned = photo.rotate(turn, Image.Resampling.BICUBIC, expand=True)
    is_there = np.asarray(Image.new("L", photo.size, 255).rotate(turn, expand=True)) > 127
    left, upper = (c - (new - old) // 2 for c, new, old in zip(corner, turned.size, photo.size, strict=True))
    right, lower = left + turned.width, upper + turned.height
    page[upper:lower, left:right][is_there] = np.asarray(turned)[is_there][:, None]
    return left, upper, right, lower


def _light(rng: np.random.Generator) -> np.ndarray:
    """(H, W, 1) factors: lighter towards one side, darker towards the corners."""
    x, y = np.meshgrid(*(np.linspace(-1, 1, length) for length in _SIZE))
    across, down, out = rng.uniform(-_LIGHT, _LIGHT, 3)
    light: np.ndarray = 1 + across * x + down * y - abs(out) * (x**2 + y**2) / 2
    return light[..., None]
