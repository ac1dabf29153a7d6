"""What a person says about a photo on the page: hints and a reference, kept as files beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import write_json
from inference.hints import Hints, parse_points, read_hints
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


def hints_of(photo: Photo) -> Hints:
    """All hints for a photo."""
    hints = Hints(photo.size)
    if photo.strokes.exists():
        hints = read_hints(photo.strokes, photo.size)
    if not photo.points.exists():
        return hints
    points = parse_points(json.loads(photo.points.read_text(encoding="utf-8")), photo.size).points
    return replace(hints, points=points)
