"""Decode what can be decoded of a photo that was cut short, if the user asked for that."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageFile

from core.remarks import remark
from media.decode import opened
from media.use_damaged import is_used

_BOTTOM_FIRST = ("BMP", "DIB")  # formats that are stored from the bottom upward

_loading = threading.Lock()


@contextlib.contextmanager
def loaded(
    file: BinaryIO, max_pixels: int, number: int, name: str
) -> Iterator[tuple[Image.Image, np.ndarray | None]]:
    """Decode picture `number` of a file; to be used within `media.decode.decoding_errors`.

    With it comes where it is missing, (H, W) bool, or None if it is whole.
    """
    missing = None
    with contextlib.ExitStack() as stack:
        image = stack.enter_context(opened(file, max_pixels))
        try:
            if not is_used():
                _load(image, number)
            else:
                with _loading:  # Pillow's switch below is global to the process
                    _load(image, number)
        except OSError:
            if not is_used():
                raise
            file.seek(0)
            image = stack.enter_context(opened(file, max_pixels))
            with _loading:
                ImageFile.LOAD_TRUNCATED_IMAGES = True
                try:
                    _load(image, number)
                finally:
                    ImageFile.LOAD_TRUNCATED_IMAGES = False
            missing = _missing(image)
            told = f"is damaged; {_how_much(image, missing)} and is colored"
            remark(f"{name} {told}", told)
        yield image, missing


def _load(image: Image.Image, number: int) -> None:
    if number:
        image.seek(number)
    image.load()


def _missing(image: Image.Image) -> np.ndarray | None:
    """(H, W) bool: the plain area that a decoder leaves where the file has ended; None: there is none."""
    pixels = np.asarray(image).reshape(image.height, image.width, -1)
    step = 1 if image.format in _BOTTOM_FIRST else -1
    is_plain = (pixels == pixels[::step][0, 0]).all(axis=2)[::step]
    if not is_plain[0].all():
        return None
    # Column by column, since the last blocks of a JPEG end within a row.
    return np.logical_and.accumulate(is_plain)[::step]


def _how_much(image: Image.Image, missing: np.ndarray | None) -> str:
    """How much of a damaged picture is there, in words."""
    percent = f"about {100 if missing is None else 100 * (1 - missing.mean()):.0f} %"
    if not image.info.get("progressive"):
        return f"{percent} of it is there"
    return f"{'all' if missing is None else percent} of it is there, but in less detail than it had,"
