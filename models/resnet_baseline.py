"""model2: a frozen ResNet-18 encoder with the GAE's decoder, and no gamma."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from torch import Tensor, nn

from checkpoint.pretrained import download_imagenet, normalize_imagenet
from checkpoint.state_dict import check_state, read_state
from data.color import AB_SCALE, L_SCALE
from models.base import ColorizationModel
from models.layers import ab_decoder, pad_to_stride
from models.settings import ResNetBaselineSettings


class ResNetBaseline(ColorizationModel):
    """ResNet-18 without pooling and classifier, frozen, and a five-layer decoder."""

    Settings = ResNetBaselineSettings
    summary: ClassVar[str] = "baseline: frozen ResNet-18 encoder, five-layer decoder"

    def __init__(self, settings: ResNetBaselineSettings) -> None:
        super().__init__(settings)
        self.encoder = nn.Sequential(*list(_resnet18().children())[:-2])
        self.decoder = ab_decoder(512, {"paper": 32, "small": 16}[settings.preset])
        self.freeze_encoder()

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        height, width = L.shape[-2:]
        x = pad_to_stride(L / L_SCALE).expand(-1, 3, -1, -1)  # (N, 3, H', W') in [0, 1]
        if self.settings.normalize_input:
            x = normalize_imagenet(x)
        x = self.decoder(self.encoder(x))  # (N, 2, H', W') in [-1, 1]
        return AB_SCALE * x[..., :height, :width].to(L.dtype)

    def load_pretrained(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it is not available; there is no fallback to a random one.
        """
        source = self.settings.encoder_weights
        if source == "random":
            return
        state = _download() if source == "imagenet" else read_state(Path(source))
        resnet = _resnet18()
        check_state(state, resnet.state_dict(), f"--encoder_weights={source}", "resnet18")
        resnet.load_state_dict(state)
        trained = nn.Sequential(*list(resnet.children())[:-2])
        self.encoder.load_state_dict(trained.state_dict())


def _resnet18() -> nn.Module:
    from torchvision.models import resnet18  # here, because its import takes about as long as that of torch

    return resnet18()


def _download() -> dict[str, Tensor]:
    from torchvision.models import ResNet18_Weights

    return download_imagenet(
        ResNet18_Weights.IMAGENET1K_V1,
        "ResNet-18",
        "download {url} elsewhere and give it with --encoder_weights=PATH or put it into {folder}, or "
        "train on --encoder_weights=random",
    )
