"""Remember the earlier shots of a clip: a shot that comes back gets the colours that it had."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from inference.shipped_encoder import shipped_encoder
from inference.transfer import Impression, nearest, places_of, pull, remember

# Number of frames remembered, the first and last of each shot; the oldest are dropped.
_REMEMBERED = 32
_STATE = "shots"


class Shots:
    """The first and the last frame of the last shots, but of the clip's first its last alone; 50 kB each."""

    def __init__(self, state: Mapping[str, Tensor]) -> None:
        """
        Args:
            state: `state` of an earlier instance; other keys are ignored.
        """
        names = {key.rpartition(".")[0] for key in state if key.startswith(_STATE)}
        self._frames = [
            Impression(*(state[f"{name}.{part}"] for part in Impression.__annotations__))
            for name in sorted(names)
        ]

    @property
    def state(self) -> dict[str, Tensor]:
        """All remembered frames, as named tensors."""
        return {
            f"{_STATE}.{number:02}.{part}": getattr(frame, part)
            for number, frame in enumerate(self._frames)
            for part in Impression.__annotations__
        }

    def end(self, L: Tensor, ab: Tensor) -> None:
        """Remember the last frame of a shot.

        Args:
            L: (1, 1, h, w) in [0, 100].
            ab: (1, 2, h, w), the colours that it was given.
        """
        self._frames.append(remember(places_of(L, shipped_encoder()), L, ab))

    def begin(self, L: Tensor, ab: Tensor) -> Tensor | None:
        """Find out whether a shot was seen before, and remember its first frame.

        Args:
            L: (1, 1, h, w) in [0, 100].
            ab: (1, 2, h, w), a model's colours for it, CIELAB units.
        Returns:
            The shift (1, 2, h, w) to add to the model's colours throughout the shot; None: the shot is new.
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
