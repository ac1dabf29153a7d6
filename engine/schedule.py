"""Learning-rate schedules."""

from __future__ import annotations

import math

SCHEDULES = ("constant", "cosine")


def lr_factor(schedule: str, progress: float, warmup: float) -> float:
    """Return the factor of the learning rate at a point of a training.

    Args:
        schedule: 'constant', or 'cosine', which decays to 0 along half a period (Loshchilov and Hutter
            2017, eq. 5, without restarts).
        progress: share of all steps that are done, in [0, 1].
        warmup: share of all steps over which the rate first rises linearly from 0.
    Returns:
        In [0, 1].
    """
    if progress < warmup:
        return progress / warmup
    if schedule == "constant":
        return 1.0
    return 0.5 + 0.5 * math.cos(math.pi * (progress - warmup) / (1 - warmup))
