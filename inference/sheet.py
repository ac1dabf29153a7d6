"""Find several photos on one scan: on the page of an album, or on the glass of a scanner.

Paper is the area that is connected with the four sides of the page and has one colour, apart from slowly
changing illumination. The rest is taken for photos where it is rectangular.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter
from scipy import ndimage

from media.picture import Box, Picture, size_within

_SIDE = 512  # long side in pixels of the copy in which photos are searched
_SMALLEST_SIDE = 64
_RING = 0.012  # of the long side: the width of the strip along the sides that has to be paper
_NEAR = 24  # codes by which paper may differ from the median of that strip, before its light is fitted
_ROUNDS = 3
_NUM_FITTED = 10_000
_SPREAD, _LEAST, _MOST = 6.0, 5.0, 12.0  # tolerance: times the median deviation, within limits, in codes
_BRIDGE = 5  # pixels: what is narrower, such as a caption, is no photo and joins no two photos
_MIN_AREA = 0.012  # of the page: what takes less is no photo
_MAX_ASPECT = 4
_EDGE = 0.03  # share of a photo's short side by which its edges may deviate from straight lines
_MOST_ASKEW = 10.0  # degrees
_CLEARLY = 0.95  # if this share of a photo's edges is straight, it is not tested for being turned


@dataclass(frozen=True)
class _Rules:
    """The conditions for a picture to be taken for a page of photos.

    Attributes:
        paper: minimum share of paper along each side of the picture.
        straight: minimum share of straight edges, mean over the photos.
        rest: maximum share of the area that is not paper that may lie outside the photos.
        photo_straight: minimum share of straight edges of each photo; others are dropped.
    """

    paper: float
    straight: float
    rest: float
    photo_straight: float = 0.6


_STRICT, _LENIENT = _Rules(0.85, 0.8, 0.1), _Rules(0.2, 0.0, 1.0)


def photos_on_page(picture: Picture, *, strict: bool = True) -> dict[Box, float]:
    """Find the photos on a page, and their rotation; none if the picture does not look like a page.

    Args:
        picture: a scan.
        strict: use strict conditions, so that a single photo is not taken for a page.
    Returns:
        Box around a photo -> degrees by which it is turned clockwise, 0 if it is nearly straight.
    """
    rules = _STRICT if strict else _LENIENT
    small = _small(picture)
    if min(small.size) < _SMALLEST_SIDE or not _may_be_page(small, rules.paper):
        return {}
    without_noise = small.filter(ImageFilter.MedianFilter(3))  # preserves edges
    paper = find_paper(np.asarray(without_noise).astype(np.float32), rules.paper)
    if paper is None:
        return {}
    from skimage.morphology import footprint_rectangle, opening  # here: it takes long to import

    is_photo = opening(~paper, footprint_rectangle((_BRIDGE, _BRIDGE)))
    seen = {box: _straight(is_photo, box) for box in _boxes_of(is_photo) if _is_large(is_photo, box)}
    photos = {box: edges for box, edges in seen.items() if edges[0] >= rules.photo_straight}
    if not photos:
        return {}
    outside = is_photo.copy()
    for left, upper, right, lower in photos:
        outside[upper:lower, left:right] = False
    straight = np.mean([share for share, _ in photos.values()])
    if outside.sum() > rules.rest * is_photo.sum() or straight < rules.straight:
        return {}
    across, down = (length / small for length, small in zip(picture.size, small.size, strict=True))
    return {
        (round(a * across), round(b * down), round(c * across), round(d * down)): turn
        for (a, b, c, d), (_, turn) in photos.items()
    }


def turns_on_page(picture: Picture, boxes: Sequence[Box]) -> list[float]:
    """Degrees by which the photo in each box is turned clockwise.

    The boxes may differ a little from those of `photos_on_page`; they are matched by their centres.
    """
    found = photos_on_page(picture, strict=False)

    def middle_is_in(box: Box, other: Box) -> bool:
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        return other[0] < x < other[2] and other[1] < y < other[3]

    return [next((turn for other, turn in found.items() if middle_is_in(box, other)), 0.0) for box in boxes]


def turned_photo(size: tuple[int, int], box: Box, turn: float) -> np.ndarray:
    """The mask of a turned photo within its box.

    Args:
        size: (width, height) of the mask.
        box: around the photo.
        turn: degrees, clockwise.
    Returns:
        (height, width) bool; all True if no photo with this turn fits the box.
    """
    length = np.array((box[2] - box[0], box[3] - box[1]), np.float64)
    sin, cos = abs(np.sin(np.deg2rad(turn))), np.cos(np.deg2rad(turn))
    sides = np.linalg.solve([[cos, sin], [sin, cos]], length)
    if sides.min() <= 0:
        return np.ones(size[::-1], bool)
    x, y = sides[::-1] * sin / length  # positions of the corners along the sides, shares of the box
    corners = [(x, 0.0), (1.0, y), (1 - x, 1.0), (0.0, 1 - y)]
    if turn < 0:
        corners = [(1 - across, down) for across, down in corners]
    scaled = [(across * size[0], down * size[1]) for across, down in corners]
    mask = Image.new("1", size)
    ImageDraw.Draw(mask).polygon(scaled, fill=1)
    return np.array(mask)


def find_paper(codes: np.ndarray, share: float) -> np.ndarray | None:
    """The mask of the paper: connected with the sides, and of one colour in slowly changing illumination.

    Args:
        codes: (h, w, 3) float32 codes of 8 bits.
        share: minimum share of paper along each side.
    Returns:
        (h, w) bool; None if there is too little paper along a side.
    """
    from skimage.measure import label  # here: it takes long to import

    ring, width = _ring(codes)
    near = _near_median(codes[ring])
    terms = _terms(*ring.shape)
    for _ in range(_ROUNDS):
        if near.mean() < share / 2:
            return None
        light = _fit(terms[ring][near], codes[ring][near])
        off = np.abs(codes[ring] - terms[ring] @ light).max(axis=1)
        tolerance = float(np.clip(_SPREAD * np.median(off[near]), _LEAST, _MOST))
        near = off <= tolerance
    is_paper = np.zeros_like(ring)
    is_paper[ring] = near
    sides = is_paper[:width], is_paper[-width:], is_paper[:, :width], is_paper[:, -width:]
    if min(side.mean() for side in sides) < share:
        return None
    along = is_paper
    for _ in range(2):  # first from the strip along the sides, then from all of the paper
        is_alike = np.abs(codes - terms @ light).max(axis=2) <= tolerance
        parts = label(is_alike, connectivity=1)
        is_joined = np.zeros(parts.max() + 1, bool)
        is_joined[parts[along & is_alike]] = True
        is_paper = is_joined[parts]
        light = _fit(terms[is_paper], codes[is_paper])
    return is_paper


def _small(picture: Picture) -> Image.Image:
    return picture.preview(_SIDE).resize(size_within(picture.size, _SIDE), Image.Resampling.BOX)


def _may_be_page(small: Image.Image, share: float) -> bool:
    """A quick test of the sides alone, which rejects most single photos."""
    codes = np.asarray(small).astype(np.float32)
    return bool(_near_median(codes[_ring(codes)[0]]).mean() >= share / 2)


def _ring(codes: np.ndarray) -> tuple[np.ndarray, int]:
    """The strip along the sides, (h, w) bool, and its width."""
    width = max(2, round(_RING * max(codes.shape)))
    ring = np.ones(codes.shape[:2], bool)
    ring[width:-width, width:-width] = False
    return ring, width


def _near_median(codes: np.ndarray) -> np.ndarray:
    """(N, 3) -> (N,) bool: whether each is near the median."""
    return np.abs(codes - np.median(codes, axis=0)).max(axis=1) <= _NEAR


def _terms(height: int, width: int) -> np.ndarray:
    """(height, width, 6): the terms of a quadratic polynomial, which models the illumination."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    terms = np.broadcast_arrays(1.0, x, y, x * x, x * y, y * y)
    return np.stack(terms, axis=-1).astype(np.float32)


