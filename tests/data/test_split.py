"""The draw: the same everywhere, honest about what it leaves out."""

import os
import random
import shutil

import numpy as np
import pytest
from conftest import NUM_PHOTOS, crops, fill
from PIL import Image

from core.errors import UserError
from core.files import read_csv
from data.inspection import SMALLEST
from data.listing import Listing, Photo, list_photos
from data.manifest import SPLITS
from data.split import draw_manifest, order, share_out

RATIOS = (0.7, 0.15, 0.15)


def draw_from(folder, **changes):
    options = {
        "seed": 42,
        "subset_size": 30_000,
        "ratios": RATIOS,
        "max_pixels": 10**8,
        "max_rejected": 0.1,
        "num_workers": 2,
        "rejected_path": None,
    }
    listing = folder if isinstance(folder, Listing) else list_photos(str(folder))
    return draw_manifest(listing, **(options | changes))


def names(manifest, split="all"):
    return [entry.photo.name for entry in manifest.of(split)]


@pytest.mark.parametrize(
    ("total", "ratios", "expected"),
    [
        (30_000, RATIOS, [21_000, 4_500, 4_500]),
        (10, RATIOS, [7, 2, 1]),
        (20, RATIOS, [14, 3, 3]),
        (12, RATIOS, [8, 2, 2]),
        (4, RATIOS, [2, 1, 1]),
        (3, RATIOS, [1, 1, 1]),
        (5, (0.98, 0.01, 0.01), [3, 1, 1]),
        (7, (0, 0, 1), [0, 0, 7]),
        (7, (0.9, 0.1, 0), [6, 1, 0]),
        (1, (1, 0, 0), [1, 0, 0]),
        (3_000_000, (0.5000005, 0.5, 0), [1_500_001, 1_499_999, 0]),
        (3_000_000, (0.9999995, 0, 0), [3_000_000, 0, 0]),
    ],
)
def test_share_out(total, ratios, expected):
    assert share_out(total, ratios) == expected


@pytest.mark.parametrize("total", range(3, 200))
def test_share_out_is_within_one_of_exact_or_the_minimum(total):
    counts = share_out(total, RATIOS)
    assert sum(counts) == total
    for count, ratio in zip(counts, RATIOS, strict=True):
        assert count == 1 or abs(count - total * ratio) < 1 or total * min(RATIOS) < 1


def test_too_few_photos():
    with pytest.raises(UserError, match="2 photos are too few for 3 splits"):
        share_out(2, RATIOS)


def test_split_covers_the_folder_once(photos):
    manifest = draw_from(photos)
    assert sorted(names(manifest)) == sorted(photo.name for photo in list_photos(str(photos)).photos)
    assert manifest.counts() == {"train": 11, "val": 3, "test": 2}
    assert [len(manifest.of(split)) for split in SPLITS] == [11, 3, 2]
    assert manifest.of("train", limit=3) == manifest.of("train")[:3]


def test_known_order():
    """Written down, so that a change that would move everybody's split cannot pass unseen."""
    photos = [Photo(f"{i}.jpg", None, "", f"{i}.jpg") for i in range(10)]
    shuffled = random.Random(0).sample(photos, 10)
    assert [p.name[0] for p in order(photos, seed=42)] == list("4806519732")
    assert [p.name[0] for p in order(shuffled, seed=42)] == list("4806519732")
    assert [p.name[0] for p in order(photos, seed=43)] != list("4806519732")


def test_a_new_photo_moves_nobody(tmp_path):
    folder = fill(tmp_path)
    before = names(draw_from(folder))
    Image.fromarray(crops(NUM_PHOTOS + 1)[-1]).save(folder / "new.png")
    after = names(draw_from(folder))
    assert [name for name in after if name != "new.png"] == before


def test_subset_is_the_head_of_the_order(photos):
    assert names(draw_from(photos, subset_size=8)) == names(draw_from(photos))[:8]


def test_bad_photos_are_replaced_by_the_next(tmp_path):
    folder = fill(tmp_path / "photos")
    whole = names(draw_from(folder))
    gray = folder / whole[2]
    with Image.open(gray) as image:
        pixels = np.asarray(image.convert("L"))
    Image.fromarray(pixels).save(gray)
    (folder / whole[4]).write_bytes(b"broken")
    manifest = draw_from(folder, subset_size=10, max_rejected=0.5, rejected_path=tmp_path / "rejected.csv")
    assert names(manifest) == [name for i, name in enumerate(whole[:12]) if i not in (2, 4)]
    rejected = {row["name"]: row["reason"] for row in read_csv(tmp_path / "rejected.csv")}
    assert rejected.keys() == {whole[2], whole[4]}
    assert "gray" in rejected[whole[2]]
    assert "not a photo" in rejected[whole[4]]


def test_pictures_of_a_few_pixels_are_no_photos(tmp_path):
    folder = fill(tmp_path / "photos")
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    Image.fromarray(crops(1)[0][: SMALLEST - 1]).save(folder / "rule.png")
    Image.fromarray(crops(1)[0][:SMALLEST]).save(folder / "low.png")
    manifest = draw_from(folder, max_rejected=0.5, rejected_path=tmp_path / "rejected.csv")
    assert len(manifest.entries) == NUM_PHOTOS + 1
    rejected = {row["name"]: row["reason"] for row in read_csv(tmp_path / "rejected.csv")}
    assert rejected == {
        "dot.png": "dot.png has 1x1 pixels: too few for a photo",
        "rule.png": f"rule.png has 64x{SMALLEST - 1} pixels: too few for a photo",
    }


def test_photos_after_the_subset_are_not_opened(tmp_path):
    folder = fill(tmp_path / "photos")
    whole = names(draw_from(folder))
    for name in whole[8:]:
        (folder / name).write_bytes(b"broken")
    assert names(draw_from(folder, subset_size=8)) == whole[:8]


def test_copies_count_once(tmp_path):
    folder = fill(tmp_path / "photos")
    whole = names(draw_from(folder))
    for name in whole[:5]:
        shutil.copy(folder / name, folder / f"copy of {os.path.basename(name)}")
    manifest = draw_from(folder, rejected_path=tmp_path / "rejected.csv")
    assert len(manifest.entries) == NUM_PHOTOS
    assert len({entry.sha256 for entry in manifest.entries}) == NUM_PHOTOS
    reasons = [row["reason"] for row in read_csv(tmp_path / "rejected.csv")]
    assert len(reasons) == 5
    assert all(reason.startswith("copy of ") for reason in reasons)


def test_too_many_bad_photos(tmp_path):
    folder = fill(tmp_path / "photos")
    for name in names(draw_from(folder))[:3]:
        (folder / name).write_bytes(b"broken")
    path = tmp_path / "rejected.csv"
    with pytest.raises(UserError, match=r"unreadable or gray.*rejected\.csv.*--max_rejected"):
        draw_from(folder, rejected_path=path)
    assert read_csv(path)
    assert len(draw_from(folder, max_rejected=0.2).entries) == NUM_PHOTOS - 3


def test_copies_of_a_gray_photo_count_once(tmp_path):
    folder = fill(tmp_path)
    for i in range(6):
        Image.new("RGB", (40, 40), (90, 90, 90)).save(folder / f"gray {i}.png")
    assert len(draw_from(folder).entries) == NUM_PHOTOS


def test_groups_stay_together():
    manifest = draw_from("sample")
    groups = {split: {entry.photo.group for entry in manifest.of(split)} for split in SPLITS}
    assert all(groups.values())
    assert not groups["train"] & groups["val"]
    assert not groups["train"] & groups["test"]
    assert not groups["val"] & groups["test"]
