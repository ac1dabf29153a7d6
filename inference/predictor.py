"""Ask a model for the colours of photos: at which sizes, in which views, and within the memory there is."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor

from core.device import is_out_of_memory
from core.errors import UserError
from inference.confidence import confidence, most_consistent
from inference.guidance import Guidance
from inference.model_view import lightness_seen, size_seen
from inference.views import mean_over_views
from media.picture import Picture
from models.base import ColorizationModel
from models.layers import STRIDE

log = logging.getLogger(__name__)

T = TypeVar("T")

# Render sizes that 'auto' compares, as multiples of the side that the model was trained at.
_RENDER_SIZES = (1, 0.75, 1.25, 1.5)
# If memory runs out, the model is shown half the size, but not below this.
_SMALLEST_SIDE = 32


@dataclass(frozen=True)
class Predictor:
    """A model, and the sizes and views in which it is shown photos.

    If memory runs out, it is asked again at half the size, with a warning.

    Attributes:
        model: ready to predict, on `device`.
        image_size: side in pixels at which it was trained.
        resize: 'squash' or 'crop', as of --resize.
        render_size: side at which it sees photos instead; 'auto' compares several; None: `image_size`.
        views: number of views of each photo whose colours are averaged; see `mean_over_views`.
    """

    model: ColorizationModel
    device: torch.device
    image_size: int
    resize: str
    render_size: str | None
    views: int
    # Threads may run a model in parallel on the CPU, but not on every kind of GPU.
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _lock=threading.Lock())  # a lock can be neither pickled nor copied

    @torch.inference_mode()
    def predict(self, photos: Sequence[Picture], guidance: Guidance) -> list[tuple[Tensor, Tensor]]:
        """L* (1, 1, h, w) of each photo as the model saw it, and the predicted ab (1, 2, h, w).

        The photos are predicted as one batch if there is one size and one view, and if memory suffices.

        Args:
            photos: of one size.
            guidance: what a person says about them.
        Raises:
            UserError: no size fits into memory, or the model does not take such guidance.
        """
        sides = self._sides()
        if len(photos) > 1 and len(sides) == self.views == 1:
            seen = [self._seen(photo, sides[0]) for photo in photos]
            ab = _if_it_fits(lambda: self._given(guidance)(torch.cat(seen)))
            if ab is not None:
                return list(zip(seen, ab.split(1), strict=True))
        return [_within_memory(sides, partial(self._predict_at, photo, guidance)) for photo in photos]

    @torch.inference_mode()
    def confidence(self, photo: Picture, L: Tensor, guidance: Guidance) -> Tensor:
        """How sure the model is of the colours that it gave: (1, 1, h, w) in [0, 1].

        The model's own estimate if it has one, else that of `inference.confidence`.

        Args:
            photo: in its own size.
            L: (1, 1, h, w), of the photo as the model saw it.
            guidance: as in `predict`.
        """
        side = min(L.shape[-2:])

        def sure_at(sides: list[int]) -> Tensor:
            return self._confidence_at(L if sides == [side] else self._seen(photo, sides[0]), guidance)

        return _within_memory([side], sure_at)

    def _confidence_at(self, L: Tensor, guidance: Guidance) -> Tensor:
        inputs = guidance.at(L, self._shape_seen).to(self.device)
        with self._one_at_a_time:
            sure = self.model.confidence(self.model.outputs(inputs), inputs.L)
        if sure is not None:
            return sure.float().cpu()
        return confidence(self._given(guidance), L, self._given(guidance.mirrored()))

    def _predict_at(self, photo: Picture, guidance: Guidance, sides: list[int]) -> tuple[Tensor, Tensor]:
        predict = self._given(guidance)
        seen = [self._seen(photo, side) for side in sides]
        candidates = [predict(L) for L in seen] if len(seen) > 1 or self.views == 1 else []
        best = most_consistent(candidates) if len(seen) > 1 else 0
        if self.views == 1:
            return seen[best], candidates[best]
        hints = guidance.at(seen[best], self._shape_seen).hints
        shown = seen[best] if hints is None else torch.cat((seen[best], hints), dim=1)
        return seen[best], mean_over_views(predict, shown, self.views)

    def _given(self, guidance: Guidance) -> Callable[[Tensor], Tensor]:
        """A function L* (N, 1, h, w) -> ab (N, 2, h, w) that passes the guidance to the model.

        If its input has further channels after L*, they are the hints, transformed like the photo.
        """

        def predict(seen: Tensor) -> Tensor:
            inputs = guidance.at(seen[:, :1], self._shape_seen)
            if seen.shape[1] > 1:
                inputs = dataclasses.replace(inputs, hints=seen[:, 1:])
            with self._one_at_a_time:
                return self.model.predict(inputs.to(self.device)).float().cpu()

        return predict

    def _sides(self) -> list[int]:
        """The sides at which the model is shown a photo; of several, the most consistent one is used."""
        if self.render_size != "auto":
            return [int(self.render_size or self.image_size)]
        sides = [max(STRIDE, round(self.image_size * f / STRIDE) * STRIDE) for f in _RENDER_SIZES]
        return list(dict.fromkeys(sides))  # without duplicates, which would agree perfectly

    def _seen(self, photo: Picture, side: int) -> Tensor:
        return lightness_seen(photo, size_seen(photo.size, side, self.resize))

    def _shape_seen(self, size: tuple[int, int]) -> tuple[int, int]:
        return size_seen(size, self.image_size, self.resize)

    @property
    def _one_at_a_time(self) -> contextlib.AbstractContextManager[object]:
        return contextlib.nullcontext() if self.device.type == "cpu" else self._lock


def _within_memory(sides: list[int], use: Callable[[list[int]], T]) -> T:
    """Call `use` with the sides at which to show a photo; with half of them each time memory runs out."""
    while (answer := _if_it_fits(partial(use, sides))) is None:
        smaller = [side // 2 for side in sides]
        if min(smaller) < _SMALLEST_SIDE:
            raise UserError(
                f"out of memory even at {max(sides)} pixels: free memory, or use another --device"
            )
        log.warning("out of memory at %d pixels: the model sees %d instead", max(sides), max(smaller))
        sides = smaller
    return answer


def _if_it_fits(use: Callable[[], T]) -> T | None:
    """The result of `use`, or None if memory ran out; the exception, which holds memory, is released then."""
    try:
        return use()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    return None
