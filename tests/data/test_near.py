"""Near-duplicates: all pairs that a slow search finds, and no other photos."""

import io
import itertools

import numpy as np
import pytest
import skimage.data
from conftest import crops
from PIL import Image, ImageOps

from data.near import groups_of, hashes_and_copy, near_duplicates, near_pairs


@pytest.mark.parametrize("distance", [0, 3, 6])
def test_bands_find_all_pairs(distance):
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**64, 60, dtype=np.uint64)
    for i in range(1, 60, 2):  # every second is its neighbour with some bits turned
        for bit in rng.choice(64, rng.integers(0, 9), replace=False):
            hashes[i] = hashes[i - 1] ^ np.uint64(1 << int(bit)) if bit % 2 else hashes[i]
    slow = {
        (i, j)
        for i, j in itertools.combinations(range(60), 2)
        if (int(hashes[i]) ^ int(hashes[j])).bit_count() <= distance
    }
    found = {tuple(sorted(pair)) for a, b in near_pairs(hashes, distance) for pair in zip(a, b, strict=True)}
    assert found == slow


def test_a_photo_is_found_in_other_forms():
    """Smaller, in JPEG, gray, mirrored; and no other photo."""
    photo = Image.fromarray(skimage.data.coffee())
    buffer = io.BytesIO()
    photo.resize((150, 100)).save(buffer, "JPEG", quality=30)
    forms = [photo, Image.open(buffer), photo.convert("L"), ImageOps.mirror(photo)]
    photos = [*forms, *map(Image.fromarray, crops(12, 120))]
    hashes, copies = (np.stack(part) for part in zip(*map(hashes_and_copy, photos), strict=True))
    pairs = near_duplicates(hashes, copies)
    assert groups_of(pairs, len(photos)) == [[0, 1, 2, 3]]


def test_plain_pictures_are_no_duplicates():
    photos = [Image.new("L", (40, 30), level) for level in (10, 200)]
    hashes, copies = (np.stack(part) for part in zip(*map(hashes_and_copy, photos), strict=True))
    assert len(near_duplicates(hashes, copies)) == 0
    assert len(near_duplicates(hashes[:0], copies[:0])) == 0
