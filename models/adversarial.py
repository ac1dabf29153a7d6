"""A patch discriminator, with the adversarial losses for itself and for the colorizer.

Sources: Isola, Zhu, Zhou and Efros 2017, section 3.2.2 (patches); Salimans et al. 2016, section 3.4 (labels
smoothed on one side); Miyato et al. 2018 (spectral normalization).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from data.color import AB_SCALE, L_SCALE, join
from models.layers import SAME_4X4, down_block, initialize_conv

SMOOTH_LABEL = 0.9
"""Target of the discriminator for true colours; for predicted ones it is 0 (one-sided label smoothing)."""
BETAS = (0.5, 0.999)
"""Adam's decays of the moments, for discriminator and colorizer."""

# Limits of an epoch's mean losses, beyond which training has collapsed: the discriminator rates predicted
# colours as true with a probability below 5 %, or is no better than one with a constant output.
_TOLD_APART = -math.log(1 - 0.05)
_BLIND = -2 * (0.45 * math.log(0.45) + 0.55 * math.log(0.55))


class PatchDiscriminator(nn.Sequential):
    """4x4 convolutions that classify the colours of every patch of a photo as true or predicted."""

    def __init__(self, c: int, *, num_down: int = 3, spectral: bool = False) -> None:
        """
        Args:
            c: channels of the first layer, doubled by each following one.
            num_down: layers of stride 2; the receptive field of a logit is 70 px for 3, 34 px for 2.
            spectral: spectral norm instead of batch norm. A batch holds only true or only predicted photos:
                batch norm would hide from the discriminator that predicted ones lack saturation.
        """
        channels = [c * 2**i for i in range(num_down + 1)]
        norm = not spectral
        super().__init__(
            down_block(3, c, norm=False),
            *(down_block(c_in, 2 * c_in, norm=norm) for c_in in channels[:-2]),
            down_block(channels[-2], channels[-1], stride=1, norm=norm),
            nn.ZeroPad2d(SAME_4X4),
            nn.Conv2d(channels[-1], 1, 4),
        )
        self.apply(initialize_conv)
        if spectral:
            for conv in [module for module in self.modules() if isinstance(module, nn.Conv2d)]:
                spectral_norm(conv)

    def logits(self, L: Tensor, ab: Tensor) -> Tensor:
        """L* (N, 1, H, W), a*, b* (N, 2, H, W) -> (N, 1, H / 2^num_down, W / 2^num_down)."""
        logits: Tensor = self(join(2 * L / L_SCALE - 1, ab / AB_SCALE))
        return logits.to(L.dtype)

    def discriminator_losses(self, L: Tensor, true_ab: Tensor, ab: Tensor) -> dict[str, Tensor]:
        """Compute the discriminator's losses on true and predicted colours; the latter get no gradients."""
        real, fake = self.logits(L, true_ab), self.logits(L, ab.detach())
        return {
            "discriminator_real": _cross_entropy(real, SMOOTH_LABEL),
            "discriminator_fake": _cross_entropy(fake, 0.0),
        }

    def generator_loss(self, L: Tensor, ab: Tensor) -> Tensor:
        """Compute the adversarial loss of predicted colours: cross-entropy with the label of true ones."""
        return _cross_entropy(self.logits(L, ab), 1.0)


def warn_of_collapse(losses: Mapping[str, float]) -> str:
    """Return a warning if one side dominated an epoch, so that the other learns nothing; '' if not.

    Args:
        losses: means of the `discriminator_losses`.
    """
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


def _cross_entropy(logits: Tensor, label: float) -> Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
