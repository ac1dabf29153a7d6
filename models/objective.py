"""What a training minimises, and what only a training needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from data.batch import Batch
from models.base import ColorizationModel
from models.inputs import Inputs

Criterion = Callable[[Tensor, Batch], dict[str, Tensor]]
"""(predicted ab (N, 2, H, W), CIELAB units; the batch with the true ones) -> named, weighted terms, ()."""


@dataclass(frozen=True)
class Group:
    """Parameters that learn at the same rate: `lr_factor` times that of the training."""

    parameters: Sequence[nn.Parameter]
    lr_factor: float = 1.0


@dataclass(frozen=True)
class Update:
    """One of the updates that a training step consists of.

    Attributes:
        groups: what it moves; no other update of the training moves them.
        losses: (model, batch) -> the named terms that they minimise, means over the photos. Nothing but
            `groups` gets gradients from them.
        betas: decays of Adam's two moments.
    """

    groups: Sequence[Group]
    losses: Callable[[ColorizationModel, Batch], dict[str, Tensor]]
    betas: tuple[float, float] = (0.9, 0.999)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Of all groups."""
        return [parameter for group in self.groups for parameter in group.parameters]


class Objective(nn.Module):
    """The loss of the colours, `--loss`; a subclass is what a model is trained with instead.

    Its parameters and buffers, such as a discriminator's, are in the training state and never in files of
    weights. It does not hold the model: the average of the weights is validated with the same objective.
    """

    takes_loss: ClassVar[bool] = True
    """Whether the model is trained with `--loss`."""

    def __init__(self, model: ColorizationModel, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        """
        Args:
            model: to train.
            criterion: the terms of `--loss`; without any where the objective does not take it.
            classes: of the training photos, of which the labels of a batch are indices; may be none.
        """
        super().__init__()
        self.settings = model.settings
        self.criterion = criterion

    @classmethod
    def keeps(cls, settings: Any) -> Literal["best", "last"]:
        """Which epoch's weights are kept: that of the lowest validation loss, or the last one.

        'last' is for losses that do not tell; early stopping then ends nothing.
        """
        return "best"

    def fit_statistics(self, model: ColorizationModel, photos: Iterable[Batch]) -> None:
        """Take statistics of the training photos, before the first step of a new training.

        Args:
            model: to train.
            photos: this process's share of them, as they are.
        """

    def inputs(self, model: ColorizationModel, batch: Batch) -> Inputs:
        """What the model gets to see of a batch."""
        return model.inputs(batch)

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """The named terms of the training loss of one batch; their sum is minimised."""
        return self.criterion(model.predict(self.inputs(model, batch)), batch)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The named terms of the validation loss, and the colours: (N, 2, H, W), CIELAB units.

        The seeds of the batch follow from the photos' names: the same in every epoch.
        """
        ab = model.predict(self.inputs(model, batch))
        return self.criterion(ab, batch), ab

    def updates(self, model: ColorizationModel) -> list[Update]:
        """What a training step does, one after the other; most minimise `losses`."""
        parameters = [p for module in (model, self) for p in module.parameters() if p.requires_grad]
        return [Update([Group(parameters)], self.losses)]

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """What is wrong with a training whose losses had these means over an epoch; '' for nothing."""
        return ""
