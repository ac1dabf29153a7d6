"""Hints: colours for places of a photo, as strokes in a transparent picture or as points in a JSON list."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import floor, hypot
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from core.errors import UserError
from data.color import rgb_to_lab
from media.picture import WHITE_LEVEL, Box, check_size, load_picture
from media.samples import to_dtype

_OPAQUE = 128
_KEYS = {"x", "y", "color", "radius"}
_MOST_PIXELS = 10**9
_MOST_POINTS = 20_000
_COLOR = re.compile(r"#[0-9a-fA-F]{6}")


@dataclass(frozen=True)
class Point:
    """A disc of one colour.

    Attributes:
        x, y: its centre, pixels of the photo from the top left; 0 is the first pixel. In a part of a photo
            it may be outside.
        color: '#rrggbb', sRGB.
        radius: in pixels of the photo; 0 is one pixel.
    """

    x: float
    y: float
    color: str
    radius: float = 0.0

    def reaches(self, box: Box) -> bool:
        """Return whether the disc has a part in a box."""
        left, upper, right, lower = box
        x, y = floor(self.x), floor(self.y)
        return hypot(x - min(max(x, left), right - 1), y - min(max(y, upper), lower - 1)) <= self.radius


@dataclass(frozen=True)
class Hints:
    """Colours for places of a photo. Only their a* and b* are used, since the lightness is the photo's.

    Attributes:
        size: (width, height) of the photo.
        points: where two overlap the later one counts; points take precedence over strokes.
        strokes: (H, W, 4) uint8, sRGB and alpha, of the photo's size, or None; pixels that are at least half
            opaque count.
    """

    size: tuple[int, int]
    points: tuple[Point, ...] = ()
    strokes: np.ndarray | None = None

    def __bool__(self) -> bool:
        return bool(self.points) or self.strokes is not None

    def at(self, height: int, width: int) -> Tensor:
        """Draw the hints at another size of the photo; each covers at least one pixel.

        Returns:
            (1, 3, height, width) float32: a*, b* in CIELAB units where a hint is, else 0; then 1 where a hint
            is, else 0.
        """
        blank = torch.zeros(1, 3, height, width, dtype=torch.float32)
        drawn = blank if self.strokes is None else self._strokes_at(height, width)
        down, across = height / self.size[1], width / self.size[0]
        colors = _to_ab([point.color for point in self.points])
        for point, ab in zip(self.points, colors, strict=True):
            y, x = floor((floor(point.y) + 0.5) * down), floor((floor(point.x) + 0.5) * across)
            _draw_disc(drawn[0], ab, (y, x), (point.radius * down, point.radius * across))
        return drawn

    def within(self, box: Box) -> Hints:
        """The hints that reach into a box, for that part as a photo of its own."""
        left, upper, right, lower = box
        points = tuple(
            replace(point, x=point.x - left, y=point.y - upper) for point in self.points if point.reaches(box)
        )
        strokes = None if self.strokes is None else self.strokes[upper:lower, left:right]
        return Hints((right - left, lower - upper), points, strokes)

    def reach(self, box: Box) -> bool:
        """Return whether any hint reaches into a box."""
        part = self.within(box)
        is_drawn = part.strokes is not None and bool((part.strokes[..., 3] >= _OPAQUE).any())
        return bool(part.points) or is_drawn

    def mirrored(self) -> Hints:
        """The hints for the mirror image of the photo."""
        points = tuple(replace(point, x=self.size[0] - 1 - int(point.x)) for point in self.points)
        return Hints(self.size, points, None if self.strokes is None else self.strokes[:, ::-1].copy())

    def _strokes_at(self, height: int, width: int) -> Tensor:
        """The mean colour of the strokes in each pixel that they touch."""
        assert self.strokes is not None
        is_opaque = torch.from_numpy(self.strokes[..., 3] >= _OPAQUE)
        planes = torch.zeros(1, 3, *is_opaque.shape, dtype=torch.float32)
        rgb = torch.from_numpy(self.strokes[..., :3])[is_opaque].T[:, None].float() / WHITE_LEVEL["uint8"]
        planes[0, :2, is_opaque] = rgb_to_lab(rgb)[1:, 0]
        planes[0, 2] = is_opaque.float()
        pooled = F.interpolate(planes, (height, width), mode="area")
        share = pooled[:, 2:]
        return torch.cat((pooled[:, :2] / share.clamp_min(1e-9), (share > 0).float()), dim=1)


def parse_points(points: Any, size: tuple[int, int], *, name: str = "the hints") -> Hints:
    """Check a list of points from JSON, such as {"x": 10, "y": 20, "color": "#rrggbb", "radius": 3}.

    Args:
        points: may be empty; "radius" may be absent.
        size: (width, height) of the photo.
        name: what errors call the list.
    Raises:
        UserError: malformed, too many, a point outside the photo, or one without a colour; the message names
            the point.
    """
    if not isinstance(points, Sequence) or isinstance(points, str):
        raise UserError(f'{name}: must be a list of points such as {{"x": 10, "y": 20, "color": "#4060c0"}}')
    if len(points) > _MOST_POINTS:
        raise UserError(f"{name}: {len(points)} points, more than {_MOST_POINTS}: give a picture of strokes")
    return Hints(size, tuple(_parse(p, size, f"{name}: point {i + 1}") for i, p in enumerate(points)))


def read_hints(path: Path, size: tuple[int, int], *, max_pixels: int) -> Hints:
    """Read a file of hints: points if its name ends with .json, else a transparent picture.

    Args:
        path: of the file.
        size: (width, height) of the photo, upright.
        max_pixels: larger pictures are refused before they are decoded.
    Raises:
        UserError: unreadable, of another size, outside the photo, or without a colour.
    """
    if path.suffix.lower() != ".json":
        return Hints(size, strokes=_read_strokes(path, size, max_pixels))
    try:
        points = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"--hints={path}: cannot be read ({error}): name a list of points in JSON") from error
    hints = parse_points(points, size, name=f"--hints={path}")
    if not hints:
        raise UserError(f"--hints={path} holds no point: add one, or leave --hints out")
    return hints


def _read_strokes(path: Path, size: tuple[int, int], max_pixels: int) -> np.ndarray:
    picture = load_picture(path, max_pixels=max_pixels)
    check_size(f"--hints={path}", picture.size, "its photo", size)
    if picture.alpha is None:
        raise UserError(f"--hints={path} is not transparent: it must be, wherever no hint is")
    strokes = np.dstack((to_dtype(picture.pixels, "uint8"), to_dtype(picture.alpha, "uint8")))
    if not (strokes[..., 3] >= _OPAQUE).any():
        raise UserError(f"--hints={path} holds no colour: draw opaque strokes")
    return strokes


def _parse(point: Any, size: tuple[int, int], name: str) -> Point:
    if not isinstance(point, Mapping) or not {"x", "y"} <= point.keys() <= _KEYS:
        raise UserError(f"{name} must have x, y, color and, if you like, radius, and nothing else")
    color = point.get("color")
    if not isinstance(color, str) or not _COLOR.fullmatch(color):
        raise UserError(f"{name} has no colour: color must be written #rrggbb")
    x, y, radius = (point.get(key, 0) for key in ("x", "y", "radius"))
    # JSON has integers of 400 digits, which are no float.
    if not all(type(v) in (int, float) and 0 <= v <= _MOST_PIXELS for v in (x, y, radius)):
        raise UserError(f"{name}: x, y and radius must be numbers of pixels from 0 to {_MOST_PIXELS:,}")
    if x >= size[0] or y >= size[1]:
        raise UserError(f"{name} at x={x:g}, y={y:g} is outside the photo, which is {size[0]}x{size[1]}")
    return Point(float(x), float(y), color, float(radius))


def _to_ab(colors: Sequence[str]) -> Tensor:
    """'#rrggbb', N of them -> (N, 2)."""
    rgb = [[int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)] for color in colors]
    return rgb_to_lab(torch.tensor(rgb, dtype=torch.float32).view(-1, 3).T[:, None])[1:, 0].T


def _draw_disc(drawn: Tensor, ab: Tensor, center: tuple[int, int], radius: tuple[float, float]) -> None:
    """Set the pixels of an ellipse, at least its centre, in (3, H, W); what is outside is left out."""
    spans = [
        torch.arange(max(0, c - int(r)), min(side, c + int(r) + 1))
        for c, r, side in zip(center, radius, drawn.shape[1:], strict=True)
    ]
    if not all(map(len, spans)):
        return
    dy, dx = ((span - c) / max(r, 1) for span, c, r in zip(spans, center, radius, strict=True))
    is_inside = dy[:, None].square() + dx.square() <= 1
    box = drawn[:, spans[0][0] : spans[0][-1] + 1, spans[1][0] : spans[1][-1] + 1]
    box[:, is_inside] = torch.cat((ab, ab.new_ones(1)))[:, None]
