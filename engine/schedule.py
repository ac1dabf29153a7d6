"""The learning rate over a training."""

from __future__ import annotations

import math

SCHEDULES = ("constant", "cosine")


def lr_factor(schedule: str, progress: float, warmup: float) -> float:
    """What the learning rate is multiplied by at a point of a training.

    Args:
        schedule: 'constant', or 'cosine', which goes down to 0 along half a wave (Loshchilov and Hutter
            2017, eq. 5, without restarts).
        progress: share of all steps that are done, in [0, 1].
        warmup: share of all steps over which the rate first rises from 0 in a line.
    Returns:
        In [0, 1].
    """
    if progress < warmup:
        return progress / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))
