"""Networks trained on ImageNet: how they are downloaded, and the inputs that they expect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from checkpoint.state_dict import UNREADABLE
from core.errors import UserError

if TYPE_CHECKING:
    from torchvision.models import WeightsEnum

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def normalize_imagenet(rgb: Tensor) -> Tensor:
    """(N, 3, H, W) in [0, 1] -> the same with ImageNet's mean and standard deviation taken out."""
    channels = zip(rgb.unbind(1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.stack([(channel - mean) / std for channel, mean, std in channels], dim=1)


def download_imagenet(weights: WeightsEnum, network: str, remedy: str) -> dict[str, Tensor]:
    """The state dict of a network of torchvision, from its cache or from the net.

    Args:
        weights: of torchvision.
        network: its name in the message.
        remedy: what the message advises, with `{url}` and `{folder}` of the cache in it.
    Raises:
        UserError: it cannot be had; there is no fallback.
    """
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True, weights_only=True))
    except (OSError, *UNREADABLE) as error:  # URLError is an OSError
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        reason = " ".join(str(error).split())[:200]
        advice = remedy.format(url=weights.url, folder=folder)
        raise UserError(f"cannot get the ImageNet weights of {network} ({reason}): {advice}") from error
