"""unet: a pretrained encoder that knows what a photo shows, and a decoder that colors it.

The decoder is that of a U-Net (Ronneberger, Fischer and Brox 2015) down to a fourth of the photo's size, at
which true colours lose next to nothing. Two heads look at its last features: one for the colours themselves,
one for a distribution over bins of colour as in zhang2016.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from core.distributed import sum_over_processes
from data.batch import Batch
from data.color import AB_SCALE, gray_to_rgb
from models.adversarial import BETAS, PatchDiscriminator, warn_of_collapse
from models.base import ColorizationModel, Criterion, Group, Update
from models.bins import (
    NUM_BINS,
    NUM_NEIGHBORS,
    UNIFORM_SHARE,
    SoftEncoder,
    published_bins,
    small_colors,
    smooth_frequencies,
)
from models.layers import pad_to_stride
from models.settings import UNetSettings
from models.timm_encoder import TimmEncoder

BINS_WEIGHT = 0.05
"""Of the cross-entropy, some 3 nats, beside the other terms of the loss, some tenths."""


class Output(NamedTuple):
    """At a fourth of the photo's size: `ab` (N, 2, h, w), CIELAB units, and `logits` (N, Q, h, w).

    None where the model has no such head.
    """

    ab: Tensor | None
    logits: Tensor | None


class UNet(ColorizationModel):
    """An encoder of timm, frozen or learning slowly, and a U-Net's decoder with two heads."""

    Settings = UNetSettings
    summary: ClassVar[str] = "U-Net on a pretrained encoder; the best guess, or livelier colours"
    training_only = ("discriminator", "num_judged")
    encoder: TimmEncoder
    bin_centers: Tensor
    bin_frequencies: Tensor
    discriminator: PatchDiscriminator
    num_judged: Tensor

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__(settings)
        # As a discriminator has its way, likelier colours come further from the true ones.
        self.judged_by_loss = settings.adversarial == 0
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
            self.soft_encode = SoftEncoder()
        for parameter in self.encoder.stage_parameters(settings.frozen_stages):
            parameter.requires_grad_(False)

    def network(self, L: Tensor) -> Output:
        """L* (N, 1, H, W), any height and width -> what both heads say."""
        x4, x8, x16, x32 = self.encoder(gray_to_rgb(L))
        x = self.bottom(x32) + self.whole(x32)  # (N, wide, H'/32, W'/32)
        for up, skip in zip(self.decoder, (x16, x8, x4), strict=True):
            x = up(x, skip)  # (N, wide, H'/16, W'/16), (N, middle, H'/8, W'/8), (N, narrow, H'/4, W'/4)
        ab = AB_SCALE * self.mean_head(x).to(L.dtype) if self.mean_head is not None else None
        return Output(ab, self.bins_head(x).to(L.dtype) if self.bins_head is not None else None)

    def forward(self, L: Tensor) -> Tensor:
        """L* (N, 1, H, W) in [0, 100] -> a*, b* (N, 2, H, W); see the base class."""
        return self._colors(self.network(L), L)

    def certainty(self, L: Tensor) -> Tensor | None:
        """By the entropy of the distribution over bins; None without one. See the base class.

        1 where it is that of the bins over which a single colour is spread in training, or less; 0 where
        all bins are as likely.
        """
        if self.bins_head is None:
            return None
        logits = self.network(L).logits
        assert logits is not None
        log_p = logits.log_softmax(dim=1)
        entropy = -(log_p.exp() * log_p).sum(dim=1, keepdim=True)
        lowest, highest = math.log(NUM_NEIGHBORS), math.log(NUM_BINS)
        sure = ((highest - entropy) / (highest - lowest)).clamp(0, 1)
        height, width = L.shape[-2:]
        return F.interpolate(sure, scale_factor=4, mode="bilinear")[..., :height, :width]

    def _colors(self, out: Output, L: Tensor) -> Tensor:
        height, width = L.shape[-2:]
        with torch.autocast(L.device.type, enabled=False):
            is_vivid = self.settings.vividness > 0 and out.logits is not None
            ab = self._expected_colors(out.logits) if is_vivid or out.ab is None else out.ab
            return F.interpolate(ab, scale_factor=4, mode="bilinear")[..., :height, :width]

    def _expected_colors(self, logits: Tensor | None) -> Tensor:
        """The mean colour where rare ones count for more.

        A cross-entropy whose classes weigh w learns the distribution p w / sum(p w) instead of p. So the
        weights of eq. 4 need not be chosen before the training: they are put in here, to any power.
        """
        assert logits is not None
        uniform = UNIFORM_SHARE / NUM_BINS
        rarity = -((1 - UNIFORM_SHARE) * self.bin_frequencies.to(logits) + uniform).log()
        z = logits + self.settings.vividness * rarity[:, None, None]
        p = (z / self.settings.temperature).softmax(dim=1)
        return torch.einsum("nqhw,qc->nchw", p, self.bin_centers.to(p))

    def step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """The terms of the colours' loss, and the cross-entropy with the soft-encoded colours, eq. 2.

        With a discriminator, which sees colours at the size at which they are made, its term too.
        """
        out = self.network(batch.L)
        losses = self._losses(out, batch, criterion)
        if self.settings.adversarial:
            counts = self.settings.adversarial * (self.num_judged >= self.settings.head_start)
            with torch.autocast(batch.L.device.type, enabled=False):
                loss = self.discriminator.generator_loss(_small(batch.L), self._judged_colors(out))
            losses["adversarial"] = counts * loss
        return losses

    def _discriminator_step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """How far the discriminator is from telling true colours and predicted ones."""
        with torch.no_grad():
            out = self.network(batch.L)
        self.num_judged += 1  # the same in every process, which photos are not
        with torch.autocast(batch.L.device.type, enabled=False):
            ab = self._judged_colors(out)
            return self.discriminator.discriminator_losses(_small(batch.L), _small(batch.ab), ab)

    def _judged_colors(self, out: Output) -> Tensor:
        return self._expected_colors(out.logits) if out.ab is None else out.ab

    def validation_step(self, batch: Batch, criterion: Criterion) -> tuple[dict[str, Tensor], Tensor]:
        """The same, and the colours."""
        out = self.network(batch.L)
        return self._losses(out, batch, criterion), self._colors(out, batch.L)

    def _losses(self, out: Output, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        if out.ab is not None:
            losses |= criterion(self._colors(out._replace(logits=None), batch.L), batch)
        if out.logits is not None:
            index, share = self.soft_encode(small_colors(batch.ab))  # (M, 5) each
            logits = out.logits.movedim(1, -1).flatten(0, -2)  # (M, Q)
            log_p = logits.gather(1, index) - logits.logsumexp(dim=1, keepdim=True)
            losses["bins"] = -BINS_WEIGHT * (share * log_p).sum(dim=1).mean()
        return losses

    def updates(self) -> list[Update]:
        """One, in which what is open of the encoder learns more slowly; before it the discriminator's."""
        judge = list(self.discriminator.parameters()) if self.settings.adversarial else []
        encoder, judging = {id(p) for p in self.encoder.parameters()}, {id(p) for p in judge}
        trained = [p for p in self.parameters() if p.requires_grad and id(p) not in judging]
        groups = [
            Group([p for p in trained if id(p) not in encoder]),
            Group([p for p in trained if id(p) in encoder], self.settings.encoder_lr),
        ]
        groups = [group for group in groups if group.parameters]
        if not judge:
            return [Update(groups, self.step)]
        return [Update([Group(judge)], self._discriminator_step, BETAS), Update(groups, self.step, BETAS)]

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """Whether one of the two has won over an epoch, where there is a discriminator."""
        return warn_of_collapse(losses) if self.settings.adversarial else ""

    def prepare(self, classes: Sequence[str]) -> None:
        """Add the discriminator, if it is asked for: each training starts with a new one."""
        if self.settings.adversarial:
            width = {"paper": 32, "small": 8}[self.settings.preset]
            self.discriminator = PatchDiscriminator(width, num_down=2, spectral=True)
            self.register_buffer("num_judged", torch.zeros((), dtype=torch.int64))

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, but for the encoder: few photos would spoil its batch norm's statistics."""
        super().train(mode)
        self.encoder.eval()
        return self

    def initialize(self) -> None:
        """Load the encoder that `encoder_weights` names.

        Raises:
            UserError: it cannot be had; there is no fallback to a random one.
        """
        self.encoder.load_imagenet(self.settings.encoder_weights)

    @torch.no_grad()
    def measure(self, photos: Iterable[Batch]) -> None:
        """Count how frequent each bin is in these photos."""
        if self.bins_head is None:
            return
        counts = torch.zeros(NUM_BINS, dtype=torch.int64, device=self.bin_centers.device)
        for batch in photos:
            counts += self.soft_encode(small_colors(batch.ab))[0][:, 0].bincount(minlength=NUM_BINS)
        counts = sum_over_processes(counts)
        self.bin_frequencies.copy_(smooth_frequencies(counts.cpu(), self.bin_centers.cpu()))


class _Up(nn.Module):
    """Features from below, stretched to twice their size, and the encoder's of that size: into one."""

    def __init__(self, c_below: int, c_skip: int, c_out: int) -> None:
        super().__init__()
        # Before the stretch, where a convolution costs a fourth.
        self.reduce = _conv(c_below, c_out, 1)
        self.fuse = nn.Sequential(_conv(c_out + c_skip, c_out, 3), _conv(c_out, c_out, 3))

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        x = F.interpolate(self.reduce(below), scale_factor=2, mode="bilinear")
        fused: Tensor = self.fuse(torch.cat((x, skip), dim=1))
        return fused


def _small(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, h, w): the mean of the 4x4 pixels of each place of the output."""
    return F.avg_pool2d(pad_to_stride(x), 4)


def _conv(c_in: int, c_out: int, kernel: int) -> nn.Sequential:
    """Convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )
