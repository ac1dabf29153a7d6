"""zhang2017: a network that takes user hints with the photo, trained with simulated hints.

Source: Zhang et al. 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors". Layers and
names of the state dict are those of the authors' PyTorch release, whose files of weights load.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.batch import Batch
from data.color import join
from models.base import ColorizationModel
from models.global_hints import GlobalHints, draw_known
from models.layers import pad_to_stride
from models.objective import HintedObjective
from models.settings import Zhang2017Settings

BINS_WEIGHT = 0.01
"""Of the cross-entropy beside the other terms. It trains its own layer alone: how much hardly matters."""
# The published network's scales, and its grid of colours: a* and b* from -110 to 110 in steps of 10.
_L_CENTER, _L_SCALE, _AB_SCALE = 50.0, 100.0, 110.0
_STEP, _ACROSS = 10.0, 23
_STRIDE = 8


class Output(NamedTuple):
    """`ab` (N, 2, H, W), CIELAB units, and `logits` (N, 529, H'/4, W'/4) over the colours of a grid."""

    ab: Tensor
    logits: Tensor


class Zhang2017(ColorizationModel):
    """A U-Net of ten blocks on L*, the hints' a* and b*, and their mask."""

    summary: ClassVar[str] = "Zhang et al. 2017: a network that sees a person's hints too"
    Settings = Zhang2017Settings
    accepts = frozenset({"hints"})

    def __init__(self, settings: Zhang2017Settings) -> None:
        super().__init__(settings)
        c = {"paper": 64, "small": 16}[settings.preset]
        self.model1 = _block(4, c, 2)
        self.model2 = _block(c, 2 * c, 2)
        self.model3 = _block(2 * c, 4 * c, 3)
        self.model4 = _block(4 * c, 8 * c, 3)
        self.model5 = _block(8 * c, 8 * c, 3, dilation=2)
        self.model6 = _block(8 * c, 8 * c, 3, dilation=2)
        self.model7 = _block(8 * c, 8 * c, 3)
        self.model8up, self.model3short8 = _up(8 * c, 4 * c), _conv(4 * c, 4 * c)
        self.model8 = nn.Sequential(nn.ReLU(), *_block(4 * c, 4 * c, 2))
        self.model9up, self.model2short9 = _up(4 * c, 2 * c), _conv(2 * c, 2 * c)
        self.model9 = nn.Sequential(nn.ReLU(), *_block(2 * c, 2 * c, 1))
        self.model10up, self.model1short10 = _up(2 * c, 2 * c), _conv(c, 2 * c)
        self.model10 = nn.Sequential(nn.ReLU(), *_conv(2 * c, 2 * c), nn.LeakyReLU(0.2))
        self.model_class = nn.Sequential(nn.Conv2d(4 * c, _ACROSS**2, 1))
        self.model_out = nn.Sequential(nn.Conv2d(2 * c, 2, 1), nn.Tanh())
        self.global_hints = GlobalHints(8 * c) if settings.global_hints else None
        if settings.global_hints:
            self.accepts |= {"reference"}

    def forward(
        self,
        L: Tensor,
        hints: Tensor | None = None,
        reference: Tensor | None = None,
        *,
        is_known: Tensor | None = None,
    ) -> Output:
        """Predict colours, with or without hints.

        Args:
            L, hints, reference: (N, 1, H, W), (N, 3, H, W) and (N or 1, 3, h, w) as in `Inputs`, of any size.
            is_known: (N,) bool, for which photos to use the reference; None: for all.
        """
        height, width = L.shape[-2:]
        given = torch.zeros_like(L).expand(-1, 3, -1, -1) if hints is None else hints
        scaled = ((L - _L_CENTER) / _L_SCALE, given[:, :2] / _AB_SCALE, given[:, 2:])
        x1 = self.model1(pad_to_stride(torch.cat(scaled, dim=1), _STRIDE))  # (N, c, H', W')
        x2 = self.model2(x1[..., ::2, ::2])  # (N, 2c, H'/2, W'/2)
        x3 = self.model3(x2[..., ::2, ::2])  # (N, 4c, H'/4, W'/4)
        x = self.model4(x3[..., ::2, ::2])  # (N, 8c, H'/8, W'/8)
        if self.global_hints is not None:
            x = x + self.global_hints(reference, is_known, len(L))
        x = self.model7(self.model6(self.model5(x)))
        x8 = self.model8(self.model8up(x) + self.model3short8(x3))  # (N, 4c, H'/4, W'/4)
        x = self.model9(self.model9up(x8) + self.model2short9(x2))  # (N, 2c, H'/2, W'/2)
        x = self.model10(self.model10up(x) + self.model1short10(x1))  # (N, 2c, H', W')
        ab = _AB_SCALE * self.model_out(x)[..., :height, :width].to(L.dtype)
        # Detached as in the paper's eq. 6: the distribution's loss does not train the features.
        return Output(ab, self.model_class(x8.detach()).to(L.dtype))

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """See the base class."""
        return out.ab

    @classmethod
    def settings_of(cls, state: Mapping[str, Tensor], **known: Any) -> dict[str, Any] | None:
        """See the base class. The keys show whether there are global hints."""
        has_global = any(key.startswith("global_hints.") for key in state)
        return super().settings_of(state, **known, global_hints=has_global)


class Zhang2017Objective(HintedObjective):
    """The terms of `--loss` with simulated hints, and the cross-entropy of the grid's colours.

    With global hints, about half of the photos are their own reference; in validation, none.
    """

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the class."""
        inputs = self.inputs(model, batch)
        if "reference" not in model.accepts:
            return self._losses(model.outputs(inputs), batch)
        assert batch.seeds is not None
        inputs = replace(inputs, reference=join(batch.L, batch.ab))
        return self._losses(model.outputs(inputs, is_known=draw_known(batch.seeds)), batch)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the same losses, and the colours."""
        out = model.outputs(self.inputs(model, batch))
        return self._losses(out, batch), model.colors(out, batch.L)

    def _losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        small = F.avg_pool2d(pad_to_stride(batch.ab, _STRIDE), 4)
        return self.criterion(out.ab, batch) | {
            "bins": BINS_WEIGHT * F.cross_entropy(out.logits, bin_of(small))
        }


def bin_of(ab: Tensor) -> Tensor:
    """Index of the nearest colour of the published grid: (N, 2, h, w) CIELAB units -> (N, h, w) int64."""
    a, b = ((ab / _STEP).round().long() + _ACROSS // 2).clamp(0, _ACROSS - 1).unbind(1)
    return a * _ACROSS + b


def _conv(c_in: int, c_out: int, dilation: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(c_in, c_out, 3, padding=dilation, dilation=dilation))


def _up(c_in: int, c_out: int) -> nn.Sequential:
    return nn.Sequential(nn.ConvTranspose2d(c_in, c_out, 4, stride=2, padding=1))


def _block(c_in: int, c_out: int, num: int, *, dilation: int = 1) -> nn.Sequential:
    """`num` 3x3 convolutions with ReLU, and one batch norm at the end."""
    layers: list[nn.Module] = []
    for i in range(num):
        layers += [*_conv(c_in if i == 0 else c_out, c_out, dilation), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.BatchNorm2d(c_out))
