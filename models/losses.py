"""Named loss terms. A new one is a function here and a row in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable

import torch.nn.functional as F
from torch import Tensor

from data.color import AB_SCALE
from errors import UserError
from models.base import Criterion


def mse(pred: Tensor, target: Tensor) -> Tensor:
    """Mean squared error; the published loss."""
    return F.mse_loss(pred, target)


def l1(pred: Tensor, target: Tensor) -> Tensor:
    """Mean absolute error."""
    return F.l1_loss(pred, target)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mse": mse, "l1": l1}
"""Each takes predicted and true ab / 128, (N, 2, H, W), and returns the mean over all of it."""


def build_criterion(spec: str) -> Criterion:
    """Parse 'mse' or 'mse:1,l1:0.5' into a function that gives the weighted terms by name.

    Raises:
        UserError: a name is unknown or a weight is not a number above 0.
    """
    weights: dict[str, float] = {}
    for part in spec.split(","):
        name, _, weight = part.partition(":")
        if name not in LOSSES or name in weights:
            raise UserError(f"--loss={spec}: must be one or several of {', '.join(LOSSES)}")
        try:
            weights[name] = float(weight or 1)
        except ValueError:
            weights[name] = 0.0
        if not 0 < weights[name] < float("inf"):
            raise UserError(f"--loss={spec}: the weight of {name} must be a number above 0")

    def criterion(pred_ab: Tensor, target_ab: Tensor) -> dict[str, Tensor]:
        pred, target = pred_ab / AB_SCALE, target_ab / AB_SCALE
        return {name: weight * LOSSES[name](pred, target) for name, weight in weights.items()}

    return criterion
