"""Networks pretrained on ImageNet: download their weights, and normalize their inputs."""

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
    """Normalize RGB (N, 3, H, W) in [0, 1] by ImageNet's mean and standard deviation."""
    channels = zip(rgb.unbind(1), IMAGENET_MEAN, IMAGENET_STD, strict=True)
    return torch.stack([(channel - mean) / std for channel, mean, std in channels], dim=1)


def download_imagenet(weights: WeightsEnum, network: str, remedy: str) -> dict[str, Tensor]:
    """Load the state dict of a torchvision network from its cache, or download it.

    Args:
        weights: of torchvision.
        network: its name in the error message.
        remedy: advice of the error message, with placeholders `{url}` and `{folder}` (the cache).
    Raises:
        UserError: neither cached nor downloadable; there is no fallback.
    """
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True, weights_only=True))
    except (OSError, *UNREADABLE) as error:  # URLError is an OSError
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        reason = " ".join(str(error).split())[:200]
        advice = remedy.format(url=weights.url, folder=folder)
        raise UserError(f"cannot get the ImageNet weights of {network} ({reason}): {advice}") from error
