"""What the model sees of a photo: its lightness, at the model's size."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from data.color import rgb_to_lab
from media.picture import WHITE_LEVEL, Picture

# Maximum aspect ratio at which a photo is shown to the model: longer panoramas are squashed to this.
_MAX_ASPECT = 4


def lightness_seen(original: Picture, size: tuple[int, int]) -> Tensor:
    """L* (1, 1, h, w) of a photo resized to `size` = (w, h)."""
    return lab_seen(original, size)[:, :1]


def lab_seen(original: Picture, size: tuple[int, int]) -> Tensor:
    """CIELAB (1, 3, h, w) of a photo resized to `size` = (w, h)."""
    small = np.array(original.preview(max(size)).resize(size, Image.Resampling.BILINEAR))
    return rgb_to_lab(torch.from_numpy(small).permute(2, 0, 1)[None].float() / WHITE_LEVEL["uint8"])


def size_seen(size: tuple[int, int], side: int, resize: str) -> tuple[int, int]:
    """(width, height) at which a model sees a whole photo, with the aspect ratio treated as in training.

    Args:
        size: (width, height) of the photo.
        side: side of the training squares, pixels; the short side if the photo keeps its aspect ratio.
        resize: 'squash' or 'crop', as of --resize.
    """
    if resize == "squash":
        return side, side
    scale = side / min(size)
    width, height = (min(_MAX_ASPECT * side, round(length * scale)) for length in size)
    return width, height
