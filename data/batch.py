"""The batch type that loaders pass to models."""

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
        labels: (N,) int64, the class of each photo, -1 if it is not one of the training classes; None if the
            photos have no classes.
        seeds: (N,) int64 on the CPU, the seed of each photo for all randomness except the augmentation;
            derived from (seed, epoch, photo) in training, otherwise from the photo's name.
    """

    L: Tensor
    ab: Tensor
    names: tuple[str, ...]
    labels: Tensor | None = None
    seeds: Tensor | None = None

    def __len__(self) -> int:
        return len(self.names)

    def split(self, num: int) -> list[Batch]:
        """Split into `num` batches of nearly equal size, in order."""
        ends = [len(self) * i // num for i in range(num + 1)]
        return [self._part(slice(start, end)) for start, end in pairwise(ends)]

    def _part(self, which: slice) -> Batch:
        labels = None if self.labels is None else self.labels[which]
        seeds = None if self.seeds is None else self.seeds[which]
        return Batch(self.L[which], self.ab[which], self.names[which], labels, seeds)
