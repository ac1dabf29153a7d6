"""Batches: all photos once, the right colours, no batch of one in training."""

import numpy as np
import pytest
import torch
from PIL import Image

from core.files import sha256
from data import color
from data.listing import list_photos
from data.loader import PhotoLoader
from data.manifest import Entry
from data.pack import Packer

_WORLD = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@pytest.fixture
def loader_of(photos, tmp_path):
    """Make a loader of the first `num` test photos."""

    def make(num=None, batch_size=5, classes=()):
        entries = [
            Entry("train", photo, sha256(photo.path)) for photo in list_photos(str(photos)).photos[:num]
        ]
        packer = Packer(tmp_path, image_size=32, resize="squash", max_pixels=10**8, num_workers=2)
        pack, device = packer.pack(entries), torch.device("cpu")
        return PhotoLoader(pack, batch_size=batch_size, device=device, classes=classes)

    return make


def test_every_photo_once_in_order(photos, loader_of):
    batches = list(loader_of())
    assert [len(batch) for batch in batches] == [5, 5, 5, 1]
    names = [name for batch in batches for name in batch.names]
    assert names == [photo.name for photo in list_photos(str(photos)).photos]


def test_lab_of_the_resized_photo(loader_of):
    loader = loader_of()
    batch = next(iter(loader))
    with Image.open(loader.pack.photos[3].path) as image:
        small = image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
    rgb = torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].double() / 255
    expected = color.rgb_to_lab(rgb)[0]
    assert (batch.L[3] - expected[:1]).abs().max() < 1e-3
    assert (batch.ab[3] - expected[1:]).abs().max() < 1e-3


def test_only_training_augments(loader_of):
    loader = loader_of()
    plain = {name: L for batch in loader for name, L in zip(batch.names, batch.L, strict=True)}
    for batch, _ in loader.training_epoch(0, 1):
        for name, L in zip(batch.names, batch.L, strict=True):
            assert (L - plain[name]).abs().mean() > 0.5
            assert (L.mean() - plain[name].mean()).abs() < 15


def test_training_epochs_shuffle_and_repeat_exactly(loader_of):
    loader = loader_of()
    first, again, second = ([batch for batch, _ in loader.training_epoch(7, epoch)] for epoch in (1, 1, 2))
    for a, b in zip(first, again, strict=True):
        assert a.names == b.names
        assert torch.equal(a.L, b.L)
        assert torch.equal(a.ab, b.ab)
    names = [[name for batch in epoch for name in batch.names] for epoch in (first, second)]
    assert names[0] != names[1]
    assert sorted(names[0]) == sorted(names[1])


@pytest.mark.parametrize(("num", "sizes"), [(6, [6]), (11, [5, 6]), (3, [3]), (10, [5, 5]), (12, [5, 5, 2])])
def test_no_training_batch_of_one(loader_of, num, sizes):
    assert [len(batch) for batch, _ in loader_of(num).training_epoch(0, 1)] == sizes


def test_chosen_photos(loader_of):
    loader = loader_of()
    whole = list(loader)
    chosen = loader.batch([7, 2])
    assert chosen.names == (whole[1].names[2], whole[0].names[2])
    assert torch.equal(chosen.ab[0], whole[1].ab[2])


def test_labels_are_indices_of_the_classes(loader_of):
    assert next(iter(loader_of())).labels is None
    loader = loader_of(classes=("another", "class1"))
    batches = [*loader, *(batch for batch, _ in loader.training_epoch(0, 1)), loader.batch([3, 1])]
    for batch in batches:
        expected = [1 if name.startswith("class1/") else -1 for name in batch.names]
        assert batch.labels.tolist() == expected
        assert [part.labels.tolist() for part in batch.split(1)] == [expected]
        assert [label for part in batch.split(2) for label in part.labels.tolist()] == expected


def _with_film(loader, share, seed=3):
    loader.film_augment = share
    return [batch for batch, _ in loader.training_epoch(seed, 1)]


def test_film_of_a_share_of_the_photos(loader_of):
    loader = loader_of()
    plain, some, again, every = (_with_film(loader, share) for share in (0.0, 0.5, 0.5, 1.0))

    def count(seen):
        pairs = zip(plain, seen, strict=True)
        return sum((a.L != b.L).flatten(1).any(dim=1).sum().item() for a, b in pairs)

    assert 0 < count(some) < count(every)
    for a, b in zip(some, again, strict=True):
        assert torch.equal(a.L, b.L)


def test_film_is_the_same_for_any_number_of_processes(loader_of, monkeypatch):
    loader = loader_of()
    alone = {name: L for b in _with_film(loader, 0.5) for name, L in zip(b.names, b.L, strict=True)}
    for rank in range(2):
        for name, value in zip(_WORLD, (rank, 2, rank, 2), strict=True):
            monkeypatch.setenv(name, str(value))
        for batch in _with_film(loader, 0.5):
            for name, L in zip(batch.names, batch.L, strict=True):
                assert (L - alone[name]).abs().max() < 0.01


def test_film_takes_no_colours_but_where_borders_hide_them_and_no_other_random_number(loader_of):
    plain, film, again = loader_of(), loader_of(), loader_of()
    film.film_augment = again.film_augment = 1.0
    epochs = [[b for b, _ in loader.training_epoch(3, 1)] for loader in (plain, film, again)]
    differences = []
    for a, b, c in zip(*epochs, strict=True):
        assert a.names == b.names
        inside = (..., slice(3, -3), slice(3, -3))
        assert torch.equal(a.ab[inside], b.ab[inside])
        assert torch.equal(b.L, c.L)
        differences += (a.L - b.L).abs().mean(dim=(1, 2, 3)).tolist()
    assert sum(d > 0.3 for d in differences) > len(differences) / 2
    for a, b in zip(plain, film, strict=True):
        assert torch.equal(a.L, b.L)