def _fit(terms: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """(N, 6), (N, 3) -> coefficients (6, 3), by least squares."""
    step = max(1, len(codes) // _NUM_FITTED)
    light: np.ndarray = np.linalg.lstsq(terms[::step], codes[::step], rcond=None)[0]
    return light


def _boxes_of(is_photo: np.ndarray) -> list[Box]:
    """Bounding boxes of the connected parts of (h, w) bool; overlapping ones are merged."""
    from skimage.measure import label, regionprops  # here: it takes long to import

    boxes: list[Box] = []
    for region in regionprops(label(is_photo, connectivity=1)):
        upper, left, lower, right = region.bbox
        box = (left, upper, right, lower)
        while other := next((o for o in boxes if _overlap(o, box)), None):
            boxes.remove(other)
            ends = np.maximum(other, box)
            left, upper = np.minimum(other, box)[:2].tolist()
            box = (left, upper, int(ends[2]), int(ends[3]))
        boxes.append(box)
    return boxes


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _is_large(is_photo: np.ndarray, box: Box) -> bool:
    """Whether a box has a plausible size and aspect ratio for a photo."""
    width, height = box[2] - box[0], box[3] - box[1]
    is_usual = max(width, height) <= _MAX_ASPECT * min(width, height)
    return width * height >= _MIN_AREA * is_photo.size and is_usual


def _straight(is_photo: np.ndarray, box: Box) -> tuple[float, float]:
    """Share of straight edges of what is in a box, and its turn in degrees."""
    left, upper, right, lower = box
    part = is_photo[upper:lower, left:right]
    straight = _straight_edges(part)
    if straight >= _CLEARLY or not (turn := _turn(part)):
        return straight, 0.0
    turned = Image.fromarray(part).rotate(turn, expand=True)
    straightened = _straight_edges(np.asarray(turned.crop(turned.getbbox())))
    return (straightened, turn) if straightened > straight else (straight, 0.0)


def _turn(part: np.ndarray) -> float:
    """Degrees by which a photo (h, w) bool is turned: those that minimise its bounding rectangle."""
    y, x = np.nonzero(part ^ ndimage.binary_erosion(part))
    turns = np.arange(-_MOST_ASKEW, _MOST_ASKEW + 0.25, 0.5)
    cos, sin = np.cos(np.deg2rad(turns))[:, None], np.sin(np.deg2rad(turns))[:, None]
    areas = np.ptp(x * cos + y * sin, axis=1) * np.ptp(y * cos - x * sin, axis=1)
    return float(turns[areas.argmin()])


def _straight_edges(part: np.ndarray) -> float:
    """Share of the four sides of (h, w) bool along which the photo reaches the side."""
    depth = max(2, round(_EDGE * min(part.shape)))
    strips: Sequence[np.ndarray] = (part[:depth], part[-depth:], part[:, :depth].T, part[:, -depth:].T)
    return float(np.mean([strip.any(axis=0).mean() for strip in strips]))
