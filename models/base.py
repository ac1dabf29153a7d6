"""The interface of all models for training, evaluation and prediction."""

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
    """A network that predicts a* and b* from L*, and optionally from guidance such as hints.

    A subclass takes its `Settings` as only argument and implements `forward(L, **given)`, the one pass that
    training, compilation, several processes and export all run: L* (N, 1, H, W) float32 in [0, 100], of any
    height and width, and those fields of `Inputs` that the model accepts, to a tensor or a NamedTuple of
    tensors from which colours and losses are computed. Other differences between models go into the hooks
    below, so that no other code depends on a model's name. The training loss is an `Objective`.
    """

    encoder: nn.Module
    Settings: ClassVar[type[Any]] = ModelSettings
    summary: ClassVar[str] = ""
    """One line for the model table."""
    accepts: frozenset[str] = frozenset()
    """Fields of `Inputs` that `forward` takes by name beside L*."""
    needs: ClassVar[frozenset[str]] = frozenset()
    """Fields of `Inputs` that `forward` requires."""
    extends: ClassVar[str] = ""
    """A model whose weights a training may also start from; additional layers keep their initialization."""
    is_random: ClassVar[bool] = False
    """Whether the model samples its colours: it then takes `seeds`."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings
        self._is_encoder_frozen = False

    def colors(self, out: Any, L: Tensor) -> Tensor:
        """Compute the colours from an output of `forward`.

        Args:
            out: the output of `forward` for `L`.
        Returns:
            (N, 2, H, W) float32, a* and b* in CIELAB units.
        """
        ab: Tensor = out
        return ab

    def predict(self, inputs: Inputs) -> Tensor:
        """Predict the colours of photos: (N, 2, H, W) float32, a* and b* in CIELAB units.

        Raises:
            UserError: the model does not accept a given input, or a required one is missing.
        """
        return self.colors(self.outputs(inputs), inputs.L)

    def outputs(self, inputs: Inputs, **options: Any) -> Any:
        """Run `forward` on photos, after checking that the model accepts the inputs.

        Args:
            options: further arguments of the model's own `forward`.
        Raises:
            UserError: as in `predict`.
        """
        given = inputs.guidance()
        name = type(self).__name__
        if extra := given.keys() - self.accepts:
            raise UserError(f"{name} takes no {', '.join(sorted(extra))}: leave it out")
        if missing := self.needs - given.keys():
            raise UserError(f"{name} needs {', '.join(sorted(missing))}")
        return self(inputs.L, **given, **options)

    def inputs(self, batch: Batch) -> Inputs:
        """Convert a batch to inputs without guidance; with seeds if the model samples its colours."""
        return Inputs(batch.L, seeds=batch.seeds if self.is_random else None)

    def confidence(self, out: Any, L: Tensor) -> Tensor | None:
        """Estimate the confidence in each pixel's colour.

        Args:
            out: the output of `forward` for `L`.
        Returns:
            (N, 1, H, W) in [0, 1], 1 is certain; None: it can only be estimated from several samples.
        """
        return None

    def unknown_words(self, prompt: str) -> list[str]:
        """Return the words of a prompt that are not in the model's vocabulary."""
        return []

    def check_drawing(self) -> None:
        """
        Raises:
            UserError: a package that the model needs to sample its colours is not installed, or its settings
                leave nothing to chance.
        """

    def freeze_encoder(self) -> None:
        """Freeze `self.encoder`: no gradients, and fixed batch-norm statistics.

        Raises:
            UserError: the model has no encoder.
        """
        if not hasattr(self, "encoder"):
            raise UserError("--freeze_encoder: this model has no encoder of its own: leave it out")
        self.encoder.requires_grad_(False)
        self._is_encoder_frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """Set the training mode, except for a frozen encoder, which stays in evaluation mode."""
        super().train(mode)
        if self._is_encoder_frozen:
            self.encoder.eval()
        return self

    def load_pretrained(self) -> None:
        """Load the weights that a new training starts from, such as a pretrained encoder."""

    def clamp_(self) -> None:
        """Clamp parameters to their valid range after an update."""

    def report(self) -> dict[str, float]:
        """Return model-specific numbers to log after each epoch."""
        return {}

    @classmethod
    def settings_of(cls, state: Mapping[str, Tensor], **known: Any) -> dict[str, Any] | None:
        """Infer the settings with which this model fits a plain state dict.

        Args:
            state: of any model.
            known: settings that a subclass has already inferred.
        Returns:
            The settings; `known` if the names fit but the shapes fit no preset; None: it is of another model.
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
    """Sample each photo of a batch separately, so that results do not depend on the batch size.

    The rounding of sums depends on the size of the batch, and samples depend on the rounding.

    Args:
        draw: samples a slice of the batch.
        num: number of photos.
    """
    return [draw(slice(i, i + 1)) for i in range(num)]


@functools.cache
def _shapes_of(model: type[ColorizationModel], settings: ModelSettings) -> dict[str, torch.Size]:
    """Return the shapes in a model's state dict; cached, since building a large model takes half a second."""
    with torch.device("meta"):
        return {name: value.shape for name, value in model(settings).state_dict().items()}
