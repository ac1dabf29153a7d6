"""What training, evaluation and prediction know of any model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from config import validate
from data.batch import Batch
from errors import UserError

Criterion = Callable[[Tensor, Batch], dict[str, Tensor]]
"""(predicted ab in CIELAB units, the batch with the true ones) -> named, weighted terms of the loss."""


@dataclass(frozen=True, kw_only=True)
class ModelSettings:
    """Base of each model's own settings; its fields become flags of the command line."""

    def __post_init__(self) -> None:
        validate(self)


class ColorizationModel(nn.Module):
    """A network that predicts a* and b* from L*.

    A subclass implements `forward` and takes its `Settings` as only argument; what else differs
    between models goes into the hooks below, so that nothing outside knows a model's name.
    """

    encoder: nn.Module
    Settings: ClassVar[type[Any]] = ModelSettings
    summary: ClassVar[str] = ""
    """One line for the model table."""

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

    def step(self, batch: Batch, criterion: Criterion) -> dict[str, Tensor]:
        """The named terms of the training loss of one batch; their sum is minimised."""
        return criterion(self(batch.L), batch)

    def validation_step(self, batch: Batch, criterion: Criterion) -> tuple[dict[str, Tensor], Tensor]:
        """The named terms of the validation loss, and the colours: (N, 2, H, W) as of `forward`.

        A model with a `step` of its own defines what of it is to be validated.
        """
        ab = self(batch.L)
        return criterion(ab, batch), ab

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

    def constrain(self) -> None:
        """Bring parameters back into their domain after an update."""

    def report(self) -> dict[str, float]:
        """Numbers of the model's own to log after each epoch."""
        return {}
