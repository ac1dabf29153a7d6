"""The training objective of unet: losses of its two heads, shift consistency, and adversarial loss."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from core.distributed import sum_over_processes
from data.batch import Batch
from data.color import AB_SCALE
from models.adversarial import BETAS, PatchDiscriminator, warn_of_collapse
from models.base import ColorizationModel
from models.bins import NUM_BINS, SoftEncoder, small_colors, smooth_frequencies
from models.layers import pad_to_stride
from models.objective import Criterion, Group, Objective, Update
from models.timm_encoder import STRIDES
from models.unet import Output, UNet, stretch

BINS_WEIGHT = 0.05
"""Of the cross-entropy, some 3 nats, beside the other terms of the loss, some tenths."""
_MOVES = 7
"""A photo is moved by 4 to 4 * 7 pixels: to every other place on the grid of the deepest features."""


class UNetObjective(Objective):
    """The terms of `--loss` for the mean, and the cross-entropy of the bins with the soft-encoded colours.

    `steadiness` adds a shift consistency loss, the distance between the colours of a photo and of a shifted
    copy; `adversarial` adds a discriminator's loss on the colours at a fourth of the photo's size.
    """

    num_judged: Tensor

    def __init__(self, model: UNet, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        super().__init__(model, criterion, classes)
        self.soft_encode = SoftEncoder() if model.bins_head is not None else None
        self.discriminator = None
        if self.settings.adversarial:  # each training starts with a new discriminator
            width = {"paper": 32, "small": 8}[self.settings.preset]
            self.discriminator = PatchDiscriminator(width, num_down=2, spectral=True)
            self.register_buffer("num_judged", torch.zeros((), dtype=torch.int64))

    @classmethod
    def keeps(cls, settings: Any) -> Literal["best", "last"]:
        """'last' with a discriminator, which trades distance to the true colours for realism, else 'best'."""
        return "last" if settings.adversarial else "best"

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return whether there is a head for the mean; that of the bins has a loss of its own."""
        return bool(settings.heads != "bins")

    @classmethod
    def without_effect(cls, settings: Any) -> dict[str, str]:
        """See the base class."""
        reasons = {}
        if not cls.takes_loss(settings):
            reasons["loss"] = (
                f"--heads={settings.heads} has a loss of its own: leave it out, or take --heads=both"
            )
        if settings.frozen_stages == len(STRIDES):
            reasons["encoder_lr"] = "no stage of the encoder is trained: lower --frozen_stages"
        if not settings.adversarial:
            reasons["head_start"] = "there is no discriminator: add --adversarial"
        return reasons

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the class."""
        if self.settings.steadiness:
            return self._steady_losses(model, batch)
        out = model.outputs(self.inputs(model, batch))
        return self._head_losses(out, batch) | self._adversarial_loss(model, out, batch)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute only the losses of the heads, and the colours."""
        out = model.outputs(self.inputs(model, batch))
        return self._head_losses(out, batch), model.colors(out, batch.L)

    def updates(self, model: ColorizationModel) -> list[Update]:
        """Update the discriminator, if any, then the model; its encoder's rate is scaled by `encoder_lr`."""
        encoder = {id(p) for p in model.encoder.parameters()}
        trained = [p for p in model.parameters() if p.requires_grad]
        groups = [
            Group([p for p in trained if id(p) not in encoder]),
            Group([p for p in trained if id(p) in encoder], self.settings.encoder_lr),
        ]
        groups = [group for group in groups if group.parameters]
        if self.discriminator is None:
            return [Update(groups, self.losses)]
        judge = [Group(list(self.discriminator.parameters()))]
        return [Update(judge, self._judge, BETAS), Update(groups, self.losses, BETAS)]

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """Return a warning if discriminator or model dominated an epoch; '' without a discriminator."""
        return warn_of_collapse(losses) if self.discriminator is not None else ""

    @torch.no_grad()
    def fit_statistics(self, model: ColorizationModel, photos: Iterable[Batch]) -> None:
        """Set the model's bin frequencies to those of these photos; `vividness` weights bins by them."""
        assert isinstance(model, UNet)
        if self.soft_encode is None:
            return
        counts = torch.zeros(NUM_BINS, dtype=torch.int64, device=model.bin_centers.device)
        for batch in photos:
            counts += self.soft_encode(small_colors(batch.ab))[0][:, 0].bincount(minlength=NUM_BINS)
        counts = sum_over_processes(counts)
        model.bin_frequencies.copy_(smooth_frequencies(counts.cpu(), model.bin_centers.cpu()))

    def _head_losses(self, out: Output, batch: Batch) -> dict[str, Tensor]:
        losses: dict[str, Tensor] = {}
        if out.ab is not None:
            with torch.autocast(batch.L.device.type, enabled=False):
                ab = stretch(out.ab, batch.L)
            losses |= self.criterion(ab, batch)
        if out.logits is not None:
            assert self.soft_encode is not None
            index, share = self.soft_encode(small_colors(batch.ab))  # (M, 5) each
            logits = out.logits.movedim(1, -1).flatten(0, -2)  # (M, Q)
            log_p = logits.gather(1, index) - logits.logsumexp(dim=1, keepdim=True)
            losses["bins"] = -BINS_WEIGHT * (share * log_p).sum(dim=1).mean()
        return losses

    def _steady_losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """Compute the losses over photos and shifted copies, and the distance between both predictions."""
        assert batch.seeds is not None
        moves = [(1 + seed % _MOVES, 1 + seed // _MOVES % _MOVES) for seed in batch.seeds.tolist()]
        L, ab = (_with_moved(x, moves) for x in (batch.L, batch.ab))
        labels = None if batch.labels is None else batch.labels.repeat(2)
        both = Batch(L, ab, batch.names * 2, labels, batch.seeds.repeat(2))
        inputs = self.inputs(model, batch)
        # Hints are shifted with the photo: simulated anew, they would lie at other positions.
        hints = None if inputs.hints is None else _with_moved(inputs.hints, moves)
        out = model.outputs(replace(inputs, L=L, hints=hints))
        steady = self.settings.steadiness * _distance(_small_colors(model, out), moves)
        return self._head_losses(out, both) | {"steady": steady} | self._adversarial_loss(model, out, both)

    def _adversarial_loss(self, model: ColorizationModel, out: Output, batch: Batch) -> dict[str, Tensor]:
        if self.discriminator is None:
            return {}
        counts = self.settings.adversarial * (self.num_judged >= self.settings.head_start)
        with torch.autocast(batch.L.device.type, enabled=False):
            loss = self.discriminator.generator_loss(_small(batch.L), _small_colors(model, out))
        return {"adversarial": counts * loss}

    def _judge(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """Compute the discriminator's losses on true and predicted colours, and count the call."""
        assert self.discriminator is not None
        with torch.no_grad():
            out = model.outputs(self.inputs(model, batch))
        self.num_judged += 1  # calls, not photos, since their number differs between processes
        with torch.autocast(batch.L.device.type, enabled=False):
            ab = _small_colors(model, out)
            return self.discriminator.discriminator_losses(_small(batch.L), _small(batch.ab), ab)


def _small_colors(model: ColorizationModel, out: Output) -> Tensor:
    """(N, 2, h, w): the predicted colours before upsampling."""
    assert isinstance(model, UNet)
    return model.expected_colors(out.logits) if out.ab is None else out.ab


def _small(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, C, h, w): average pooling over 4x4 pixels, the size of the heads' output."""
    return F.avg_pool2d(pad_to_stride(x), 4)


def _with_moved(x: Tensor, moves: Sequence[tuple[int, int]]) -> Tensor:
    """(N, C, H, W) -> (2N, C, H, W): the photos, then copies shifted down and right, padded by reflection."""
    height, width = x.shape[-2:]
    moved = [
        F.pad(photo, (4 * right, 0, 4 * down, 0), mode="reflect")[..., :height, :width]
        for photo, (down, right) in zip(x, moves, strict=True)
    ]
    return torch.cat((x, torch.stack(moved)))


def _distance(ab: Tensor, moves: Sequence[tuple[int, int]]) -> Tensor:
    """Compute the mean distance / 128 of the colours of photos and shifted copies, where they overlap.

    Args:
        ab: (2N, 2, h, w) at a fourth of the photos' size.
    """
    height, width = ab.shape[-2:]
    distances = []
    for there, moved, (down, right) in zip(*ab.chunk(2), moves, strict=True):
        apart = moved[:, down:, right:] - there[:, : height - down, : width - right]
        # The offset, 0.1 units squared, keeps the gradient finite at distance 0.
        distances.append((apart.square().sum(dim=0) + 0.01).sqrt().mean())
    return torch.stack(distances).mean() / AB_SCALE
