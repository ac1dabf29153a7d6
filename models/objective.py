"""Training objectives: losses, parameter groups, and state that only training needs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from data.batch import Batch
from data.simulated_hints import simulate_hints
from models.base import ColorizationModel
from models.inputs import Inputs

Criterion = Callable[[Tensor, Batch], dict[str, Tensor]]
"""(predicted ab (N, 2, H, W), CIELAB units; the batch with the true ones) -> named, weighted terms, ()."""


@dataclass(frozen=True)
class Group:
    """Parameters with a common learning rate: `lr_factor` times that of the training."""

    parameters: Sequence[nn.Parameter]
    lr_factor: float = 1.0


@dataclass(frozen=True)
class Update:
    """One of the updates that a training step consists of.

    Attributes:
        groups: the parameters that it updates; updates share no parameters.
        losses: (model, batch) -> loss terms by name, means over the photos; their sum is minimised. Only
            `groups` get gradients from them.
        betas: decay rates of Adam's two moments.
    """

    groups: Sequence[Group]
    losses: Callable[[ColorizationModel, Batch], dict[str, Tensor]]
    betas: tuple[float, float] = (0.9, 0.999)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters of all groups."""
        return [parameter for group in self.groups for parameter in group.parameters]


class Objective(nn.Module):
    """The training objective of a model, by default the colour loss of `--loss`; subclasses replace it.

    Its parameters and buffers, such as a discriminator's, are saved in the training state but not in files of
    weights. It does not hold the model, since the averaged model is validated with the same objective.
    """

    def __init__(self, model: ColorizationModel, criterion: Criterion, classes: Sequence[str] = ()) -> None:
        """
        Args:
            model: to train.
            criterion: the terms of `--loss`; without terms if the model does not take it.
            classes: names of the training photos' classes, indexed by the labels of a batch; may be empty.
        """
        super().__init__()
        self.settings = model.settings
        self.criterion = criterion

    @classmethod
    def takes_loss(cls, settings: Any) -> bool:
        """Return whether the model, with these settings, is trained with `--loss`."""
        return True

    @classmethod
    def without_effect(cls, settings: Any) -> dict[str, str]:
        """Return the flags that change nothing in a training with these settings: name -> reason and fix."""
        return {}

    @classmethod
    def keeps(cls, settings: Any) -> Literal["best", "last"]:
        """Return which epoch's weights to keep: those of the lowest validation loss, or the last.

        'last' is for validation losses that do not measure quality; it disables early stopping.
        """
        return "best"

    def fit_statistics(self, model: ColorizationModel, photos: Iterable[Batch]) -> None:
        """Compute statistics of the training photos, before the first step of a new training.

        Args:
            model: to train.
            photos: this process's share of them, without augmentation.
        """

    def inputs(self, model: ColorizationModel, batch: Batch) -> Inputs:
        """Return the model's inputs for a batch."""
        return model.inputs(batch)

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """Compute the terms of the training loss of a batch by name; their sum is minimised."""
        return self.criterion(model.predict(self.inputs(model, batch)), batch)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the terms of the validation loss by name, and the colours (N, 2, H, W), CIELAB units.

        The batch's seeds are derived from the photos' names, so they are the same in every epoch.
        """
        ab = model.predict(self.inputs(model, batch))
        return self.criterion(ab, batch), ab

    def updates(self, model: ColorizationModel) -> list[Update]:
        """Return the updates of a training step, in order; by default one that minimises `losses`."""
        parameters = [p for module in (model, self) for p in module.parameters() if p.requires_grad]
        return [Update([Group(parameters)], self.losses)]

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """Return a warning about a training, given the mean losses of an epoch; '' for none."""
        return ""


class HintedObjective(Objective):
    """The objective of a model that sees hints: simulated ones, in training."""

    def inputs(self, model: ColorizationModel, batch: Batch) -> Inputs:
        """Add hints simulated by the photos' seeds; in validation they are the same in every epoch."""
        assert batch.seeds is not None
        return Inputs(batch.L, hints=simulate_hints(batch.ab, batch.seeds))
