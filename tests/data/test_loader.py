"""Batches: all photos once, the right colours, no batch of one in training, bad photos left out."""

import numpy as np
import pytest
import torch
from conftest import fill
from PIL import Image

from data import color
from data.loader import PhotoLoader
from data.places import list_photos


def loader_of(folder, **changes):
    options = {
        "batch_size": 5,
        "image_size": 32,
        "resize": "squash",
        "max_pixels": 10**8,
        "num_workers": 2,
        "device": torch.device("cpu"),
    }
    photos = list_photos(str(folder)).photos
    return PhotoLoader(photos[: changes.pop("num", None)], **(options | changes))


def test_every_photo_once_in_order(photos):
    batches = list(loader_of(photos))
    assert [len(batch) for batch in batches] == [5, 5, 5, 1]
    names = [name for batch in batches for name in batch.names]
    assert names == [photo.name for photo in list_photos(str(photos)).photos]


def test_lab_of_the_resized_photo(photos):
    loader = loader_of(photos)
    batch = next(iter(loader))
    with Image.open(loader.photos[3].path) as image:
        small = image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    rgb = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].double() / 255
    expected = color.rgb_to_lab(rgb)[0]
    assert (batch.L[3] - expected[:1]).abs().max() < 1e-3
    assert (batch.ab[3] - expected[1:]).abs().max() < 1e-3


def test_training_epochs_shuffle_and_repeat_exactly(photos):
    loader = loader_of(photos)
    first, again, second = (list(loader.training_epoch(7, epoch)) for epoch in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert a.names == b.names
        assert torch.equal(a.L, b.L)
        assert torch.equal(a.ab, b.ab)
    names = [[name for batch in epoch for name in batch.names] for epoch in (first, second)]
    assert names[0] != names[1]
    assert sorted(names[0]) == sorted(names[1])


@pytest.mark.parametrize(("num", "sizes"), [(6, [6]), (11, [5, 6]), (3, [3]), (10, [5, 5]), (12, [5, 5, 2])])
def test_no_training_batch_of_one(photos, num, sizes):
    assert [len(batch) for batch in loader_of(photos, num=num).training_epoch(0, 1)] == sizes


def test_a_photo_that_turned_bad_costs_a_warning(tmp_path, caplog):
    folder = fill(tmp_path)
    loader = loader_of(folder)
    bad = loader.photos[2]
    bad.path.write_bytes(b"broken")
    names = [name for batch in loader for name in batch.names]
    assert len(names) == 15
    assert bad.name not in names
    assert str(bad.path) in caplog.text


def test_batches_of_bad_photos_are_left_out(tmp_path):
    folder = fill(tmp_path)
    loader = loader_of(folder)
    for photo in loader.photos[:9]:
        photo.path.unlink()
    assert [len(batch) for batch in loader] == [1, 5, 1]
    assert all(len(batch) > 1 for epoch in range(5) for batch in loader.training_epoch(0, epoch))


def test_stopping_early_stops_the_threads(photos):
    for _ in loader_of(photos, batch_size=1):
        break
