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

_loading = threading.Lock()


@contextlib.contextmanager
def loaded(file: BinaryIO, max_pixels: int, number: int, name: str) -> Iterator[Image.Image]:
    """Decode picture `number` of a file; to be used within `media.decode.decoding_errors`."""
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
            told = f"is damaged; about {_percent(image)} % of it is there and is colored"
            remark(f"{name} {told}", told)
        yield image


def _load(image: Image.Image, number: int) -> None:
    if number:
        image.seek(number)
    image.load()


def _percent(image: Image.Image) -> int:
    """Percentage of the rows that were decoded: those above the plain area that a decoder leaves below."""
    rows = np.asarray(image).reshape(image.height, -1)
    last = rows[-1].reshape(image.width, -1)
    is_plain = (rows == rows[-1]).all(axis=1) & (last == last[0]).all()
    filled = np.flatnonzero(~is_plain)
    return round(100 * (filled[-1] + 1) / image.height) if filled.size else 0
