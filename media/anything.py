"""Convert whatever a caller has in hand, a path, bytes, an array or a tensor, to a `Picture`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import IO, TypeAlias

import numpy as np
from PIL import Image
from torch import Tensor

from media.picture import CHANNELS, Picture, from_array, from_image, load_picture, read_picture

PhotoLike: TypeAlias = str | Path | bytes | IO[bytes] | Image.Image | np.ndarray | Tensor
SeveralPhotos: TypeAlias = list[PhotoLike] | tuple[PhotoLike, ...]


def to_picture(photo: PhotoLike, *, max_pixels: int) -> Picture:
    """Convert a path, the bytes of a file, an open binary file, a Pillow image, an array or a tensor.

    Args:
        photo: arrays as `media.picture.from_array` takes them. Tensors, on any device, uint8 or floats in
            [0, 1]: (H, W), (C, H, W) or (H, W, C), of 1, 3 or 4 channels.
        max_pixels: larger files are refused.
    Raises:
        PhotoError: the file cannot be read.
        ValueError: an array or a tensor of another shape or dtype, an empty one, one of floats far beyond 1
            or not finite, a Pillow image whose integers do not fill 16 bits, or a tensor whose channels could
            be its first or its last axis.
    """
    if isinstance(photo, (str, Path)):
        return load_picture(Path(photo), max_pixels=max_pixels)
    if isinstance(photo, Image.Image):
        return from_image(photo, "the picture")
    if isinstance(photo, Tensor):
        return from_array(_channels_last(photo))
    data = photo if isinstance(photo, bytes) else photo.read() if hasattr(photo, "read") else None
    if data is not None:
        name = str(getattr(photo, "name", "the photo"))
        return read_picture(io.BytesIO(data), name=name, max_pixels=max_pixels)
    return from_array(np.asarray(photo))


def several(photo: PhotoLike | SeveralPhotos) -> Sequence[PhotoLike] | None:
    """Split a list, a tuple or a batch tensor (N, C, H, W) into photos; None if it is one photo.

    Raises:
        ValueError: the batch is empty.
    """
    if isinstance(photo, (list, tuple)):
        return photo
    if not isinstance(photo, Tensor) or photo.ndim != 4:
        return None
    if not photo.numel():
        raise ValueError(f"expected photos with at least one pixel, got shape {tuple(photo.shape)}")
    return list(photo)


def _channels_last(photo: Tensor) -> np.ndarray:
    """A tensor (H, W), (H, W, C) or (C, H, W) as an array, its channels last.

    Raises:
        ValueError: both the first and the last axis could be the channels.
    """
    # NumPy has no bfloat16.
    samples = (photo.float() if photo.is_floating_point() else photo).numpy(force=True)
    if photo.ndim != 3 or not photo.numel() or photo.shape[0] not in CHANNELS:
        return samples
    if photo.shape[2] in CHANNELS:
        raise ValueError(
            f"expected (C, H, W) or (H, W, C), got shape {tuple(photo.shape)}, which could be either: pass "
            "an array (H, W, C), such as photo.permute(1, 2, 0).numpy()"
        )
    return samples.transpose(1, 2, 0)
