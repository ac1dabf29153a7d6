"""Whatever a program has of a photo, as a picture."""

from __future__ import annotations

import io
from pathlib import Path
from typing import IO, Any, TypeAlias

import numpy as np
from PIL import Image

from media.picture import Picture, from_array, from_image, load_picture, read_picture

Photo: TypeAlias = "str | Path | bytes | IO[bytes] | Image.Image | np.ndarray | Any"


def to_picture(photo: Photo, *, max_pixels: int) -> Picture:
    """A path, the bytes of a file, a file that is open for reading, a Pillow image, or an array or tensor.

    Args:
        photo: arrays and tensors as `media.picture.from_array` takes them; tensors on any device.
        max_pixels: larger files are refused.
    Raises:
        PhotoError: the file cannot be read.
        ValueError: an array of another shape or dtype, or an empty one.
    """
    if isinstance(photo, (str, Path)):
        return load_picture(Path(photo), max_pixels=max_pixels)
    if isinstance(photo, Image.Image):
        return from_image(photo, "the picture")
    data = photo if isinstance(photo, bytes) else photo.read() if hasattr(photo, "read") else None
    if data is not None:
        name = str(getattr(photo, "name", "the photo"))
        return read_picture(io.BytesIO(data), name=name, max_pixels=max_pixels)
    return from_array(photo.numpy(force=True) if hasattr(photo, "numpy") else np.asarray(photo))
