"""unet: a pretrained encoder, and a decoder that predicts the colours.

The decoder is that of a U-Net (Ronneberger, Fischer and Brox 2015) up to a fourth of the photo's size, at
which true colours lose almost no detail. Two heads use its last features: one predicts the mean colours, one
a distribution over colour bins as in zhang2016.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.errors import UserError
from data.color import AB_SCALE, gray_to_rgb
from models.base import ColorizationModel
from models.bins import NUM_BINS, NUM_NEIGHBORS, UNIFORM_SHARE, published_bins
from models.inputs import Inputs
from models.layers import STRIDE, pad_to_stride
from models.settings import UNetSettings
from models.timm_encoder import TimmEncoder


class Output(NamedTuple):
    """At a fourth of the photo's size: `ab` (N, 2, h, w), CIELAB units, and `logits` (N, Q, h, w).

    None if the model has no such head.
    """

    ab: Tensor | None
    logits: Tensor | None


class UNet(ColorizationModel):
    """A timm encoder, frozen or trained at a lower rate, and a U-Net decoder with two heads."""

    Settings = UNetSettings
    summary: ClassVar[str] = "U-Net on a pretrained encoder; the best guess, or livelier colours"
    encoder: TimmEncoder
    bin_centers: Tensor
    bin_frequencies: Tensor

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__(settings)
        self.encoder = TimmEncoder(settings.encoder)
        c4, c8, c16, c32 = self.encoder.channels
        wide, middle, narrow = {"paper": (192, 128, 64), "small": (96, 64, 32)}[settings.preset]
        self.bottom = _conv(c32, wide, 1)
        self.whole = nn.Sequential(
            _conv(c32, 2 * wide, 1), nn.AdaptiveAvgPool2d(1), nn.Conv2d(2 * wide, wide, 1)
        )
        self.decoder = nn.ModuleList((_Up(wide, c16, wide), _Up(wide, c8, middle), _Up(middle, c4, narrow)))
        self.mean_head = nn.Conv2d(narrow, 2, 1) if settings.heads != "bins" else None
        self.bins_head = nn.Conv2d(narrow, NUM_BINS, 1) if settings.heads != "mean" else None
        if self.bins_head is not None:
            self.register_buffer("bin_centers", published_bins(), persistent=False)
            self.register_buffer("bin_frequencies", torch.full((NUM_BINS,), 1 / NUM_BINS))
        for parameter in self.encoder.stage_parameters(settings.frozen_stages):
            parameter.requires_grad_(False)

    def forward(self, L: Tensor, *, with_logits: bool = True) -> Output:
        """L* (N, 1, H, W), any height and width -> output of both heads, or of the mean head only."""
        return self.decode(self.encoder(self.enlarge(gray_to_rgb(L))), L, with_logits=with_logits)

    def enlarge(self, x: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, H', W'): multiples of the stride, about `encoder_scale` times as large."""
        if self.settings.encoder_scale == 1:
            return x
        x = pad_to_stride(x)
        percent = round(100 * self.settings.encoder_scale)  # integers: a size that is exported stays exact
        height, width = (STRIDE * ((side // STRIDE * percent + 50) // 100) for side in x.shape[-2:])
        return F.interpolate(x, size=(height, width), mode="bilinear")

    def decode(self, maps: list[Tensor], L: Tensor, *, with_logits: bool) -> Output:
        """Decode the encoder's four feature maps for L*; returns the output of `forward`."""
        x4, x8, x16, x32 = maps
        x = self.bottom(x32) + self.whole(x32)  # (N, wide, H'/32, W'/32)
        for up, skip in zip(self.decoder, (x16, x8, x4), strict=True):
            x = up(x, skip)  # (N, wide, H'/16, W'/16), (N, middle, H'/8, W'/8), (N, narrow, H'/4, W'/4)
        if self.settings.encoder_scale != 1:
            # Before the heads: fewer logits to compute, and at the size that the objective has its bins at.
            # No -(-side // STRIDE): ONNX rounds the quotient of a negative number up.
            height, width = ((side + STRIDE - 1) // STRIDE * (STRIDE // 4) for side in L.shape[-2:])
            x = F.interpolate(x, size=(height, width), mode="bilinear")
        ab = AB_SCALE * self.mean_head(x).to(L.dtype) if self.mean_head is not None else None
        logits = self.bins_head(x).to(L.dtype) if self.bins_head is not None and with_logits else None
        return Output(ab, logits)

    def predict(self, inputs: Inputs) -> Tensor:
        """See the base class. The slower bins head runs only if the colours depend on it."""
        with_logits = self.mean_head is None or self.settings.vividness > 0
        return self.colors(self.outputs(inputs, with_logits=with_logits), inputs.L)

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """Return the mean head's colours; with `vividness`, or without a mean head, those of the bins."""
        is_vivid = self.settings.vividness > 0 and out.logits is not None
        with torch.autocast(L.device.type, enabled=False):
            ab = self.expected_colors(out.logits) if is_vivid or out.ab is None else out.ab
            return stretch(ab, L)

    def confidence(self, out: Output, L: Tensor) -> Tensor | None:
        """Compute it from the entropy of the distribution over bins; None without one. See the base class.

        It is 1 at or below the entropy of a uniform distribution over the neighbours of soft encoding, and 0
        for a uniform distribution over all bins.
        """
        if out.logits is None:
            return None
        log_p = out.logits.log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
        lowest, highest = math.log(NUM_NEIGHBORS), math.log(NUM_BINS)
        return stretch(((highest - entropy) / (highest - lowest)).clamp(0, 1), L)

    def expected_colors(self, logits: Tensor | None) -> Tensor:
        """Compute the mean colour of the distribution, after weighting rare colours up by `vividness`.

        Training with class weights w learns the distribution p w / sum(p w) instead of p. So the weights of
        eq. 4 are not needed in training: they are applied here, raised to the power `vividness`.
        """
        assert logits is not None
        uniform = UNIFORM_SHARE / NUM_BINS
        rarity = -((1 - UNIFORM_SHARE) * self.bin_frequencies.to(logits) + uniform).log()
        z = logits + self.settings.vividness * rarity[:, None, None]
        p = (z / self.settings.temperature).softmax(dim=1)
        return torch.einsum("nqhw,qc->nchw", p, self.bin_centers.to(p))

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, except for the encoder: few photos would spoil its batch-norm statistics."""
        super().train(mode)
        self.encoder.eval()
        return self

    @classmethod
    def settings_of(cls, state: Mapping[str, Tensor], **known: Any) -> dict[str, Any] | None:
        """See the base class. The keys show which heads there are."""
        heads = "both" if "bins_head.weight" in state else "mean"
        heads = heads if "mean_head.weight" in state else "bins"
        return super().settings_of(state, **known, heads=heads)

    def load_pretrained(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it is not available, and there is no fallback to a random one; or it is to be random
                and parts of it frozen.
        """
        is_trained = all(parameter.requires_grad for parameter in self.encoder.parameters())
        if self.settings.encoder_weights == "random" and not is_trained:
            raise UserError(
                "--encoder_weights=random: an encoder that knows nothing is to be trained as a whole: add "
                "--frozen_stages=0, without --freeze_encoder"
            )
        self.encoder.load_imagenet(self.settings.encoder_weights)


class _Up(nn.Module):
    """Upsample decoder features by 2, and fuse them with the encoder's features of that size."""

    def __init__(self, c_below: int, c_skip: int, c_out: int) -> None:
        super().__init__()
        # Before upsampling, where a convolution costs a fourth.
        self.reduce = _conv(c_below, c_out, 1)
        self.fuse = nn.Sequential(_conv(c_out + c_skip, c_out, 3), _conv(c_out, c_out, 3))

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(below), scale_factor=2, mode="bilinear")
        fused: Tensor = self.fuse(torch.cat((x, skip), dim=1))
        return fused


def stretch(x: Tensor, L: Tensor) -> Tensor:
    """Interpolate (N, C, h, w), a fourth of the size of L* (N, 1, H, W), to (N, C, H, W)."""
    height, width = L.shape[-2:]
    return F.interpolate(x, scale_factor=4, mode="bilinear")[..., :height, :width]


def _conv(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )
