"""The shots of a clip that went before: one that comes back gets the colours that it had."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from inference.shipped_encoder import shipped_encoder
from inference.transfer import Impression, nearest, places_of, pull, remember

# First and last frames of shots that are remembered; the oldest is forgotten.
_REMEMBERED = 32
_STATE = "shots"


class Shots:
    """The first and the last frame of each of the last shots, as impressions of some 50 kB."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """
        Args:
            state: what an earlier one had, among other things.
        """
        names = {key.rpartition(".")[0] for key in state if key.startswith(_STATE)}
        self._frames = [
            Impression(*(state[f"{name}.{part}"] for part in Impression.__annotations__))
            for name in sorted(names)
        ]

    @property
    def state(self) -> dict[str, Tensor]:
        """All that it remembers."""
        return {
            f"{_STATE}.{number:02}.{part}": getattr(frame, part)
            for number, frame in enumerate(self._frames)
            for part in Impression.__annotations__
        }

    def end(self, L: Tensor, ab: Tensor) -> None:
        """Keep the last frame of a shot.

        Args:
            L: (1, 1, h, w) in [0, 100].
            ab: (1, 2, h, w), the colours that it was given.
        """
        self._frames.append(remember(places_of(L, shipped_encoder()), L, ab))

    def begin(self, L: Tensor, ab: Tensor) -> Tensor | None:
        """Look whether a shot comes back, and keep its first frame.

        Args:
            L: (1, 1, h, w) in [0, 100].
            ab: (1, 2, h, w), a model's colours for it, CIELAB units.
        Returns:
            What to add to the model's colours in all of the shot, (1, 2, h, w); None: it is new.
        """
        places = places_of(L, shipped_encoder())
        found = nearest(places, [frame.places for frame in self._frames])
        shift = None
        if found is not None:
            shift = pull(remember(places, L, ab), self._frames[found], (L.shape[-2], L.shape[-1]))
            ab = ab + shift
        self._frames.append(remember(places, L, ab))
        del self._frames[:-_REMEMBERED]
        return shift
