"""manifest.csv: written, read again, and found again in a folder that has changed."""

import dataclasses
import itertools
from pathlib import Path

import pytest

from core.errors import UserError
from core.files import sha256
from data.listing import Photo, list_photos
from data.manifest import SPLITS, Entry, Manifest, read_manifest


def test_manifest_round_trip(photos, tmp_path):
    listing = list_photos(str(photos))
    splits = itertools.cycle(SPLITS)
    manifest = Manifest.of_entries(tuple(Entry(next(splits), p, f"{p.name} \xe9") for p in listing.photos))
    path = tmp_path / "manifest.csv"
    manifest.write(path)
    assert sha256(path) == manifest.sha256
    assert read_manifest(path, listing) == manifest
    gone = manifest.entries[0].photo.name
    left = dataclasses.replace(listing, photos=tuple(photo for photo in listing.photos if photo.name != gone))
    assert read_manifest(path, left).missing == (gone,)
    with pytest.raises(UserError, match="--data_dir"):
        read_manifest(path, dataclasses.replace(listing, photos=()))


def test_classes_are_those_of_the_training_photos():
    def manifest(*rows):
        entries = [Entry(split, Photo(label, Path(label), label, ""), "") for split, label in rows]
        return Manifest(tuple(entries), "")

    three = [("train", "sea"), ("train", ""), ("train", "field"), ("train", "sea"), ("val", "attic")]
    assert manifest(*three).classes == ("field", "sea")
    assert manifest(("train", "sea"), ("train", "")).classes == ()


def test_file_that_is_no_manifest(photos, tmp_path):
    (tmp_path / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="is not a manifest"):
        read_manifest(tmp_path / "manifest.csv", list_photos(str(photos)))
