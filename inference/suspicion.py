"""Check whether a colored picture looks as if its file had been misread; the same for all formats."""

from __future__ import annotations

import numpy as np
from PIL import Image
from torch import Tensor

from media.picture import Picture

_SIDE = 128  # side in pixels of the copy that is checked
_NEARLY_ALL = 0.98
_BLACK, _WHITE = 8, 247  # codes of 8 bits
_MUCH, _NONE = 4.0, 2.0  # mean chroma, CIELAB units; mean spread of the channels of a gray picture, codes


def suspicion(colored: Picture, ab: Tensor) -> str:
    """What is wrong with a colored picture, such as 'nearly all white', or ''.

    Args:
        colored: the picture.
        ab: (1, 2, h, w), the colours that were applied, CIELAB units.
    """
    width, height = colored.size
    scale = min(1, _SIDE / min(width, height))
    size = max(1, round(scale * width)), max(1, round(scale * height))
    small = np.asarray(colored.preview(_SIDE).resize(size, Image.Resampling.NEAREST)).astype(int)
    if (small >= _WHITE).all(axis=2).mean() > _NEARLY_ALL:
        return "nearly all white"
    if (small <= _BLACK).all(axis=2).mean() > _NEARLY_ALL:
        return "nearly all black"
    wanted = float(ab.square().sum(dim=1).sqrt().mean())
    if wanted > _MUCH and float(np.ptp(small, axis=2).mean()) < _NONE:
        return "without colour, though the model saw some"
    return ""
