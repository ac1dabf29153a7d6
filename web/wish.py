"""How somebody wants a photo to be colored."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """How a photo is to be colored.

    Attributes:
        model: a name of `Studio.choices`.
        vividness: of a model that has that setting; others leave it alone.
        saturation: factor of the model's chroma.
        seed: of a model that draws its colours; others leave it alone. None: its best guess.
        is_plain: colored by the model alone: hints and the reference are ignored.
    """

    model: str
    vividness: float = 0.0
    saturation: float = 1.0
    seed: int | None = None
    is_plain: bool = False
