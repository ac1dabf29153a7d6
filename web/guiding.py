"""What a person says about a photo on the page: hints and a reference, kept as files beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import sha256, write_json
from inference.guidance import Guidance
from inference.hints import Hints, parse_points, read_hints
from media.picture import Picture, load_picture
from web.photo import Photo


def keep_points(photo: Photo, points: Any) -> None:
    """Take a list of points in place of the one before.

    Raises:
        UserError: it is none, or not for this photo.
    """
    parse_points(points, photo.size)
    write_json(photo.points, points)


def keep_strokes(photo: Photo, upload: Path) -> None:
    """Take a transparent picture in place of the one before; an empty file takes that away.

    Raises:
        UserError: it is none, or not for this photo; what was there stays.
    """
    if not upload.stat().st_size:
        photo.strokes.unlink(missing_ok=True)
        return
    try:
        read_hints(upload, photo.size)
    except UserError as error:
        raise UserError(str(error).replace(f"--hints={upload}", "the picture of hints")) from error
    upload.replace(photo.strokes)


def keep_reference(photo: Photo, upload: Path, *, max_pixels: int) -> Picture | None:
    """Take another photo in place of the one before; an empty file takes that away, and gives None.

    Raises:
        UserError: it is none; what was there stays.
    """
    photo.matched.unlink(missing_ok=True)
    if not upload.stat().st_size:
        photo.reference.unlink(missing_ok=True)
        return None
    try:
        picture = load_picture(upload, max_pixels=max_pixels)
    except UserError as error:
        raise UserError(str(error).replace(str(upload), "the reference")) from error
    upload.replace(photo.reference)
    return picture


def fingerprint(photo: Photo, accepts: frozenset[str]) -> str:
    """Of that which a model takes itself of what is said about a photo."""
    files = {"hints": (photo.points, photo.strokes), "reference": (photo.reference,)}
    paths = [path for name in sorted(accepts & files.keys()) for path in files[name] if path.exists()]
    return " ".join(sha256(path) for path in paths)


def guidance_of(photo: Photo, accepts: frozenset[str], *, max_pixels: int) -> Guidance:
    """That which a model takes itself of what is said about a photo."""
    hints = hints_of(photo) if "hints" in accepts else None
    has_reference = "reference" in accepts and photo.reference.exists()
    reference = load_picture(photo.reference, max_pixels=max_pixels) if has_reference else None
    return Guidance(hints=hints or None, reference=reference)


def hints_of(photo: Photo) -> Hints:
    """All hints for a photo."""
    hints = Hints(photo.size)
    if photo.strokes.exists():
        hints = read_hints(photo.strokes, photo.size)
    if not photo.points.exists():
        return hints
    points = parse_points(json.loads(photo.points.read_text(encoding="utf-8")), photo.size).points
    return replace(hints, points=points)
