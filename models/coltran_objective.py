"""The training objective of coltran2021: the cross-entropy of each of its parts."""

from __future__ import annotations

from typing import Any

import torch.nn.functional as F
from torch import Tensor

from data.batch import Batch
from models.base import ColorizationModel
from models.coltran2021 import ColTran2021, Output
from models.coltran_truth import Truth, truth_of
from models.objective import Objective

PARALLEL_WEIGHT = 0.5
"""lambda: weight of the parallel head's cross-entropy; the colorizer's has 1 - lambda.

Published as 0.01, where the head only helps to train the encoder. Here it makes the mean prediction.
"""


class ColTran2021Objective(Objective):
    """Trains all parts at once but independently: each gets the truth in place of the previous part's output.

    The parts, colorizer with its parallel head and the two upsamplers, share no parameters, and Adam is
    invariant to the scale of a part's loss.
    """

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return False: the loss is the model's own."""
        return False

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the base class."""
        truth = _truth(model, batch)
        return _cross_entropies(model(batch.L, truth=truth, with_colors=False), truth)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the same losses, and the mean prediction."""
        truth = _truth(model, batch)
        out = model(batch.L, truth=truth)
        return _cross_entropies(out, truth), model.colors(out, batch.L)


def _truth(model: ColorizationModel, batch: Batch) -> Truth:
    assert isinstance(model, ColTran2021)
    return truth_of(batch, model.preset.low, model.preset.high)


def _cross_entropies(out: Output, truth: Truth) -> dict[str, Tensor]:
    assert out.taught is not None
    colorizer, color, spatial = out.taught
    return {
        "colorizer": (1 - PARALLEL_WEIGHT) * _cross_entropy(colorizer, truth.coarse),
        "parallel": PARALLEL_WEIGHT * _cross_entropy(out.parallel, truth.coarse),
        "color": _cross_entropy(color, truth.taught(truth.low)),
        "spatial": _cross_entropy(spatial, truth.taught(truth.high)),
    }


def _cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """(N, H, W, classes), (N, H, W) int64 -> the mean over all pixels."""
    return F.cross_entropy(logits.float().flatten(0, 2), target.flatten())
