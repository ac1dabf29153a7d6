"""What training, evaluation and prediction know of any model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from core.errors import UserError
from data.batch import Batch
from models.settings import PRESETS, ModelSettings

Criterion = Callable[[Tensor, Batch], dict[str, Tensor]]
"""(predicted ab in CIELAB units, the batch with the true ones) -> named, weighted terms of the loss."""


@dataclass(frozen=True)
class Group:
    """Parameters that learn at the same rate: `lr_factor` times that of the training."""

    parameters: Sequence[nn.Parameter]
    lr_factor: float = 1.0


@dataclass(frozen=True)
class Update:
    """One of the updates that a training step consists of.

    Attributes:
        groups: what it moves; no other update of the model moves them.
        losses: (batch, criterion) -> the named terms that they minimise, means over the photos. Nothing
            but `groups` gets gradients from them.
        betas: decays of Adam's two moments.
    """

    groups: Sequence[Group]
    losses: Callable[[Batch, Criterion], dict[str, Tensor]]
    betas: tuple[float, float] = (0.9, 0.999)

    @property
    def parameters(self) -> list[nn.Parameter]:
        """Of all groups."""
        return [parameter for group in self.groups for parameter in group.parameters]


class ColorizationModel(nn.Module):
    """A network that predicts a* and b* from L*.

    A subclass implements `forward` and takes its `Settings` as only argument; what else differs
    between models goes into the hooks below, so that nothing outside knows a model's name.
    """

    encoder: nn.Module
    Settings: ClassVar[type[Any]] = ModelSettings
    summary: ClassVar[str] = ""
    """One line for the model table."""
    guide: ClassVar[str] = ""
    """Name of the optional argument that `forward` takes beside L*, such as 'style'; '' for none."""
    takes_loss: ClassVar[bool] = True
    """Whether it is trained with `--loss`; else its steps leave the criterion alone."""
    judged_by_loss: bool = True
    """Whether the validation loss tells which epoch is best; else the last is, and patience ends nothing.

    It may depend on the settings."""
    training_only: ClassVar[tuple[str, ...]] = ()
    """Modules and buffers that `prepare` adds: in the training state, but not in files of weights."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self._is_encoder_frozen = False

    def forward(self, L: Tensor) -> Tensor:
        """Predict colours.

        Args:
            L: (N, 1, H, W) float32, lightness in [0, 100], any height and width.
        Returns:
            (N, 2, H, W) float32, a* and b* in CIELAB units.
        """
        raise NotImplementedError

    def certainty(self, L: Tensor) -> Tensor | None:
        """How sure it is of each pixel's colour.

        Args:
            L: (N, 1, H, W) as of `forward`.
        Returns:
            (N, 1, H, W) in [0, 1], 1 is sure; None: the model cannot say, and has to be asked several times.
        """
        return None

    def step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """The named terms of the training loss of one batch; their sum is minimised."""
        return criterion(self(batch.L), batch)

    def updates(self) -> list[Update]:
        """What a training step does, one after the other; most models minimise the loss of `step`."""
        return [Update([Group([p for p in self.parameters() if p.requires_grad])], self.step)]

    def validation_step(self, batch: Batch, criterion: Criterion) -> tuple[dict[str, Tensor], Tensor]:
        """The named terms of the validation loss, and the colours: (N, 2, H, W) as of `forward`.

        A model with a `step` of its own defines what of it is to be validated.
        """
        ab = self(batch.L)
        return criterion(ab, batch), ab

    def warn_of(self, losses: Mapping[str, float]) -> str:
        """What is wrong with a training whose losses had these means over an epoch; '' for nothing."""
        return ""

    def freeze_encoder(self) -> None:
        """Leave `self.encoder` as it is: no gradients, and batch-norm statistics that do not move.

        Raises:
            UserError: the model has no encoder.
        """
        if not hasattr(self, "encoder"):
            raise UserError("--freeze_encoder: this model has no encoder of its own: leave it out")
        self.encoder.requires_grad_(False)
        self._is_encoder_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, but for a frozen encoder: its batch norm stays as it is."""
        super().train(mode)
        if self._is_encoder_frozen:
            self.encoder.eval()
        return self

    def initialize(self) -> None:
        """Take the weights that a new training starts from, such as a pretrained encoder."""

    def prepare(self, classes: Sequence[str]) -> None:
        """Add what only a training needs: the parts named in `training_only`.

        Args:
            classes: of the training photos, of which the labels of a batch are indices; may be none.
        """

    def measure(self, photos: Iterable[Batch]) -> None:
        """Take statistics of the training photos, before the first step of a new training.

        Args:
            photos: this process's share of them, as they are.
        """

    def constrain(self) -> None:
        """Bring parameters back into their domain after an update."""

    def report(self) -> dict[str, float]:
        """Numbers of the model's own to log after each epoch."""
        return {}

    def predicting_state(self) -> dict[str, Tensor]:
        """The state dict without the parts that only a training needs."""
        state: dict[str, Tensor] = self.state_dict()
        return {k: v for k, v in state.items() if k.partition(".")[0] not in self.training_only}

    @classmethod
    def settings_of(cls, state: Mapping[str, Tensor], **known: Any) -> dict[str, Any] | None:
        """The settings with which this model fits a plain state dict.

        Args:
            state: of any model.
            known: settings that a subclass has found already.
        Returns:
            None: it is another model's. Where its names fit and no preset has its shapes, `known`.
        """
        found = None
        for preset in PRESETS:
            settings = {**known, "preset": preset}
            with torch.device("meta"):
                expected = cls(cls.Settings(**settings)).state_dict()
            if expected.keys() == state.keys():
                if all(state[k].shape == v.shape or state[k].numel() == 1 for k, v in expected.items()):
                    return settings
                found = known
        return found
