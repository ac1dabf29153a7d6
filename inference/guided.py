"""A photo's colours as hints change them, or from hints alone."""

from __future__ import annotations

import math

import torch

from config import VERSION
from inference.chroma import Chroma, lightness_seen
from inference.hints import Hints
from inference.solve import spread
from inference.upsample import guided
from media.picture import Picture

SOLVED_PIXELS = 2**18
"""Larger photos are solved at so many pixels; `inference.upsample` carries the colours on."""


@torch.inference_mode()
def with_hints(original: Picture, hints: Hints, chroma: Chroma | None = None) -> Chroma:
    """Spread the colours of hints over a photo.

    Args:
        original: the photo.
        hints: of this photo; their a* and b* hold exactly at the size of the solve.
        chroma: the colours that a model sees in the photo, which the hints correct where they are and
            around; None: the hints' colours are all there are, as in Levin et al. 2004.
    Returns:
        Colours at the size of the solve: that of the photo, or of `SOLVED_PIXELS`.
    """
    width, height = _solve_size(original.size)
    L = lightness_seen(original, (width, height))
    ab, by = None, f"colorizer {VERSION}, hints"
    if chroma is not None:
        seen = lightness_seen(original, (chroma.ab.shape[-1], chroma.ab.shape[-2]))
        ab = guided(seen, chroma.ab, height, width)(L, slice(0, height))
        by = f"{chroma.by}, hints"
    found = spread(L, hints.at(height, width), ab)
    return Chroma(found.half().float(), original.size, by)


def _solve_size(size: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a photo in at most `SOLVED_PIXELS`."""
    scale = min(1.0, math.sqrt(SOLVED_PIXELS / (size[0] * size[1])))
    width, height = (max(1, int(scale * length)) for length in size)
    return width, height
