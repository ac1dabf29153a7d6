"""zhang2016: classification of every pixel's colour into 313 bins, with higher weights for rare ones.

Source: Zhang, Isola and Efros 2016, "Colorful Image Colorization"; equations are numbered as there. Layers
and names of the state dict are those of the authors' PyTorch release, whose files of weights load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.distributed import sum_over_processes
from data.batch import Batch
from models.base import ColorizationModel
from models.bins import NUM_BINS, published_bins, rebalance, small_colors, soft_encode
from models.layers import pad_to_stride
from models.objective import Criterion, Objective
from models.settings import Zhang2016Settings

# The published network's scales.
_L_CENTER, _L_SCALE, _AB_SCALE = 50.0, 100.0, 110.0
_STRIDE = 8


class Zhang2016(ColorizationModel):
    """Eight blocks of convolutions, some dilated, that predict a distribution over colour bins."""

    Settings = Zhang2016Settings
    summary: ClassVar[str] = "Zhang et al. 2016: classification over bins of colour, rare ones weigh more"

    def __init__(self, settings: Zhang2016Settings) -> None:
        super().__init__(settings)
        c = {"paper": 64, "small": 16}[settings.preset]
        self.model1 = _block(1, c, 2, stride=2)
        self.model2 = _block(c, 2 * c, 2, stride=2)
        self.model3 = _block(2 * c, 4 * c, 3, stride=2)
        self.model4 = _block(4 * c, 8 * c, 3)
        self.model5 = _block(8 * c, 8 * c, 3, dilation=2)
        self.model6 = _block(8 * c, 8 * c, 3, dilation=2)
        self.model7 = _block(8 * c, 8 * c, 3)
        self.model8 = nn.Sequential(
            nn.ConvTranspose2d(8 * c, 4 * c, 4, stride=2, padding=1),
            nn.ReLU(inplace=True),
            *_block(4 * c, 4 * c, 2)[:-1],
            nn.Conv2d(4 * c, settings.num_bins, 1),
        )
        self.model_out = nn.Conv2d(settings.num_bins, 2, 1, bias=False).requires_grad_(False)
        if settings.num_bins == NUM_BINS:  # other bins are loaded with the weights
            centers = published_bins() / _AB_SCALE
            self.model_out.weight.data.copy_(centers.T[:, :, None, None])

    @property
    def bin_centers(self) -> Tensor:
        """(Q, 2), CIELAB units."""
        return _AB_SCALE * self.model_out.weight[:, :, 0, 0].T

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> logits (N, Q, H'/4, W'/4); H' and W' are the next multiples of 8."""
        x = (pad_to_stride(L, _STRIDE) - _L_CENTER) / _L_SCALE  # (N, 1, H', W') in [-0.5, 0.5]
        x = self.model3(self.model2(self.model1(x)))  # (N, 4c, H'/8, W'/8)
        x = self.model7(self.model6(self.model5(self.model4(x))))  # (N, 8c, H'/8, W'/8)
        logits: Tensor = self.model8(x)  # (N, Q, H'/4, W'/4)
        return logits.to(L.dtype)

    def colors(self, out: Tensor, L: Tensor) -> Tensor:
        """Compute the annealed mean, eq. 5, and interpolate it by 4 to the photo's size."""
        height, width = L.shape[-2:]
        with torch.autocast(L.device.type, enabled=False):  # bfloat16 would round the bins
            z = (out / self.settings.temperature).softmax(dim=1)
            ab = _AB_SCALE * self.model_out(z)
            ab = F.interpolate(ab, scale_factor=4, mode="bilinear")
        return ab[..., :height, :width]

    @classmethod
    def settings_of(cls, state: Mapping[str, Tensor], **known: Any) -> dict[str, Any] | None:
        """See the base class. The authors' release uses a temperature of 1."""
        bins = state.get("model_out.weight", torch.empty(2, NUM_BINS))
        num_bins = max(1, bins.shape[1:2].numel())
        return super().settings_of(state, **known, num_bins=num_bins, temperature=1.0)


class Zhang2016Objective(Objective):
    """Cross-entropy with the soft-encoded colours, eq. 2, with higher weights for rare bins."""

    class_weights: Tensor

    def __init__(self, model: Zhang2016, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        super().__init__(model, criterion, classes)
        self.register_buffer("class_weights", torch.ones(model.settings.num_bins))

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return False: the loss is the model's own."""
        return False

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the base class."""
        return {"cross_entropy": self._cross_entropy(model, model(batch.L), batch.ab)}

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the same loss, and the colours."""
        logits = model(batch.L)
        losses = {"cross_entropy": self._cross_entropy(model, logits, batch.ab)}
        return losses, model.colors(logits, batch.L)

    def _cross_entropy(self, model: ColorizationModel, logits: Tensor, ab: Tensor) -> Tensor:
        index, share = soft_encode(small_colors(ab, _STRIDE), _centers(model))  # (M, 5) each
        log_z = logits.log_softmax(dim=1).movedim(1, -1).flatten(0, -2)  # (M, Q)
        per_pixel = -(share * log_z.gather(1, index)).sum(dim=1)
        return (self.class_weights[index[:, 0]] * per_pixel).mean()

    @torch.no_grad()
    def fit_statistics(self, model: ColorizationModel, photos: Iterable[Batch]) -> None:
        """Set the class weights by the frequency of the bins in these photos."""
        centers = _centers(model)
        counts = torch.zeros(len(centers), dtype=torch.int64, device=centers.device)
        for batch in photos:
            index, _ = soft_encode(small_colors(batch.ab, _STRIDE), centers)
            counts += index[:, 0].bincount(minlength=len(centers))
        counts = sum_over_processes(counts)
        self.class_weights.copy_(rebalance(counts.cpu(), centers.cpu()))


def _centers(model: ColorizationModel) -> Tensor:
    assert isinstance(model, Zhang2016)
    return model.bin_centers


def _block(c_in: int, c_out: int, num: int, *, stride: int = 1, dilation: int = 1) -> nn.Sequential:
    """`num` 3x3 convolutions with ReLU, the last one with the stride; one batch norm at the end."""
    layers: list[nn.Module] = []
    for i in range(num):
        s = stride if i == num - 1 else 1
        conv = nn.Conv2d(c_in if i == 0 else c_out, c_out, 3, stride=s, padding=dilation, dilation=dilation)
        layers += [conv, nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(c_out))
