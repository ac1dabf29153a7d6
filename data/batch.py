"""What a loader hands to a model."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor


@dataclass(frozen=True)
class Batch:
    """N photos in CIELAB, on one device.

    Attributes:
        L: (N, 1, H, W) float32, lightness in [0, 100].
        ab: (N, 2, H, W) float32, true a* and b*.
        names: N names, as in the manifest.
        labels: (N,) int64, the class of each photo, -1 where it has none of those trained on; None where
            the photos have no classes.
        seeds: (N,) int64 on the CPU; all that is random about a photo, but its augmentation, follows from its
            own: in training from (seed, epoch, photo), else from its name alone.
    """

    L: Tensor
    ab: Tensor
    names: tuple[str, ...]
    labels: Tensor | None = None
    seeds: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def split(self, num: int) -> list[Batch]:
        """The same photos in `num` batches of nearly equal size, in order."""
        ends = [len(self) * i // num for i in range(num + 1)]
        return [self._part(slice(start, end)) for start, end in pairwise(ends)]

    def _part(self, which: slice) -> Batch:
        labels = None if self.labels is None else self.labels[which]
        seeds = None if self.seeds is None else self.seeds[which]
        return Batch(self.L[which], self.ab[which], self.names[which], labels, seeds)
