"""Where one shot of a clip ends and another begins."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

# There is a cut where two frames, averaged over a grid, have a correlation below the first number and a mean
# absolute difference of L* above the second. The second pair is for dark shots, which never differ by much.
_CUTS = ((0.6, 10.0), (0.3, 2.0))
_GRID = 32


def is_cut(now: Tensor, before: Tensor) -> bool:
    """Whether there is a cut between two frames.

    Args:
        now, before: L* (1, 1, h, w), in [0, 100].
    """
    a, b = (F.adaptive_avg_pool2d(L, _GRID) for L in (now, before))
    difference = (a - b).abs().mean()
    a, b = a - a.mean(), b - b.mean()
    correlation = (a * b).sum() / (a.norm() * b.norm()).clamp_min(1e-6)
    return any(bool(correlation < c and difference > d) for c, d in _CUTS)
