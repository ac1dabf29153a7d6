"""The standard features for the FID: those of its Inception network, through torchmetrics."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checkpoint.state_dict import UNREADABLE
from core.errors import UserError
from core.extras import installing
from core.files import sha256
from scoring.frechet import distance_of

URL = "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth"
"""Of the weights that torchmetrics uses: TensorFlow's of 2015-12-05, converted to PyTorch."""
_FLAG = "--set_scores=inception"

log = logging.getLogger(__name__)


class InceptionFeatures(nn.Module):
    """Features of a picture by Inception-v3, in evaluation mode and without gradients.

    Attributes:
        name: of the network.
        definition: text that defines the distance over its features.
        sha256: of the file of its weights, the first 16 hexadecimal digits.
    """

    name = "Inception-v3 of the FID"
    definition = distance_of("the last pooled layer of Inception-v3, with the weights of the FID")

    def __init__(self) -> None:
        """
        Raises:
            UserError: torchmetrics or torch-fidelity is not installed, or the weights are not available.
        """
        super().__init__()
        build = _network()
        path = _weights()
        self.sha256 = sha256(path)[:16]
        # The FID is defined with the resizing of TensorFlow 1, without antialiasing.
        self.net = build("inception-v3-compat", ["2048"], str(path), antialias=False)
        self.requires_grad_(False).eval()

    def forward(self, rgb: Tensor) -> Tensor:
        """sRGB (N, 3, H, W) in [0, 1] -> (N, 2048); the input is rounded to 8 bits."""
        with torch.autocast(rgb.device.type, enabled=False):
            features: Tensor = self.net((rgb * 255).round().byte())
        return features.flatten(1)


def _network() -> Any:
    """Import the network class of torchmetrics.

    Raises:
        UserError: a package is missing.
    """
    try:
        import torch_fidelity  # noqa: F401  # torchmetrics imports without it, and fails later
        from torchmetrics.image.fid import NoTrainInceptionV3
    except ImportError as error:
        raise UserError(
            f"{_FLAG} needs torchmetrics and torch-fidelity ({error}): {installing('fid')}; or take "
            "--set_scores, whose features are others"
        ) from error
    return NoTrainInceptionV3


def _weights() -> Path:
    """Return the path of the weights, downloaded if missing, and checked to hold plain tensors only.

    Raises:
        UserError: the download failed, or the file is damaged.
    """
    path = Path(torch.hub.get_dir()) / "checkpoints" / URL.rpartition("/")[2]
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            log.warning("downloading %s", URL)
            torch.hub.download_url_to_file(URL, str(path), progress=False)
    except OSError as error:  # URLError is a subclass
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"{_FLAG}: cannot get the weights from {URL} ({reason}): put that file into {path.parent}, or "
            "take --set_scores, whose features are others"
        ) from error
    try:
        torch.load(path, weights_only=True, mmap=True)  # torch-fidelity's own loading would run pickled code
    except (OSError, *UNREADABLE) as error:
        raise UserError(f"{_FLAG}: {path} is damaged: delete it, and it is downloaded again") from error
    return path
