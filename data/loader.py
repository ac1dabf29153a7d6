"""Batches of (L, ab) from a pack."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from core.distributed import share, world
from data.augment import MIN_CROP, random_affine, warp_affine
from data.batch import Batch
from data.color import rgb_to_lab
from data.film import draw_film, film_lab
from data.listing import encode
from data.pack import Pack

_BATCHES_AHEAD = 2
# Largest share of the free device memory for photos; the rest is for the network.
_RESIDENT_SHARE = 0.5


class PhotoLoader:
    """Load batches from a pack: photos are copied to the device as uint8, and converted there."""

    def __init__(
        self,
        pack: Pack,
        *,
        batch_size: int,
        device: torch.device,
        on_device: str = "auto",
        min_crop: float = MIN_CROP,
        film_augment: float = 0.0,
        classes: Sequence[str] = (),
    ) -> None:
        """
        Args:
            pack: the photos of one split.
            batch_size: photos per batch, of all processes together; the last batch may be smaller.
            device: of the batches.
            on_device: 'yes' copies the whole pack to the device once, 'no' copies batch by batch, 'auto'
                decides by the free memory. On the CPU they are the same.
            min_crop: in training, the smallest share of a photo's area that a crop keeps.
            film_augment: in training, the share of photos to which `film_lab` may apply effects.
            classes: the labels are indices into these; empty: no labels.
        """
        self.pack = pack
        self.batch_size = batch_size
        self.device = device
        self.min_crop = min_crop
        self.film_augment = film_augment
        self.labels = self._label(classes) if classes else None
        self.resident = self._copy_all() if self._fits(on_device) else None

    def __len__(self) -> int:
        """Number of photos, not of batches."""
        return len(self.pack)

    def __iter__(self) -> Iterator[Batch]:
        """Yield this process's share of the photos in batches, in order, without augmentation."""
        size = max(1, self.batch_size // world().size)
        for indices, rgb in self._batches(_cut(share(range(len(self.pack))), size)):
            yield self._to_batch(indices, rgb.float().div_(255))

    def training_epoch(self, seed: int, epoch: int) -> Iterator[tuple[Batch, int]]:
        """Yield batches of every photo once, shuffled and augmented, deterministically by (seed, epoch).

        Each process gets its share of every batch; order and augmentation do not depend on the number
        of processes. No share is a single photo, whose variance batch norm could not compute: a last
        batch that is too small is merged into the previous one.

        Yields:
            This process's part of a batch, and the number of photos in the whole batch.
        """
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
        film_generator = torch.Generator().manual_seed(epoch_seed(seed, epoch) ^ 1)
        seed_generator = torch.Generator().manual_seed(epoch_seed(seed, epoch) ^ 2)
        seeds = torch.randint(2**62, (len(self.pack),), generator=seed_generator)
        order = torch.randperm(len(self.pack), generator=generator).tolist()
        batches = _cut(order, self.batch_size, smallest=2 * world().size)
        shares = self._batches([share(batch) for batch in batches])
        for batch, (indices, rgb) in zip(batches, shares, strict=True):
            mine = list(share(range(len(batch))))
            theta = random_affine(len(batch), generator, self.min_crop)[mine]
            rgb = warp_affine(rgb.float().div_(255), theta)
            film = None
            if self.film_augment:
                film = draw_film(len(batch), film_generator, self.film_augment)[mine]
            yield self._to_batch(indices, rgb, film, seeds[list(indices)]), len(batch)

    def batch(self, indices: Sequence[int]) -> Batch:
        """Load the photos of some indices, without augmentation."""
        return self._to_batch(indices, self._to_device(self._fetch(indices)).float().div_(255))

    def _batches(self, chunks: Sequence[Sequence[int]]) -> Iterator[tuple[Sequence[int], Tensor]]:
        """Yield (indices, (N, 3, S, S) uint8 on the device), and prefetch the next batches in a thread."""
        if self.resident is not None:
            for chunk in chunks:
                yield chunk, self.resident[torch.tensor(chunk, device=self.device)]
            return
        with ThreadPoolExecutor(1) as pool:
            ahead: deque[tuple[Sequence[int], Future[Tensor]]] = deque()
            try:
                for chunk in chunks:
                    ahead.append((chunk, pool.submit(self._fetch, chunk)))
                    if len(ahead) > _BATCHES_AHEAD:
                        first, rgb = ahead.popleft()
                        yield first, self._to_device(rgb.result())
                for first, rgb in ahead:
                    yield first, self._to_device(rgb.result())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _fetch(self, chunk: Sequence[int]) -> Tensor:
        """Read a batch from the memory map, for a GPU into pinned memory."""
        rgb = self.pack.gather(chunk)
        return rgb.pin_memory() if self.device.type == "cuda" else rgb

    def _to_device(self, rgb: Tensor) -> Tensor:
        return rgb.to(self.device, non_blocking=True)

    def _to_batch(
        self,
        indices: Sequence[int],
        rgb: Tensor,
        film: Tensor | None = None,
        seeds: Tensor | None = None,
    ) -> Batch:
        lab = rgb_to_lab(rgb) if film is None else film_lab(rgb, film)
        names = tuple(self.pack.photos[i].name for i in indices)
        labels = None if self.labels is None else self.labels[list(indices)]
        seeds = torch.tensor([seed_of(name) for name in names]) if seeds is None else seeds
        return Batch(L=lab[:, :1], ab=lab[:, 1:], names=names, labels=labels, seeds=seeds)

    def _label(self, classes: Sequence[str]) -> Tensor:
        index = {name: i for i, name in enumerate(classes)}
        return torch.tensor([index.get(photo.label, -1) for photo in self.pack.photos], device=self.device)

    def _fits(self, on_device: str) -> bool:
        if self.device.type != "cuda" or on_device == "no" or not len(self.pack):
            return False
        free, _ = torch.cuda.mem_get_info(self.device)
        return on_device == "yes" or self.pack.nbytes < _RESIDENT_SHARE * free

    def _copy_all(self) -> Tensor:
        """Copy the whole pack to the device, in parts, so that the host holds only one at a time."""
        parts = range(0, len(self.pack), self.batch_size)
        step = self.batch_size
        return torch.cat(
            [self._fetch(range(i, min(i + step, len(self.pack)))).to(self.device) for i in parts]
        )


def _cut(indices: Sequence[int], size: int, smallest: int = 1) -> list[Sequence[int]]:
    """Cut into batches of `size`; a last one of fewer than `smallest` is merged into the previous one."""
    if not indices:
        return []
    starts = list(range(0, len(indices), size))
    if len(starts) > 1 and len(indices) - starts[-1] < smallest:
        starts.pop()
    return [indices[start:end] for start, end in zip(starts, [*starts[1:], len(indices)], strict=True)]


def epoch_seed(seed: int, epoch: int) -> int:
    """Derive the seed of an epoch, so that resuming needs no saved random state."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> 1)


def seed_of(name: str) -> int:
    """Derive the seed of a photo outside training from its name, in [0, 2^62)."""
    return int.from_bytes(hashlib.sha256(encode(name)).digest()[:8], "big") >> 2
