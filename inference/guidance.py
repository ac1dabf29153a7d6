"""What a person says about one photo; turned into tensors only for the size that the model sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from inference.hints import Hints
from inference.model_view import lab_seen
from media.picture import Box, Picture
from models.inputs import Inputs


@dataclass(frozen=True)
class Guidance:
    """What a person says about a photo; what was not given is None.

    Attributes:
        hints: colours for some of its places.
        reference: another photo, whose colours it is to have.
        seed: for a model that draws colours at random; the same seed gives the same colours.
        prompt: a description in words.
    """

    hints: Hints | None = None
    reference: Picture | None = None
    seed: int | None = None
    prompt: str | None = None

    def at(self, L: Tensor, shape: Callable[[tuple[int, int]], tuple[int, int]]) -> Inputs:
        """The inputs of a model that sees the photo.

        Args:
            L: (1, 1, h, w), in [0, 100].
            shape: (width, height) of a picture -> the size at which the model sees it.
        """
        hints = None if self.hints is None else self.hints.at(*L.shape[-2:])
        reference = None if self.reference is None else lab_seen(self.reference, shape(self.reference.size))
        seeds = None if self.seed is None else torch.full((len(L),), self.seed)
        prompt = None if self.prompt is None else (self.prompt,) * len(L)
        return Inputs(L, hints=hints, reference=reference, seeds=seeds, prompt=prompt)

    def within(self, box: Box) -> Guidance:
        """The guidance for a part of the photo."""
        return self if self.hints is None else replace(self, hints=self.hints.within(box))

    def mirrored(self) -> Guidance:
        """The guidance for the mirror image of the photo."""
        return self if self.hints is None else replace(self, hints=self.hints.mirrored())


NOTHING = Guidance()
