"""The settings of a request to color a photo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Wish:
    """The settings of a request to color a photo.

    Attributes:
        model: a name of `Studio.choices`.
        vividness: ignored by models without this setting.
        saturation: factor of the model's chroma.
        seed: of a model that draws its colours, ignored by others; None: its best guess.
        is_plain: ignore hints and the reference.
    """

    model: str
    vividness: float = 0.0
    saturation: float = 1.0
    seed: int | None = None
    is_plain: bool = False
