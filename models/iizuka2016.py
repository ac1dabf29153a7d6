"""iizuka2016: local features fused with global ones, trained for scene classification, too.

Source: Iizuka, Simo-Serra and Ishikawa 2016, "Let there be Color!"; layers as in its table 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.batch import Batch
from data.color import AB_SCALE, L_SCALE
from models.base import ColorizationModel
from models.layers import pad_to_stride
from models.objective import Criterion, Objective
from models.settings import ModelSettings

SCENE_WEIGHT = 1 / 300
"""alpha of the paper: weight of the classification loss."""
_STRIDE = 8


class Output(NamedTuple):
    """Colours `ab` (N, 2, H, W), CIELAB units, and global features `known` (N, num_known)."""

    ab: Tensor
    known: Tensor


class Iizuka2016(ColorizationModel):
    """Low-level features; from them mid-level and global ones; both fused, and colours from those.

    Global features come from the photo at a fixed size, or from a reference photo for style transfer. Batch
    norm follows every 3x3 convolution except the last, as in the paper's training.
    """

    Settings = ModelSettings
    summary: ClassVar[str] = "Iizuka et al. 2016: local and global features fused, scenes told apart as well"
    accepts = frozenset({"reference"})

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        c, self.side = {"paper": (64, 224), "small": (16, 128)}[settings.preset]
        self.low = _convolutions((1, c, 2 * c, 2 * c, 4 * c, 4 * c, 8 * c), (2, 1, 2, 1, 2, 1))
        self.mid = _convolutions((8 * c, 8 * c, 4 * c), (1, 1))
        num_features = 8 * c * (self.side // 32) ** 2
        self.whole = nn.Sequential(
            *_convolutions((8 * c,) * 5, (2, 1, 2, 1)),
            nn.Flatten(),
            nn.Linear(num_features, 16 * c),
            nn.ReLU(inplace=True),
            nn.Linear(16 * c, 8 * c),
            nn.ReLU(inplace=True),
        )
        self.whole_to_fusion = nn.Sequential(nn.Linear(8 * c, 4 * c), nn.ReLU(inplace=True))
        self.fusion = nn.Sequential(nn.Conv2d(8 * c, 4 * c, 1), nn.ReLU(inplace=True))
        self.color = nn.Sequential(
            *_convolutions((4 * c, 2 * c), (1,)),
            nn.Upsample(scale_factor=2),
            *_convolutions((2 * c, c, c), (1, 1)),
            nn.Upsample(scale_factor=2),
            *_convolutions((c, c // 2), (1,)),
            nn.Conv2d(c // 2, 2, 3, padding=1),
            nn.Sigmoid(),
        )
        self.num_known = 8 * c

    def forward(self, L: Tensor, reference: Tensor | None = None) -> Output:
        """Predict colours.

        Args:
            L: (N, 1, H, W) in [0, 100]; see the base class.
            reference: (1 or N, 3, h, w), CIELAB of photos in whose style to color; only their lightness is
                used. None: the photos' own style.
        """
        height, width = L.shape[-2:]
        low = self.low(pad_to_stride(L, _STRIDE) / L_SCALE)  # (N, 8c, H'/8, W'/8)
        seen = self._low_of_whole(L, low) if reference is None else self._low_of_whole(reference[:, :1])
        known = self.whole(seen)
        mid = self.mid(low)  # (N, 4c, H'/8, W'/8)
        # Not len(mid): the exporter would fix the batch size.
        features = self.whole_to_fusion(known)[:, :, None, None].expand(mid.shape[0], -1, *mid.shape[-2:])
        x = self.fusion(torch.cat((features, mid), dim=1))  # (N, 4c, H'/8, W'/8)
        x = self.color(x).to(L.dtype)  # (N, 2, H'/2, W'/2) in [0, 1]
        ab = AB_SCALE * (2 * F.interpolate(x, scale_factor=2, mode="bilinear") - 1)
        return Output(ab[..., :height, :width], known)

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """See the base class."""
        return out.ab

    def _low_of_whole(self, L: Tensor, low: Tensor | None = None) -> Tensor:
        """Compute low-level features at the fixed size; `low` is reused if the photo has that size."""
        side = (self.side, self.side)
        if low is not None and L.shape[-2:] == side:
            return low
        features: Tensor = self.low(F.interpolate(L, side, mode="bilinear", antialias=True) / L_SCALE)
        return features


class Iizuka2016Objective(Objective):
    """The colour loss and, if the photos have classes, a classification loss."""

    def __init__(self, model: Iizuka2016, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        super().__init__(model, criterion, classes)
        self.scenes = _classifier(model.num_known, len(classes)) if classes else None

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the base class."""
        out = model(batch.L)
        losses = self.criterion(out.ab, batch)
        if self.scenes is None or batch.labels is None:
            return losses
        # A photo without a class has loss 0, but counts in the mean, so that parts of a batch add up.
        error = F.cross_entropy(self.scenes(out.known), batch.labels, ignore_index=-1, reduction="sum")
        return losses | {"scene": SCENE_WEIGHT * error / len(batch)}


def _classifier(num_known: int, num_classes: int) -> nn.Sequential:
    hidden = num_known // 2
    return nn.Sequential(nn.Linear(num_known, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, num_classes))


def _convolutions(channels: Sequence[int], strides: Sequence[int]) -> nn.Sequential:
    """3x3 convolutions, each with batch norm and ReLU."""
    layers: list[nn.Module] = []
    for (c_in, c_out), stride in zip(pairwise(channels), strides, strict=True):
        conv = nn.Conv2d(c_in, c_out, 3, stride=stride, padding=1)
        layers += [conv, nn.BatchNorm2d(c_out), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers)
