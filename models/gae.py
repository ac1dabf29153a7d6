"""model1: the GAE, a convolutional autoencoder with a learnable gamma on its output."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor, nn

from data.color import AB_SCALE, L_SCALE
from models.base import ColorizationModel
from models.gamma import GAMMA_MAX, GAMMA_MIN, GammaCorrection
from models.layers import ab_decoder, pad_to_stride
from models.settings import GAESettings


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
        # Autocast yields bfloat16, too coarse for a power; the layout is that of the target colours.
        x = self.gamma_correction(x.to(L.dtype, memory_format=torch.contiguous_format))
        return AB_SCALE * x[..., :height, :width]

    def clamp_(self) -> None:
        """Keep gamma positive."""
        with torch.no_grad():
            self.gamma_correction.gamma.clamp_(GAMMA_MIN, GAMMA_MAX)

    def report(self) -> dict[str, float]:
        """Report gamma, and the a* and b* to which it shifts neutral gray."""
        with torch.no_grad():
            neutral = torch.zeros((), device=self.gamma_correction.gamma.device)
            cast = AB_SCALE * self.gamma_correction(neutral)
        return {"gamma": self.gamma_correction.gamma.item(), "gamma_cast": cast.item()}
