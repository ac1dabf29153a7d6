"""model1: the GAE, a convolutional autoencoder whose output passes a learnable gamma."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from data.color import AB_SCALE, L_SCALE
from models.base import ColorizationModel
from models.layers import ab_decoder, pad_to_stride
from models.settings import GAESettings

GAMMA_MIN, GAMMA_MAX = 0.01, 100.0
# Below this the power is taken as 0. Nothing is lost: next to tanh = -1 the numbers of float32 are
# 6e-8 apart, so a base is either 0 or larger.
_BASE_MIN = 1e-8


class GAE(ColorizationModel):
    """Symmetric 10-layer convolutional autoencoder with a learnable gamma (3,137,763 parameters)."""

    Settings = GAESettings
    summary: ClassVar[str] = "GAE: 10-layer convolutional autoencoder with a learnable gamma"

    def __init__(self, settings: GAESettings) -> None:
        super().__init__(settings)
        width = {"paper": 32, "small": 16}[settings.preset]
        channels = (1, width, 2 * width, 4 * width, 8 * width, 16 * width)
        layers: list[nn.Module] = []
        for c_in, c_out in pairwise(channels):
            layers += [
                nn.Conv2d(c_in, c_out, 3, stride=2, padding=1),
                nn.BatchNorm2d(c_out),
                nn.ReLU(inplace=True),
            ]
        self.encoder = nn.Sequential(*layers)
        self.decoder = ab_decoder(channels[-1], width)
        self.gamma_correction = GammaCorrection(settings.gamma_mode)

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        height, width = L.shape[-2:]
        x = pad_to_stride(L / L_SCALE)  # (N, 1, H', W') in [0, 1]
        x = self.decoder(self.encoder(x))  # (N, 2, H', W') in [-1, 1]
        # Autocast leaves bfloat16, too coarse for a power; and the layout of the colours to compare with.
        x = self.gamma_correction(x.to(L.dtype, memory_format=torch.contiguous_format))
        return AB_SCALE * x[..., :height, :width]

    def clamp_(self) -> None:
        """Keep gamma positive."""
        with torch.no_grad():
            self.gamma_correction.gamma.clamp_(GAMMA_MIN, GAMMA_MAX)

    def report(self) -> dict[str, float]:
        """Gamma, and the a* and b* that a neutral gray comes out with because of it."""
        with torch.no_grad():
            neutral = torch.zeros((), device=self.gamma_correction.gamma.device)
            cast = AB_SCALE * self.gamma_correction(neutral)
        return {"gamma": self.gamma_correction.gamma.item(), "gamma_cast": cast.item()}


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

    The derivative gamma * base^(gamma - 1) is infinite at 0 where gamma < 1, and `where` would let
    that into the gradient as NaN: so the base is made safe before the power, not after it.
    """
    # As exp2 and log2 both directions are faster than as `**`. NaN times 0 stays NaN and is found.
    power = torch.exp2(gamma * base.clamp_min(_BASE_MIN).log2())
    return power * (base > _BASE_MIN).to(base.dtype)
