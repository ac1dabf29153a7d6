"""The training objective of liu2023: predict v of noisy colours, with time and prompt drawn by seed."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batch import Batch
from models.base import ColorizationModel
from models.diffusion import LAST_TIME
from models.layers import pad_to_stride
from models.liu2023 import AB_UNIT, Lesson, Liu2023, Output, generators_of, normal
from models.objective import Criterion, Objective
from models.timm_encoder import STRIDES

log = logging.getLogger(__name__)

SHARE_LAST = 0.2
"""Share of photos at the last time: used for the mean prediction, and as the start of all sampling."""
SHARE_SILENT = 0.5
"""Share of photos trained without a prompt, since most are colored without one."""


class Liu2023Objective(Objective):
    """The weighted squared error of v, averaged over the photos."""

    def __init__(self, model: Liu2023, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        super().__init__(model, criterion, classes)
        self.classes = tuple(classes)
        if left_out := model.words.learn(classes):
            log.warning("no room for %d words of the photos' classes: %s", len(left_out), ", ".join(left_out))

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return False: the loss is the model's own."""
        return False

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the base class."""
        lesson, target = self._teach(model, batch)
        return _loss(model, model(batch.L, lesson=lesson, with_colors=False), lesson, target)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the same loss, and the mean prediction without a prompt."""
        lesson, target = self._teach(model, batch)
        out = model(batch.L, lesson=lesson)
        return _loss(model, out, lesson, target), model.colors(out, batch.L)

    @torch.no_grad()
    def _teach(self, model: ColorizationModel, batch: Batch) -> tuple[Lesson, Tensor]:
        """Build a lesson and its target v; a photo's random numbers are determined by its seed."""
        assert isinstance(model, Liu2023)
        assert batch.seeds is not None
        clean = F.avg_pool2d(pad_to_stride(batch.ab), STRIDES[0]) / AB_UNIT
        generators = generators_of(batch.seeds)
        last, time, silent = torch.stack([torch.rand(3, generator=g) for g in generators]).unbind(dim=1)
        noise = normal(generators, clean.shape[1:]).to(clean)
        times = torch.where(last < SHARE_LAST, LAST_TIME, (time * LAST_TIME).long()).to(clean.device)
        prompts = self._prompts(batch, silent < SHARE_SILENT)
        lesson = Lesson(model.schedule.noisy(clean, noise, times), times, prompts)
        return lesson, model.schedule.velocity(clean, noise, times)

    def _prompts(self, batch: Batch, silent: Tensor) -> list[str]:
        """Return the names of the photos' classes, '' for `silent` photos."""
        if batch.labels is None or not self.classes:
            return [""] * len(batch)
        labels = zip(batch.labels.tolist(), silent.tolist(), strict=True)
        return ["" if is_silent or label < 0 else self.classes[label] for label, is_silent in labels]


def _loss(model: ColorizationModel, out: Output, lesson: Lesson, target: Tensor) -> dict[str, Tensor]:
    assert isinstance(model, Liu2023)
    assert out.v is not None
    errors = (out.v - target).square().mean(dim=(1, 2, 3))
    return {"v": (model.schedule.loss_weights(lesson.times) * errors).mean()}
