"""Match the colours of a reference: once for all previews, and again at full size."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from inference.corrector import Scribbler, solve_size
from inference.reference import Reference, encoder_features
from inference.shipped_encoder import shipped_encoder
from media.picture import Picture, from_array, load_picture
from web.upload import Upload

_SOLVED_PIXELS = 10**5


def small_enough(gray: Picture) -> Picture:
    """Shrink a preview to the size at which given colours are propagated in less than a second."""
    image = Image.fromarray(gray.pixels)
    return from_array(np.asarray(image.resize(solve_size(image.size, _SOLVED_PIXELS))))


def match(reference: Picture, small: Picture) -> np.ndarray:
    """Match the colours of a reference to places in a preview.

    Returns:
        (1, 3, height, width) float32, as a `Scribbler` returns them.
    """
    width, height = small.size
    return _scribbler(reference)(small, height, width).numpy()


def preview_scribbler(photo: Upload) -> Scribbler | None:
    """A scribbler that returns the stored result of `match`; None: there is no reference."""
    try:
        matched = torch.from_numpy(np.load(photo.matched))
    except FileNotFoundError:
        return None
    return lambda *_: matched


def full_scribbler(photo: Upload, *, max_pixels: int) -> Scribbler | None:
    """A scribbler that matches the reference at full size, as `predict` does; None: there is no reference."""
    if not photo.matched.exists():
        return None
    return _scribbler(load_picture(photo.reference, max_pixels=max_pixels))


def _scribbler(reference: Picture) -> Scribbler:
    return Reference(reference, encoder_features(shipped_encoder())).scribbles
