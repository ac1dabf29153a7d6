"""Listing: which files count, what they are called, and what is fetched."""

import os

import pytest
import torchvision.datasets
from PIL import Image

from core.errors import UserError
from data.listing import SAMPLE_GROUPS, download_places, list_photos


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def names(root):
    return [photo.name for photo in list_photos(str(root)).photos]


def test_recursive_sorted_and_of_any_letter_case(tmp_path):
    wanted = ["a/b/2.JPEG", "a/1.jpg", "z.PNG", "B.tif", "c.webp", "d.bmp", "e.TIFF", "f.gif", "g.jxl"]
    touch(tmp_path, *wanted, "notes.txt", ".hidden.jpg", ".git/y.jpg", "a/.cache/z.png")
    assert names(tmp_path) == sorted(wanted)


def test_class_is_the_parent_folder(tmp_path):
    touch(tmp_path, "top.jpg", "beach/1.jpg", "country/forest/2.jpg")
    labels = {photo.name: photo.label for photo in list_photos(str(tmp_path)).photos}
    assert labels == {"top.jpg": "", "beach/1.jpg": "beach", "country/forest/2.jpg": "forest"}


def test_places365_classes_come_from_its_lists(tmp_path):
    touch(tmp_path, "val_256/Places365_val_00000001.jpg", "val_256/Places365_val_00000002.jpg")
    (tmp_path / "categories_places365.txt").write_text("/a/airfield 0\n/b/bazaar/indoor 1\n")
    (tmp_path / "places365_val.txt").write_text(
        "Places365_val_00000001.jpg 1\nPlaces365_val_00000002.jpg 0\n"
    )
    photos = list_photos(str(tmp_path)).photos
    assert [photo.label for photo in photos] == ["bazaar/indoor", "airfield"]
    (tmp_path / "places365_val.txt").write_text("Places365_val_00000001.jpg 7\n")
    with pytest.raises(UserError, match="places365_val"):
        list_photos(str(tmp_path))


def test_folder_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "photos/a/1.jpg", "elsewhere/2.jpg")
    try:
        (tmp_path / "photos" / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        (tmp_path / "photos" / "a" / "up").symlink_to(tmp_path / "photos", target_is_directory=True)
    except OSError:
        pytest.skip("no links here")
    assert names(tmp_path / "photos") == ["a/1.jpg", "link/2.jpg"]


@pytest.mark.parametrize("name", ["a b.jpg", "é.jpg", "new\nline.jpg", 'quote".jpg'])
def test_odd_names(tmp_path, name):
    try:
        touch(tmp_path, name)
    except OSError:
        pytest.skip("this file system has no such name")
    assert len(names(tmp_path)) == 1


def test_accents_are_the_same_on_every_file_system(tmp_path):
    touch(tmp_path / "composed", "caf\u00e9.jpg")
    touch(tmp_path / "decomposed", "cafe\u0301.jpg")
    listings = [list_photos(str(tmp_path / folder)) for folder in ("composed", "decomposed")]
    assert listings[0].sha256() == listings[1].sha256()
    assert all(listing.photos[0].path.exists() for listing in listings)


def test_missing_and_empty_folders(tmp_path):
    with pytest.raises(UserError, match=r"does not exist.*sample.*--download"):
        list_photos(str(tmp_path / "none"))
    with pytest.raises(UserError, match="holds no photo"):
        list_photos(str(tmp_path))
    touch(tmp_path, "file")
    with pytest.raises(UserError, match="is not a folder"):
        list_photos(str(tmp_path / "file"))


def test_sample_is_there_and_in_color():
    photos = list_photos("sample").photos
    assert {photo.group for photo in photos} == set(SAMPLE_GROUPS.values())
    assert len({photo.name for photo in photos}) == len(photos) == 10 * len(SAMPLE_GROUPS)
    for photo in photos:
        with Image.open(photo.path) as image:
            assert image.mode == "RGB"
            if photo.box:
                left, upper, right, lower = photo.box
                assert 0 <= left < right <= image.width
                assert 0 <= upper < lower <= image.height


def fake_places(calls, fail=False):
    def places365(root, split, small, download):
        calls.append((split, small, download))
        if fail:
            raise OSError("no route to host")
        touch(root, "val_256/Places365_val_00000001.jpg", "val_256/Places365_val_00000002.jpg")
        (root / "categories_places365.txt").write_text("/a/airfield 0\n")
        (root / "places365_val.txt").write_text(
            "Places365_val_00000001.jpg 0\nPlaces365_val_00000002.jpg 0\n"
        )

    return places365


def test_download_happens_once(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(torchvision.datasets, "Places365", fake_places(calls))
    root = tmp_path / "datasets" / "places365"
    download_places(root)
    download_places(root)
    assert calls == [("val", True, True)]
    assert len(names(root)) == 2


def test_half_an_unpacked_archive_is_fetched_anew(tmp_path, monkeypatch):
    calls = []
    monkeypatch.setattr(torchvision.datasets, "Places365", fake_places(calls))
    download_places(tmp_path)
    os.remove(tmp_path / "val_256" / "Places365_val_00000002.jpg")
    download_places(tmp_path)
    assert len(calls) == 2
    assert len(names(tmp_path)) == 2


def test_failed_download_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(torchvision.datasets, "Places365", fake_places([], fail=True))
    with pytest.raises(UserError, match=r"no route to host.*--data_dir"):
        download_places(tmp_path)
