"""What training, evaluation and prediction know of any model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Self, TypeVar

import torch
from torch import Tensor, nn

from core.errors import UserError
from data.batch import Batch
from models.inputs import Inputs
from models.settings import PRESETS, ModelSettings

Drawn = TypeVar("Drawn")


class ColorizationModel(nn.Module):
    """A network that predicts a* and b* from L*, and from what a person gives beside it.

    A subclass takes its `Settings` as only argument and implements `forward(L, **given)`, the one pass that
    training, compilation, several processes and export all run: L* (N, 1, H, W) float32 in [0, 100], of any
    height and width, and those fields of `Inputs` that the model accepts, to a tensor or a NamedTuple of
    tensors that the colours and the losses are made of. What else differs between models goes into the hooks
    below, so that nothing outside knows a model's name. What it learns from is an `Objective`.
    """

    encoder: nn.Module
    Settings: ClassVar[type[Any]] = ModelSettings
    summary: ClassVar[str] = ""
    """One line for the model table."""
    accepts: frozenset[str] = frozenset()
    """Fields of `Inputs` that `forward` takes by name beside L*."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Those that it cannot do without."""
    extends: ClassVar[str] = ""
    """A model from whose weights a training may start too: what this one has besides is as it was built."""
    is_random: ClassVar[bool] = False
    """Whether it draws its colours: it then takes `seeds`."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self._is_encoder_frozen = False

    def colors(self, out: Any, L: Tensor) -> Tensor:
        """The colours of an output.

        Args:
            out: what `forward` returned for `L`.
        Returns:
            (N, 2, H, W) float32, a* and b* in CIELAB units.
        """
        ab: Tensor = out
        return ab

    def predict(self, inputs: Inputs) -> Tensor:
        """The colours of photos: (N, 2, H, W) float32, a* and b* in CIELAB units.

        Raises:
            UserError: the model does not take what is given, or needs what is not.
        """
        return self.colors(self.outputs(inputs), inputs.L)

    def outputs(self, inputs: Inputs, **options: Any) -> Any:
        """What `forward` makes of photos, after a check of what is given with them.

        Args:
            options: of the model's own `forward`, for all photos.
        Raises:
            UserError: as of `predict`.
        """
        given = inputs.guidance()
        name = type(self).__name__
        if extra := given.keys() - self.accepts:
            raise UserError(f"{name} takes no {', '.join(sorted(extra))}: leave it out")
        if missing := self.needs - given.keys():
            raise UserError(f"{name} needs {', '.join(sorted(missing))}")
        return self(inputs.L, **given, **options)

    def inputs(self, batch: Batch) -> Inputs:
        """A batch as it is, with the photos' seeds where the model draws its colours."""
        return Inputs(batch.L, seeds=batch.seeds if self.is_random else None)

    def confidence(self, out: Any, L: Tensor) -> Tensor | None:
        """How sure it is of each pixel's colour.

        Args:
            out: what `forward` returned for `L`.
        Returns:
            (N, 1, H, W) in [0, 1], 1 is sure; None: the model cannot say, and has to be asked several times.
        """
        return None

    def unknown_words(self, prompt: str) -> list[str]:
        """The words of a prompt that say nothing to a model that takes one."""
        return []

    def check_drawing(self) -> None:
        """
        Raises:
            UserError: what a model needs to draw its colours is not installed.
        """

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

    def load_pretrained(self) -> None:
        """Take the weights that a new training starts from, such as a pretrained encoder."""

    def clamp_(self) -> None:
        """Bring parameters back into their domain after an update."""

    def report(self) -> dict[str, float]:
        """Numbers of the model's own to log after each epoch."""
        return {}

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
            expected = _shapes_of(cls, cls.Settings(**settings))  # type: ignore[arg-type]
            if expected.keys() == state.keys():
                if all(state[k].shape == v or state[k].numel() == 1 for k, v in expected.items()):
                    return settings
                found = known
        return found


def one_by_one(draw: Callable[[slice], Drawn], num: int) -> list[Drawn]:
    """What is drawn for each photo of a batch alone.

    The rounding of sums depends on the size of the batch, and what is drawn depends on the rounding.

    Args:
        draw: given which of the batch.
        num: of the photos.
    """
    return [draw(slice(i, i + 1)) for i in range(num)]


@functools.cache
def _shapes_of(model: type[ColorizationModel], settings: ModelSettings) -> dict[str, torch.Size]:
    """Of all that a model's state dict holds. To build one of some hundred layers takes half a second."""
    with torch.device("meta"):
        return {name: value.shape for name, value in model(settings).state_dict().items()}
