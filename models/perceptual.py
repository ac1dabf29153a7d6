"""Perceptual losses: distances between a pretrained classifier's features of two pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from checkpoint.pretrained import download_imagenet, normalize_imagenet
from checkpoint.state_dict import check_state, read_state
from data.batch import Batch
from data.color import join, lab_to_rgb
from models.timm_encoder import TimmEncoder

if TYPE_CHECKING:
    from torchvision.models import VGG

LAYERS = {3: "relu1_2", 8: "relu2_2", 15: "relu3_3"}
"""Where features are taken, by their index in torchvision's `vgg16().features`."""

FEATURE_NETWORK = "tf_efficientnet_lite2"
"""Of the term `features`; another than that of the Fréchet distance (scoring/frechet.py), which judges."""


class PerceptualLoss:
    """Mean squared distance between VGG-16 features of the predicted and the true picture.

    Source: Johnson, Alahi and Fei-Fei 2016, equation 2, summed over relu1_2, relu2_2 and relu3_3.
    Both pictures have the true lightness. The network was trained on ImageNet: a model trained with this term
    has indirectly seen those photos, so its scores on ImageNet are not those of unseen photos.
    """

    def __init__(self, vgg_weights: str) -> None:
        """
        Args:
            vgg_weights: 'imagenet', which torchvision downloads, or the path of a state dict of its vgg16.
        Raises:
            UserError: the weights are not available; there is no fallback to random ones.
        """
        vgg = _vgg16()
        state = _download() if vgg_weights == "imagenet" else read_state(Path(vgg_weights))
        # Files without the classifier, nine tenths of the weights, are accepted: it is not used.
        state = {name: tensor for name, tensor in state.items() if name.startswith("features.")}
        features = {name: tensor for name, tensor in vgg.state_dict().items() if name.startswith("features.")}
        check_state(state, features, f"--vgg_weights={vgg_weights}", "vgg16")
        vgg.load_state_dict(state, strict=False)
        self.features: nn.Sequential = vgg.features[: max(LAYERS) + 1].eval().requires_grad_(False)

    def __call__(self, ab: Tensor, batch: Batch) -> Tensor:
        """Predicted ab (N, 2, H, W) in CIELAB units -> (), a mean over the photos."""
        self.features.to(ab.device)
        pred = self._features(lab_to_rgb(join(batch.L, ab)))
        with torch.no_grad():
            target = self._features(lab_to_rgb(join(batch.L, batch.ab)))
        return torch.stack([F.mse_loss(p, t) for p, t in zip(pred, target, strict=True)]).sum()

    def _features(self, rgb: Tensor) -> list[Tensor]:
        x, found = normalize_imagenet(rgb), []
        for i, layer in enumerate(self.features):
            # Not in place: it would overwrite features that are returned.
            x = F.relu(x) if isinstance(layer, nn.ReLU) else layer(x)
            if i in LAYERS:
                found.append(x.float())
        return found


class FeatureLoss:
    """Mean squared distance between an encoder's unit-normalized features, at four scales.

    Source: Zhang et al. 2018 (LPIPS), equation 1 with all weights 1 and the mean over the layers: the
    features are normalized at every position, so that all layers have equal weight. Both pictures have the
    true lightness. As in `PerceptualLoss`, the network was trained on ImageNet.
    """

    def __init__(self, weights: str = "imagenet") -> None:
        """
        Args:
            weights: see `TimmEncoder.load_imagenet`.
        Raises:
            UserError: the weights are not available; there is no fallback to random ones.
        """
        encoder = TimmEncoder(FEATURE_NETWORK)
        encoder.load_imagenet(weights, remedy="leave the term features out of --loss")
        self.encoder = encoder.eval().requires_grad_(False)

    def __call__(self, ab: Tensor, batch: Batch) -> Tensor:
        """Predicted ab (N, 2, H, W) in CIELAB units -> (), a mean over the photos, in [0, 4]."""
        self.encoder.to(ab.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        pred = self._directions(lab_to_rgb(join(batch.L, ab)))
        with torch.no_grad():
            target = self._directions(lab_to_rgb(join(batch.L, batch.ab)))
        distances = [(p - t).square().sum(dim=1).mean() for p, t in zip(pred, target, strict=True)]
        return torch.stack(distances).mean()

    def _directions(self, rgb: Tensor) -> list[Tensor]:
        return [F.normalize(features.float(), dim=1) for features in self.encoder(rgb)]


def _download() -> dict[str, Tensor]:
    from torchvision.models import VGG16_Weights

    return download_imagenet(
        VGG16_Weights.IMAGENET1K_V1,
        "VGG-16",
        "download {url} elsewhere and give it with --vgg_weights=PATH or put it into {folder}, or leave "
        "the term perceptual out of --loss",
    )


def _vgg16() -> VGG:
    from torchvision.models import vgg16  # here, because its import takes about as long as that of torch

    return vgg16()
