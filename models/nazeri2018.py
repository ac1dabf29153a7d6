"""nazeri2018: a conditional GAN of a U-Net generator and a patch discriminator.

Source: Nazeri, Ng and Ebrahimi 2018, "Image Colorization using Generative Adversarial Networks"; layers as in
the authors' code for Places365. Theirs predicts L*, a* and b*; here L* is that of the photo.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn

from data.batch import Batch
from data.color import AB_SCALE, L_SCALE
from models.adversarial import BETAS, PatchDiscriminator, warn_of_collapse
from models.base import ColorizationModel
from models.layers import down_block, initialize_conv, pad_to_stride
from models.losses import l1
from models.objective import Criterion, Group, Objective, Update
from models.settings import ModelSettings

L1_WEIGHT = 100.0
"""lambda: weight of the L1 distance to the true colours, relative to the adversarial loss."""
DISCRIMINATOR_LR = 0.1
"""Factor of the learning rate for the discriminator, as in the authors' code."""


class Nazeri2018(ColorizationModel):
    """A U-Net of 4x4 convolutions."""

    Settings = ModelSettings
    summary: ClassVar[str] = "Nazeri et al. 2018: U-Net, trained against a discriminator of patches"
    encoder: nn.ModuleList

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.width, depth = {"paper": (64, 8), "small": (24, 6)}[settings.preset]
        # c, c, 2c, 4c, 8c, 8c, ...
        channels = [self.width * min(8, 2 ** max(0, i - 1)) for i in range(depth)]
        self.encoder = nn.ModuleList([down_block(1, channels[0], stride=1)])
        self.encoder.extend(down_block(c_in, c_out) for c_in, c_out in pairwise(channels))
        up = channels[-2::-1]
        # All but the deepest take the encoder's features of their size as skip connections.
        inputs = [channels[-1], *(2 * c for c in up[:-1])]
        self.decoder = nn.ModuleList(_up(c_in, c_out) for c_in, c_out in zip(inputs, up, strict=True))
        self.last = nn.Conv2d(2 * up[-1], 2, 1)
        self.apply(initialize_conv)

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        height, width = L.shape[-2:]
        x = pad_to_stride(2 * L / L_SCALE - 1, 2 ** len(self.decoder))  # (N, 1, H', W') in [-1, 1]
        skips = []
        for down in self.encoder:
            x = down(x)  # (N, c, H', W'), (N, c, H'/2, W'/2), (N, 2c, H'/4, W'/4), ...
            skips.append(x)
        for up, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = torch.cat((skip, up(x)), dim=1)
        ab = self.last(x).to(L.dtype).tanh()  # (N, 2, H', W') in [-1, 1]
        return AB_SCALE * ab[..., :height, :width]


class Nazeri2018Objective(Objective):
    """The L1 distance to the true colours, and the adversarial loss of a patch discriminator."""

    def __init__(self, model: Nazeri2018, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        super().__init__(model, criterion, classes)
        self.discriminator = PatchDiscriminator(model.width)

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return False: the loss is the model's own."""
        return False

    @classmethod
    def keeps(cls, settings: Any) -> Literal["best", "last"]:
        """'last': the distance to the true colours grows as predictions become more realistic."""
        return "last"

    def updates(self, model: ColorizationModel) -> list[Update]:
        """Update the discriminator on the current predictions, then the U-Net with the new discriminator."""
        judge = Group(list(self.discriminator.parameters()), DISCRIMINATOR_LR)
        generator = Group([p for p in model.parameters() if p.requires_grad])
        return [Update([judge], self._judge, BETAS), Update([generator], self.losses, BETAS)]

    def _judge(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """Compute the discriminator's losses on true and predicted colours."""
        with torch.no_grad():
            ab = model(batch.L)
        return self.discriminator.discriminator_losses(batch.L, batch.ab, ab)

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """Compute the U-Net's L1 and adversarial losses."""
        ab = model(batch.L)
        adversarial = self.discriminator.generator_loss(batch.L, ab)
        return {"l1": L1_WEIGHT * l1(ab, batch), "adversarial": adversarial}

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute only the distance to the true colours: adversarial losses do not compare over epochs."""
        ab = model(batch.L)
        return {"l1": L1_WEIGHT * l1(ab, batch)}, ab

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """Return a warning if one of the two dominated an epoch; see `warn_of_collapse`."""
        return warn_of_collapse(losses)


def _up(c_in: int, c_out: int) -> nn.Sequential:
    """A 4x4 transposed convolution of stride 2, batch norm and ReLU."""
    conv = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))
