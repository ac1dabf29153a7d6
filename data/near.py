"""Find near-duplicate photos: candidates by a 64-bit difference hash, verified on a small copy."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

MAX_DISTANCE = 6
"""Largest Hamming distance of the hashes of near-duplicates, bits."""
_ALIKE = 0.95  # smallest correlation of their small copies
_SIDE = 16  # side of a small copy, pixels
_BITS = 64


def hashes_and_copy(photo: Image.Image) -> tuple[np.ndarray, np.ndarray]:
    """Compute the marks of a photo, which hardly depend on its size, format and quality.

    Returns:
        (2,) uint64, the difference hashes of the photo and of its mirror image: whether each of 8x9 pixels is
        darker than the next in its row; and a gray copy (16, 16) uint8.
    """
    gray = photo.convert("L")
    cells = np.asarray(gray.resize((9, 8), Image.Resampling.BOX)).astype(int)
    bits = [np.diff(seen, axis=1).ravel() > 0 for seen in (cells, cells[:, ::-1])]
    hashes = np.array([np.packbits(b).view(np.uint64)[0] for b in bits])
    return hashes, np.asarray(gray.resize((_SIDE, _SIDE), Image.Resampling.BOX))


def near_duplicates(hashes: np.ndarray, copies: np.ndarray) -> np.ndarray:
    """Find pairs of near-duplicates, of which one may be mirrored.

    Args:
        hashes: (n, 2) uint64, of `hashes_and_copy`.
        copies: (n, 16, 16) uint8.
    Returns:
        (m, 2) int64, indices, the smaller first.
    """
    num = len(hashes)
    both = np.concatenate((hashes[:, 0], hashes[:, 1]))
    shown = np.concatenate((copies, copies[:, :, ::-1])).reshape(2 * num, _SIDE**2).astype(np.float32)
    shown -= shown.mean(axis=1, keepdims=True)
    shown /= np.linalg.norm(shown, axis=1, keepdims=True) + 1e-6
    found = [np.empty((0, 2), np.int64)]
    for first, second in near_pairs(both, MAX_DISTANCE):
        first, second = np.minimum(first, second), np.maximum(first, second)
        # Indices from `num` on are mirror images. A pair of two mirror images is dropped, since their photos
        # are a pair too; so is a photo with its own mirror image.
        is_new = (first < num) & (second % num != first)
        first, second = first[is_new], second[is_new]
        alike = (shown[first] * shown[second]).sum(axis=1) >= _ALIKE
        pairs = np.stack((first[alike], second[alike] % num), axis=1)
        found.append(np.sort(pairs, axis=1))
    return np.unique(np.concatenate(found), axis=0)


def near_pairs(hashes: np.ndarray, distance: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Find all pairs of hashes with a Hamming distance of at most d; some pairs are found twice.

    Two hashes that differ in d bits are equal in at least one of d + 1 bands of bits. Sorted by a band,
    hashes with an equal band are adjacent: each is compared with the next, the one after that, and so on.

    Args:
        hashes: (n,) uint64.
        distance: d, bits.
    Yields:
        Indices (k,) of the first and of the second hash of k pairs.
    """
    edges = np.linspace(0, _BITS, distance + 2).round().astype(int)
    for low, high in itertools.pairwise(edges.tolist()):
        band = (hashes >> np.uint64(low)) & np.uint64(2 ** (high - low) - 1)
        order = np.argsort(band, kind="stable")
        band, sorted_hashes = band[order], hashes[order]
        left = np.arange(len(hashes))
        for step in itertools.count(1):
            left = left[: np.searchsorted(left, len(hashes) - step)]
            left = left[band[left] == band[left + step]]
            if not len(left):
                break
            differing = np.bitwise_count(sorted_hashes[left] ^ sorted_hashes[left + step])
            near = left[differing <= distance]
            if len(near):
                yield order[near], order[near + step]


def groups_of(pairs: np.ndarray, num: int) -> list[list[int]]:
    """Connected components of the pairs (m, 2) among `num` photos: sorted indices, single photos omitted."""
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(num, num))
    _, labels = connected_components(graph, directed=False)
    members: dict[int, list[int]] = {}
    for index in np.unique(pairs).tolist():
        members.setdefault(int(labels[index]), []).append(index)
    return list(members.values())
