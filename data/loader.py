"""Batches of (L, ab) for a list of photos."""

from __future__ import annotations

import logging
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import torch
from torch import Tensor

from data.augment import augment
from data.batch import Batch
from data.color import rgb_to_lab
from data.photos import PhotoError, load_photo, resize
from data.places import Photo

log = logging.getLogger(__name__)

_BATCHES_AHEAD = 2


class PhotoLoader:
    """Decode photos in threads and hand them out as batches in CIELAB.

    Threads, not processes: Pillow decodes and resizes outside Python's lock, nothing has to be
    pickled or started anew, and Ctrl-C stops all of it.
    """

    def __init__(
        self,
        photos: Sequence[Photo],
        *,
        batch_size: int,
        image_size: int,
        resize: str,
        max_pixels: int,
        num_workers: int,
        device: torch.device,
    ) -> None:
        """
        Args:
            photos: what to load.
            batch_size: photos per batch; the last batch may be smaller.
            image_size, resize: side of the square in pixels, and how a photo gets there.
            max_pixels: larger photos count as unreadable.
            num_workers: decoding threads, 0 for one per core.
            device: where the batches go.
        """
        self.photos = list(photos)
        self.batch_size = batch_size
        self.image_size = image_size
        self.resize = resize
        self.max_pixels = max_pixels
        self.num_workers = num_workers or os.cpu_count() or 1
        self.device = device

    def __iter__(self) -> Iterator[Batch]:
        """Every photo once, in order, as it is."""
        for names, rgb in self._decoded(range(len(self.photos))):
            yield _to_batch(names, rgb.to(self.device).float() / 255)

    def training_epoch(self, seed: int, epoch: int) -> Iterator[Batch]:
        """Every photo once, shuffled and augmented; all of it follows from (seed, epoch).

        No batch holds a single photo, of which batch norm could not take a variance: a last one is
        joined to the batch before it, and one that the others fell out of is dropped.
        """
        generator = torch.Generator().manual_seed(epoch_seed(seed, epoch))
        indices = torch.randperm(len(self.photos), generator=generator).tolist()
        for names, rgb in self._decoded(indices, join_single=True):
            augmented = augment(rgb.to(self.device).float() / 255, generator)
            if len(names) > 1:
                yield _to_batch(names, augmented)

    def _decoded(
        self, indices: Sequence[int], join_single: bool = False
    ) -> Iterator[tuple[tuple[str, ...], Tensor]]:
        """(names, (N, 3, S, S) uint8) in batches, decoded ahead; unreadable photos are left out."""
        chunks = [indices[i : i + self.batch_size] for i in range(0, len(indices), self.batch_size)]
        if join_single and len(chunks) > 1 and len(chunks[-1]) == 1:
            chunks[-2:] = [indices[-self.batch_size - 1 :]]
        with ThreadPoolExecutor(self.num_workers) as pool:
            ahead: deque[list[Future[tuple[str, np.ndarray] | None]]] = deque()
            try:
                for chunk in chunks:
                    ahead.append([pool.submit(self._decode, self.photos[i]) for i in chunk])
                    if len(ahead) > _BATCHES_AHEAD:
                        yield from _stack(ahead.popleft())
                while ahead:
                    yield from _stack(ahead.popleft())
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _decode(self, photo: Photo) -> tuple[str, np.ndarray] | None:
        try:
            image = load_photo(photo.path, max_pixels=self.max_pixels, box=photo.box)
        except PhotoError as error:
            log.warning("left out: %s", error)
            return None
        return photo.name, np.asarray(resize(image, self.image_size, self.resize))


def epoch_seed(seed: int, epoch: int) -> int:
    """A seed of its own for every epoch, so that resuming at one needs no saved random state."""
    return int(np.random.SeedSequence((seed, epoch)).generate_state(1, np.uint64)[0] >> 1)


def _stack(futures: list[Future[tuple[str, np.ndarray] | None]]) -> Iterator[tuple[tuple[str, ...], Tensor]]:
    loaded = [item for item in (future.result() for future in futures) if item is not None]
    if loaded:
        names, pixels = zip(*loaded, strict=True)
        yield names, torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


def _to_batch(names: tuple[str, ...], rgb: Tensor) -> Batch:
    lab = rgb_to_lab(rgb)
    return Batch(L=lab[:, :1], ab=lab[:, 1:], names=names)
