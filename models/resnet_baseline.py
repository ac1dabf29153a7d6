"""model2: a frozen ResNet-18 encoder with the GAE's decoder, and no gamma."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.error import URLError

import torch
from torch import Tensor, nn

from config import setting
from data.color import AB_SCALE, L_SCALE
from errors import UserError
from models.base import ColorizationModel, ModelSettings
from models.layers import ab_decoder, pad_to_stride
from models.state import UNREADABLE, check_state, read_state

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True)
class ResNetBaselineSettings(ModelSettings):
    """Settings of model2."""

    encoder_weights: str = setting(
        "imagenet",
        "where a new training takes its frozen encoder from: imagenet (downloaded by torchvision), "
        "random, or the path of a resnet18 state dict",
    )
    normalize_input: bool = setting(
        True,
        "give the encoder inputs with ImageNet's mean and deviation; false for reference weights "
        "that were trained without",
    )


class ResNetBaseline(ColorizationModel):
    """ResNet-18 without pooling and classifier, frozen, and a five-layer decoder."""

    Settings = ResNetBaselineSettings
    mean: Tensor
    std: Tensor
    summary: ClassVar[str] = "baseline: frozen ResNet-18 encoder, five-layer decoder"

    def __init__(self, settings: ResNetBaselineSettings) -> None:
        super().__init__(settings)
        self.encoder = nn.Sequential(*list(_resnet18().children())[:-2]).requires_grad_(False)
        self.decoder = ab_decoder()
        # Not in the state dict: reference weights do not have them.
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1), persistent=False)
        self.train(self.training)

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        height, width = L.shape[-2:]
        x = pad_to_stride(L / L_SCALE).expand(-1, 3, -1, -1)  # (N, 3, H', W') in [0, 1]
        if self.settings.normalize_input:
            x = (x - self.mean) / self.std
        x = self.decoder(self.encoder(x))  # (N, 2, H', W') in [-1, 1]
        return AB_SCALE * x[..., :height, :width].to(L.dtype)

    def train(self, mode: bool = True) -> ResNetBaseline:
        """Set the training mode of the decoder alone: a frozen encoder keeps its statistics too."""
        super().train(mode)
        self.encoder.eval()
        return self

    def initialize(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it cannot be had; there is no fallback to a random one.
        """
        source = self.settings.encoder_weights
        if source == "random":
            return
        state = _download_imagenet() if source == "imagenet" else read_state(Path(source))
        resnet = _resnet18()
        check_state(state, resnet.state_dict(), f"--encoder_weights={source}", "resnet18")
        resnet.load_state_dict(state)
        trained = nn.Sequential(*list(resnet.children())[:-2])
        self.encoder.load_state_dict(trained.state_dict())


def _resnet18() -> nn.Module:
    from torchvision.models import resnet18  # here, because its import takes about as long as that of torch

    return resnet18()


def _download_imagenet() -> dict[str, Tensor]:
    from torchvision.models import ResNet18_Weights

    weights = ResNet18_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True, weights_only=True))
    except (URLError, OSError, *UNREADABLE) as error:
        folder = Path(torch.hub.get_dir()) / "checkpoints"
        raise UserError(
            f"cannot get the ImageNet weights of ResNet-18 ({' '.join(str(error).split())[:200]}): "
            f"download {weights.url} elsewhere and give it with --encoder_weights=PATH or put it "
            f"into {folder}, or train on --encoder_weights=random"
        ) from error
