"""nazeri2018: a conditional GAN, a U-Net that colors and a discriminator of patches that it has to convince.

Source: Nazeri, Ng and Ebrahimi 2018, "Image Colorization using Generative Adversarial Networks"; layers as in
the authors' code for Places365. Theirs predicts L*, a* and b*; here L* is that of the photo.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.batch import Batch
from data.color import AB_SCALE, L_SCALE, join
from models.base import ColorizationModel, Criterion, Group, ModelSettings, Update
from models.layers import pad_to_stride
from models.losses import l1

L1_WEIGHT = 100.0
"""lambda: of the distance to the true colours beside the discriminator's opinion."""
SMOOTH_LABEL = 0.9
"""What the discriminator is to say of true colours; of predicted ones it is 0 (one-sided smoothing)."""
BETAS = (0.5, 0.999)
DISCRIMINATOR_LR = 0.1
"""Times the learning rate, as in the authors' code."""
_SLOPE = 0.2
_INIT_STD = 0.02
_SAME = (1, 2, 1, 2)
"""Padding (left, right, top, bottom) with which a 4x4 convolution of stride 1 keeps the size."""

# Mean losses of an epoch beyond which the two no longer teach each other: the discriminator takes predicted
# colours for true with a chance below 5 %, or does as well by saying the same of everything.
_TOLD_APART = -math.log(1 - 0.05)
_BLIND = -2 * (0.45 * math.log(0.45) + 0.55 * math.log(0.55))


class Nazeri2018(ColorizationModel):
    """A U-Net of 4x4 convolutions; in a training a discriminator of patches beside it."""

    Settings = ModelSettings
    summary: ClassVar[str] = "Nazeri et al. 2018: U-Net, trained against a discriminator of patches"
    takes_loss = False
    judged_by_loss = False  # the distance to the true colours grows as these become likelier
    training_only = ("discriminator",)
    encoder: nn.ModuleList
    discriminator: nn.Module

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.width, depth = {"paper": (64, 8), "small": (24, 6)}[settings.preset]
        # c, c, 2c, 4c, 8c, 8c, ...
        channels = [self.width * min(8, 2 ** max(0, i - 1)) for i in range(depth)]
        self.encoder = nn.ModuleList([_down(1, channels[0], stride=1)])
        self.encoder.extend(_down(c_in, c_out) for c_in, c_out in pairwise(channels))
        up = channels[-2::-1]
        # All but the deepest take what the encoder has of their size beside what comes from below.
        inputs = [channels[-1], *(2 * c for c in up[:-1])]
        self.decoder = nn.ModuleList(_up(c_in, c_out) for c_in, c_out in zip(inputs, up, strict=True))
        self.last = nn.Conv2d(2 * up[-1], 2, 1)
        self.apply(_initialize)

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        height, width = L.shape[-2:]
        x = pad_to_stride(_scale(L), 2 ** len(self.decoder))  # (N, 1, H', W') in [-1, 1]
        skips = []
        for down in self.encoder:
            x = down(x)  # (N, c, H', W'), (N, c, H'/2, W'/2), (N, 2c, H'/4, W'/4), ...
            skips.append(x)
        for up, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = torch.cat((skip, up(x)), dim=1)
        ab = self.last(x).to(L.dtype).tanh()  # (N, 2, H', W') in [-1, 1]
        return AB_SCALE * ab[..., :height, :width]

    def prepare(self, classes: Sequence[str]) -> None:
        """Add the discriminator: each training starts with a new one."""
        c = self.width
        self.discriminator = nn.Sequential(
            _down(3, c, norm=False),
            _down(c, 2 * c),
            _down(2 * c, 4 * c),
            _down(4 * c, 8 * c, stride=1),
            nn.ZeroPad2d(_SAME),
            nn.Conv2d(8 * c, 1, 4),
        )
        self.discriminator.apply(_initialize)

    def updates(self) -> list[Update]:
        """The discriminator learns from the colours as they are; then the U-Net, from what it has learned."""
        discriminator = list(self.discriminator.parameters())
        own = {id(p) for p in discriminator}
        generator = [p for p in self.parameters() if id(p) not in own and p.requires_grad]
        return [
            Update([Group(discriminator, DISCRIMINATOR_LR)], self._discriminator_step, BETAS),
            Update([Group(generator)], self.step, BETAS),
        ]

    def _discriminator_step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """How far the discriminator is from telling true colours and predicted ones."""
        with torch.no_grad():
            ab = self(batch.L)
        real, fake = self._logits(batch.L, batch.ab), self._logits(batch.L, ab)
        return {
            "discriminator_real": _cross_entropy(real, SMOOTH_LABEL),
            "discriminator_fake": _cross_entropy(fake, 0.0),
        }

    def step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """How far the U-Net's colours are from the true ones, and from passing for true ones."""
        ab = self(batch.L)
        adversarial = _cross_entropy(self._logits(batch.L, ab), 1.0)
        return {"l1": L1_WEIGHT * l1(ab, batch), "adversarial": adversarial}

    def validation_step(self, batch: Batch, criterion: Criterion) -> tuple[dict[str, Tensor], Tensor]:
        """The distance to the true colours alone: what a discriminator says changes as it learns."""
        ab = self(batch.L)
        return {"l1": L1_WEIGHT * l1(ab, batch)}, ab

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """Whether one of the two has won over an epoch, so that the other learns nothing from it."""
        real, fake = losses["discriminator_real"], losses["discriminator_fake"]
        if fake < _TOLD_APART:
            return (
                f"the discriminator knows all predicted colours (loss {fake:.3f}): the U-Net learns from the "
                "true ones alone; a smaller --lr or more photos may help"
            )
        if real + fake > _BLIND:
            return (
                "the discriminator does no better than saying the same of all colours (loss "
                f"{real + fake:.3f}): if that stays so, the U-Net learns nothing from it; try a smaller --lr"
            )
        return ""

    def _logits(self, L: Tensor, ab: Tensor) -> Tensor:
        """(N, 1, H / 8, W / 8), of the chance that a patch's colours are true."""
        logits: Tensor = self.discriminator(join(_scale(L), ab / AB_SCALE))
        return logits.to(L.dtype)


def _scale(L: Tensor) -> Tensor:
    """[0, 100] -> [-1, 1]."""
    return 2 * L / L_SCALE - 1


def _down(c_in: int, c_out: int, *, stride: int = 2, norm: bool = True) -> nn.Sequential:
    """A 4x4 convolution to 1 / stride of the size, batch norm and leaky ReLU."""
    layers: list[nn.Module] = [nn.ZeroPad2d(_SAME)] if stride == 1 else []
    layers.append(nn.Conv2d(c_in, c_out, 4, stride=stride, padding=0 if stride == 1 else 1))
    if norm:
        layers.append(nn.BatchNorm2d(c_out))
    return nn.Sequential(*layers, nn.LeakyReLU(_SLOPE, inplace=True))


def _up(c_in: int, c_out: int) -> nn.Sequential:
    """A 4x4 transposed convolution of stride 2, batch norm and ReLU."""
    conv = nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1)
    return nn.Sequential(conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True))


def _initialize(module: nn.Module) -> None:
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, std=_INIT_STD)


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
