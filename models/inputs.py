"""What a model may be given."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Inputs:
    """N photos on one device, and what a person gave beside them; None: nobody gave it.

    Attributes:
        L: (N, 1, H, W) float32, lightness in [0, 100].
        hints: (N, 3, H, W) float32: a* and b* in CIELAB units where they are given, else 0; a mask in [0, 1].
        reference: (N or 1, 3, h, w) float32, CIELAB of another photo, at a size of its own.
        seeds: (N,) int64; all that is random about a photo follows from its own.
        prompt: N texts, what is said of each photo.
    """

    L: Tensor
    hints: Tensor | None = None
    reference: Tensor | None = None
    seeds: Tensor | None = None
    prompt: tuple[str, ...] | None = None

    def guidance(self) -> dict[str, Any]:
        """By name, what is given beside L*."""
        values = {name: getattr(self, name) for name in GUIDANCE}
        return {name: value for name, value in values.items() if value is not None}

    def to(self, device: torch.device) -> Inputs:
        """The same on another device."""
        given: dict[str, Any] = {k: v for k, v in self.guidance().items() if isinstance(v, Tensor)}
        return replace(self, L=self.L.to(device), **{k: v.to(device) for k, v in given.items()})


GUIDANCE = tuple(field.name for field in fields(Inputs) if field.name != "L")
