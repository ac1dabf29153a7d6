"""unet_hints: the unet with user hints as input at every scale of its encoder's features.

The idea of Zhang et al. 2017 on a pretrained encoder. The contribution of the hints to the features is
initialized to 0, so that training starts like that of the unet.
"""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.color import gray_to_rgb
from models.layers import pad_to_stride
from models.objective import HintedObjective
from models.settings import UNetSettings
from models.timm_encoder import STRIDES
from models.unet import Output, UNet
from models.unet_objective import UNetObjective

# As a* and b* / 128, hints would be a hundredth as large as the encoder's features: too small to learn from.
_AB_UNIT = 8.0


class HintedUNet(UNet):
    """A unet that adds projected hints to its skip connections and to its deepest features."""

    summary: ClassVar[str] = "the U-Net on a pretrained encoder, which sees a person's hints too"
    accepts = frozenset({"hints"})
    extends: ClassVar[str] = "unet"

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__(settings)
        self.hints = nn.ModuleList(nn.Conv2d(3, c, 1, bias=False) for c in self.encoder.channels)
        for weight in self.hints.parameters():
            nn.init.zeros_(weight)

    def forward(self, L: Tensor, hints: Tensor | None = None, *, with_logits: bool = True) -> Output:
        """L* (N, 1, H, W) and hints (N, 3, H, W) as in `Inputs` -> see `UNet.forward`."""
        maps = self.encoder(self.enlarge(gray_to_rgb(L)))
        given = torch.zeros_like(L).expand(-1, 3, -1, -1) if hints is None else hints
        small = pad_to_stride(self.enlarge(given))
        added = [layer(_pooled(small, s)) for layer, s in zip(self.hints, STRIDES, strict=True)]
        maps = [a + b for a, b in zip(maps, added, strict=True)]
        return self.decode(maps, L, with_logits=with_logits)


class HintedUNetObjective(HintedObjective, UNetObjective):
    """The objective of the unet, with simulated hints."""


def _pooled(hints: Tensor, stride: int) -> Tensor:
    """(N, 3, H, W) -> (N, 3, H / stride, W / stride).

    Mean a* and b* of the hints in each cell, in units of `_AB_UNIT`, 0 without; then 1 if there is any.
    """
    mean = F.avg_pool2d(hints, stride)
    share = mean[:, 2:]
    return torch.cat((mean[:, :2] / (_AB_UNIT * share.clamp_min(1e-6)), (share > 0).to(share)), dim=1)
