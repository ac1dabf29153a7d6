"""The learnable gamma of model1."""

from __future__ import annotations

import torch
from torch import Tensor, nn

GAMMA_MIN, GAMMA_MAX = 0.01, 100.0
# Bases below this give 0. This loses nothing: float32 values next to tanh = -1 are 6e-8 apart, so a base
# is either 0 or larger.
_BASE_MIN = 1e-8


class GammaCorrection(nn.Module):
    """X_out = X_in ^ gamma on an output in [-1, 1], with one learnable gamma that starts at 1."""

    def __init__(self, mode: str) -> None:
        super().__init__()
        self.mode = mode
        self.gamma = nn.Parameter(torch.tensor(1.0), requires_grad=mode != "fixed")

    def forward(self, x: Tensor) -> Tensor:
        """Any shape in [-1, 1] -> same shape in [-1, 1]."""
        if self.mode == "signed":
            return x.sign() * _power(x.abs(), self.gamma)
        return 2 * _power((x + 1) / 2, self.gamma) - 1


def _power(base: Tensor, gamma: Tensor) -> Tensor:
    """base^gamma for base in [0, 1], with finite gradients.

    The derivative gamma * base^(gamma - 1) is infinite at 0 for gamma < 1, and a `where` after the power
    would turn that into a NaN gradient: so the base is clamped before the power.
    """
    # exp2 and log2 are faster than `**`, forward and backward. NaN times 0 stays NaN, so it is detected.
    power = torch.exp2(gamma * base.clamp_min(_BASE_MIN).log2())
    return power * (base > _BASE_MIN).to(base.dtype)
