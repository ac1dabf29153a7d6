"""The inputs of a model."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """N photos on one device, and optional guidance; None: not given.

    Attributes:
        L: (N, 1, H, W) float32, lightness in [0, 100].
        hints: (N, 3, H, W) float32: a* and b* in CIELAB units at hints, else 0; and a mask in [0, 1].
        reference: (N or 1, 3, h, w) float32, CIELAB of another photo, of any size.
        seeds: (N,) int64, one per photo, for all its random numbers.
        prompt: N texts that describe the photos.
    """

    L: Tensor
    hints: Tensor | None = None
    reference: Tensor | None = None
    seeds: Tensor | None = None
    prompt: tuple[str, ...] | None = None

    def guidance(self) -> dict[str, Any]:
        """Return the given fields other than L*, by name."""
        values = {name: getattr(self, name) for name in GUIDANCE}
        return {name: value for name, value in values.items() if value is not None}

    def to(self, device: torch.device) -> Inputs:
        """Copy to another device."""
        given: dict[str, Any] = {k: v for k, v in self.guidance().items() if isinstance(v, Tensor)}
        return replace(self, L=self.L.to(device), **{k: v.to(device) for k, v in given.items()})


GUIDANCE = tuple(field.name for field in fields(Inputs) if field.name != "L")
