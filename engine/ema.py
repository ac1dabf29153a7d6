"""A moving average of a model's weights, which fluctuates less than the weights themselves."""

from __future__ import annotations

import copy
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


class EMA(Generic[M]):
    """Exponential moving average of weights and batch-norm statistics (Polyak and Juditsky 1992).

    Over the first steps the decay is smaller, (1 + n) / (10 + n), so that the random start is forgotten.

    Attributes:
        model: a copy that holds the average.
    """

    def __init__(self, model: M, decay: float) -> None:
        """
        Args:
            model: to follow, on its device.
            decay: share of the average that a step keeps, in [0, 1); at 0 it is the model itself.
        """
        self.decay = decay
        self.num_updates = 0
        self.model = copy.deepcopy(model).requires_grad_(False)

    @torch.no_grad()
    def update(self, model: M) -> None:
        """Update the average with the weights after a step."""
        decay = min(self.decay, (1 + self.num_updates) / (10 + self.num_updates))
        self.num_updates += 1
        averages: list[Tensor] = []
        weights: list[Tensor] = []
        for average, value in zip(self._values(self.model), self._values(model), strict=True):
            if average.is_floating_point():
                averages.append(average)
                weights.append(value)
            else:
                average.copy_(value)
        torch._foreach_lerp_(averages, weights, 1 - decay)

    def state_dict(self) -> dict[str, Any]:
        """Return the state for `load_state_dict`."""
        return {"model": self.model.state_dict(), "num_updates": self.num_updates}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
        self.model.load_state_dict(state["model"])
        self.num_updates = state["num_updates"]

    @staticmethod
    def _values(model: nn.Module) -> list[Tensor]:
        return [*model.parameters(), *model.buffers()]
