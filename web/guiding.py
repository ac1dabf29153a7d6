"""Hints and a reference that a person gives for a photo on the page, stored as files in its folder."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import UserError
from core.files import sha256, write_json
from inference.guidance import Guidance
from inference.hints import Hints, parse_points, read_hints
from inference.reference import has_colors
from media.picture import Picture, load_picture
from web.sessions import Gone
from web.upload import GONE, Upload


def keep_points(photo: Upload, points: Any) -> None:
    """Validate a list of points, and store it in place of the previous one.

    Raises:
        UserError: it is no such list, or a point is outside the photo.
    """
    parse_points(points, photo.size)
    write_json(photo.points, points)


def keep_strokes(photo: Upload, upload: Path, *, max_pixels: int) -> None:
    """Validate a transparent picture, and store it in place of the previous one; an empty file removes that.

    Raises:
        UserError: it is no such picture, or not of the photo's size; the previous one is kept.
    """
    if not upload.stat().st_size:
        photo.strokes.unlink(missing_ok=True)
        return
    try:
        read_hints(upload, photo.size, max_pixels=max_pixels)
    except UserError as error:
        raise _about(upload, "the picture of hints", error) from error
    upload.replace(photo.strokes)


def read_reference(upload: Path, *, max_pixels: int) -> Picture:
    """Read a reference, another photo to take colours from.

    Raises:
        UserError: it cannot be read, or is gray.
    """
    try:
        reference = load_picture(upload, max_pixels=max_pixels)
    except UserError as error:
        raise _about(upload, "the reference", error) from error
    if not has_colors(reference):
        raise UserError("the reference is gray: choose a photo in colour, whose colours can be taken")
    return reference


def keep_reference(photo: Upload, upload: Path, matched: np.ndarray) -> None:
    """Store a reference and its matched colours in place of the previous ones.

    Both files are complete before either is renamed, since previews may be requested meanwhile.

    Args:
        upload: a file that `read_reference` accepted; it is moved.
        matched: result of `match`.
    Raises:
        Gone: the photo was deleted.
    """
    written = upload.with_name(f"{upload.name}.npy")
    try:
        np.save(written, matched)
        upload.replace(photo.reference)
        written.replace(photo.matched)
    except FileNotFoundError as error:
        raise Gone(GONE) from error
    finally:
        written.unlink(missing_ok=True)


def remove_reference(photo: Upload) -> None:
    """Delete the matched colours and then the reference; readers check the former first."""
    photo.matched.unlink(missing_ok=True)
    photo.reference.unlink(missing_ok=True)


def guidance_hashes(photo: Upload, accepts: frozenset[str]) -> str:
    """Hashes of the files that are inputs of a model: hints, a reference, both or neither.

    Args:
        accepts: the optional inputs of the model, fields of `Inputs`.
    """
    files = {"hints": (photo.points, photo.strokes), "reference": (photo.reference,)}
    paths = [path for name in sorted(accepts & files.keys()) for path in files[name] if path.exists()]
    return " ".join(sha256(path) for path in paths)


def guidance_of(photo: Upload, accepts: frozenset[str], *, max_pixels: int) -> Guidance:
    """Load the hints and the reference of a photo, each only if the model accepts it as input."""
    hints = hints_of(photo) if "hints" in accepts else None
    has_reference = "reference" in accepts and photo.reference.exists()
    reference = load_picture(photo.reference, max_pixels=max_pixels) if has_reference else None
    return Guidance(hints=hints or None, reference=reference)


def hints_of(photo: Upload) -> Hints:
    """Load all hints for a photo, strokes and points."""
    hints = Hints(photo.size)
    if photo.strokes.exists():
        hints = read_hints(photo.strokes, photo.size, max_pixels=math.prod(photo.size))
    if not photo.points.exists():
        return hints
    points = parse_points(json.loads(photo.points.read_text(encoding="utf-8")), photo.size).points
    return replace(hints, points=points)


def _about(upload: Path, name: str, error: UserError) -> UserError:
    """Copy an error without names of flags, which the page does not have, and without local paths."""
    return UserError(str(error).replace(f"--hints={upload}", name).replace(str(upload), name))
