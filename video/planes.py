"""The chroma planes of a frame, computed at their own size."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import Tensor

from data.color import join
from inference.upsample import UPSAMPLERS
from media.clip import Clip
from media.ycbcr import Coding

# Pixels per strip: small enough that each operation finds the result of the last one in the CPU's cache.
_CACHED_PIXELS = 2**16
_TAPS = 8


def chroma_planes(clip: Clip, luma: np.ndarray, L: Tensor, ab: Tensor, *, upsample: str) -> np.ndarray:
    """Bring the colours of a small picture to the chroma planes of a frame, along the edges of its luma.

    Args:
        clip: gives the coding and the size of the planes.
        luma: (H, W) codes.
        L: (1, 1, h, w), of the frame upright and small, in [0, 100].
        ab: (1, 2, h, w), CIELAB units.
        upsample: a name of `UPSAMPLERS`.
    Returns:
        (2, H', W') codes of Cb and Cr, of the dtype of the luma.
    """
    sums, parts = (_at_chroma(luma, clip), _TAPS) if clip.is_subsampled else (luma, 1)
    height, width = sums.shape
    L, ab = clip.as_stored(L), clip.as_stored(ab)
    colors = UPSAMPLERS[upsample](L, ab, height, width)
    tables = _tables(clip.coding, parts)
    result = np.empty((2, height, width), luma.dtype)
    rows = max(1, _CACHED_PIXELS // width)
    for top in range(0, height, rows):
        strip = slice(top, min(top + rows, height))
        L_rows, luma_rows = (torch.from_numpy(table[sums[strip]])[None, None] for table in tables)
        found = clip.coding.chroma(luma_rows, join(L_rows, colors(L_rows, strip)))
        result[:, strip] = found[0].numpy()
    return result


def mix_planes(own: np.ndarray, other: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Blend codes (2, h, w) of one dtype: `own` where `share` (h, w) is 0, `other` where it is 1."""
    mixed = own + share * (other.astype(np.float32) - own)
    return mixed.round().astype(own.dtype)


def _at_chroma(luma: np.ndarray, clip: Clip) -> np.ndarray:
    """Luma (H / 2, W / 2) at the chroma positions of H.264, as weighted sums of `_TAPS` codes.

    A chroma sample lies between two rows, of the same field if there are fields, and on every other column;
    the columns left and right of it count half.
    """
    if clip.field_order:
        height, width = luma.shape
        luma = luma.reshape(height // 4, 2, 2, width).swapaxes(1, 2).reshape(height, width)
    rows = luma[::2].astype(np.uint16) + luma[1::2]
    even, odd = rows[:, ::2], rows[:, 1::2]
    sums = 2 * even + odd
    sums[:, 1:] += odd[:, :-1]
    sums[:, 0] += even[:, 0]
    return sums


@functools.cache
def _tables(coding: Coding, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """Lookup tables: L* and Y' of every possible sum of `parts` codes."""
    return coding.lightness(parts).numpy(), coding.luma(parts).numpy()
