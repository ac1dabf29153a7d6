"""Inspect all photos of a listing in parallel, and decide whether a training can use them."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from PIL import Image

from core.distributed import gather, num_cores, share
from data.listing import Photo
from media.decode import PhotoError, is_gray

T = TypeVar("T")

SMALLEST = 8
"""Pixels of the short side of a photo; smaller pictures are dots and rules, which show nothing."""


def read(photo: Photo, max_pixels: int) -> tuple[str, Image.Image | None, str]:
    """Read and decode a photo.

    Returns:
        (SHA-256 of the file, RGB image, ''); or ('', None, the reason why it cannot be read, or is no photo:
        a side of less than `SMALLEST` pixels).
    """
    try:
        with photo.open() as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            pixels = photo.decode(file, max_pixels=max_pixels)
    except PhotoError as error:
        return "", None, str(error)
    except OSError as error:
        return "", None, f"{photo.name}: {error.strerror or error}"
    if min(pixels.size) < SMALLEST:
        return "", None, f"{photo.name} has {pixels.width}x{pixels.height} pixels: too few for a photo"
    return digest, pixels, ""


def fault_of(photo: Photo, pixels: Image.Image) -> str:
    """The reason why a training cannot use a readable photo, or ''."""
    return f"{photo.name} is gray: no colour to learn" if is_gray(pixels) else ""


def each(
    photos: Sequence[Photo], inspect: Callable[[Photo], T], num_workers: int
) -> Iterator[tuple[Photo, T]]:
    """Apply `inspect` to photos, in threads of all processes (Pillow decodes without the GIL).

    Args:
        photos: to inspect.
        inspect: called once for each photo.
        num_workers: threads per process, 0 for one per core.
    Yields:
        (photo, result), in order, on every process.
    """
    workers = num_workers or num_cores()
    size = 32 * sum(gather(workers))  # equal on all processes, even if their machines differ
    with ThreadPoolExecutor(workers) as pool:
        for start in range(0, len(photos), size):
            chunk = photos[start : start + size]
            results = gather(list(pool.map(inspect, share(chunk))))
            yield from zip(chunk, itertools.chain.from_iterable(results), strict=True)
