"""What a person says about one photo, in its own terms; made tensors at the size that the model sees."""

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
    """What is said about a photo; each part is None where nobody said anything.

    Attributes:
        hints: colours for some of its places.
        reference: another photo, in whose style to color.
        seed: of what a model draws; the same seed gives the same colours.
        prompt: what it shows, in words.
    """

    hints: Hints | None = None
    reference: Picture | None = None
    seed: int | None = None
    prompt: str | None = None

    def at(self, L: Tensor, shape: Callable[[tuple[int, int]], tuple[int, int]]) -> Inputs:
        """The inputs of a model that sees the photo.

        Args:
            L: (1, 1, h, w), in [0, 100].
            shape: (width, height) of a picture -> at which the model sees it.
        """
        hints = None if self.hints is None else self.hints.at(*L.shape[-2:])
        reference = None if self.reference is None else lab_seen(self.reference, shape(self.reference.size))
        seeds = None if self.seed is None else torch.full((len(L),), self.seed)
        prompt = None if self.prompt is None else (self.prompt,) * len(L)
        return Inputs(L, hints=hints, reference=reference, seeds=seeds, prompt=prompt)

    def within(self, box: Box) -> Guidance:
        """What is said about a part of the photo."""
        return self if self.hints is None else replace(self, hints=self.hints.within(box))

    def mirrored(self) -> Guidance:
        """What is said about the photo's mirror image."""
        return self if self.hints is None else replace(self, hints=self.hints.mirrored())


NOTHING = Guidance()
