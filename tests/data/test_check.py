"""The check mode: what it says of a folder of which everything is known."""

import json

import numpy as np
import pytest
from conftest import crops, fill
from PIL import Image, ImageOps

from core.files import read_csv
from data import check
from data.findings import Finding
from data.near import hashes_and_copy


@pytest.fixture
def folder(tmp_path):
    """16 photos, and one of every kind of trouble, made of the first."""
    folder = fill(tmp_path / "photos")
    first = Image.fromarray(crops(1)[0])
    gray = np.asarray(first.convert("L"))[..., None] / 255
    first.save(folder / "copy_a.png")
    (folder / "copy_b.png").write_bytes((folder / "copy_a.png").read_bytes())
    ImageOps.mirror(first).resize((48, 48)).save(folder / "mirror.jpg")
    first.convert("L").save(folder / "gray.png")
    Image.fromarray((255 * gray ** [0.7, 1, 1.5]).astype(np.uint8)).save(folder / "sepia.png")
    ImageOps.expand(first, 12, "white").save(folder / "border.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    return folder


def test_everything_is_found(cli, folder, tmp_path):
    test = tmp_path / "test"
    test.mkdir()
    Image.fromarray(crops(2)[1]).resize((100, 100)).save(test / "leak.png")
    before = sorted(folder.rglob("*"))
    done = cli("--mode=check", f"--data_dir={folder}", f"--test_dir={test}", f"--run_dir={tmp_path / 'out'}")
    assert done.code == 0, done.err
    rows = {row["name"]: row for row in read_csv(tmp_path / "out" / "check.csv")}
    assert len(rows) == 23
    kinds = {name: rows[f"{name}.png"]["kind"] for name in ("gray", "sepia", "border")}
    assert kinds == {"gray": "gray", "sepia": "toned", "border": "color"}
    assert [name for name, row in rows.items() if row["border"]] == ["border.png"]
    assert "broken.jpg is damaged" in rows["broken.jpg"]["unreadable"]
    assert rows["copy_a.png"]["copy_of"] == rows["copy_b.png"]["copy_of"] == "class0/photo 00.png"
    of_first = {"copy_a.png", "copy_b.png", "mirror.jpg", "gray.png", "sepia.png", "border.png"}
    assert len({rows[name]["near_group"] for name in of_first}) == 1
    assert [name for name, row in rows.items() if row["leak_of"]] == ["class1/photo 01.jpg"]
    assert rows["class1/photo 01.jpg"]["leak_of"] == "leak.png"
    assert {rows[name]["split"] for name in ("gray.png", "broken.jpg")} == {""}
    summary = json.loads((tmp_path / "out" / "check.json").read_text())
    kinds = summary["kinds"]  # some of the crops are in one hue
    assert (kinds["gray"], sum(kinds.values())) == (1, 22)
    assert summary["short_side"]["p50"] == 64
    assert summary["near_duplicates"] == {"groups": 1, "photos": 7, "groups_across_splits": 1}
    assert (
        f"{kinds['color']} in colour, 1 gray, {kinds['toned']} in one hue, 1 unreadable, 1 with" in done.out
    )
    assert "groups in several splits, 1 of --test_dir too\n" in done.out
    assert sorted(folder.rglob("*")) == before


def test_no_test_folder_is_spoken_of_where_there_is_none(cli, folder, tmp_path):
    done = cli("--mode=check", f"--data_dir={folder}", f"--run_dir={tmp_path / 'out'}")
    assert "groups in several splits\n" in done.out
    assert "--test_dir" not in done.out


def test_the_splits_are_those_of_a_training(cli, folder, tmp_path):
    run, out = tmp_path / "run", tmp_path / "out"
    flags = (f"--data_dir={folder}", "--seed=7", "--subset_size=15")
    checking = cli("--mode=check", *flags, f"--run_dir={out}")
    assert checking.code == 0
    assert checking.out.startswith("a training would leave out: ")
    train = ("--mode=train", "--epochs=1", "--image_size=32", "--batch_size=8", "--device=cpu")
    training = cli(*train, *flags, f"--run_dir={run}", "--max_rejected=0.5")
    assert training.code == 0
    assert "\nleft out: " in f"\n{training.out}"
    drawn = {row["name"]: row["split"] for row in read_csv(run / "manifest.csv")}
    checked = {row["name"]: row["split"] for row in read_csv(out / "check.csv") if row["split"]}
    assert checked == drawn


def test_thousands_of_copies_are_one_group():
    findings = [
        Finding(sha256="a", fault="", marks=hashes_and_copy(Image.fromarray(crop)))
        for crop in (crops(2)[0],) * 3000 + (crops(2)[1],)
    ]
    within, across = check._near(findings, num=2990)
    assert within == [(0, index) for index in range(1, 2990)]
    assert across == [(index, 2990) for index in range(2990)]


def test_a_copy_of_a_plain_test_photo_is_a_leak(cli, tmp_path):
    """Near-duplicates are found by what is seen, of which a plain photo has nothing."""
    photos, test = tmp_path / "photos", tmp_path / "test"
    for folder in (photos, test):
        folder.mkdir()
        Image.new("RGB", (60, 40), "teal").save(folder / f"{folder.name}_plain.png")
        (folder / "empty.png").touch()  # of which two are no leak
    Image.new("RGB", (60, 40), "brown").save(photos / "other.png")
    done = cli("--mode=check", f"--data_dir={photos}", f"--test_dir={test}", f"--run_dir={tmp_path / 'out'}")
    assert done.code == 0, done.err
    leaks = {row["name"]: row["leak_of"] for row in read_csv(tmp_path / "out" / "check.csv")}
    assert leaks == {"photos_plain.png": "test_plain.png", "other.png": "", "empty.png": ""}


def test_the_flag_of_a_missing_folder_is_named(cli, folder, tmp_path):
    for flag in ("data_dir", "test_dir"):
        argv = {"data_dir": folder, "test_dir": folder, flag: tmp_path / "none"}
        outcome = cli("--mode=check", *(f"--{name}={value}" for name, value in argv.items()))
        assert outcome.code == 2
        assert outcome.error.startswith(f"error: --{flag}={tmp_path / 'none'} does not exist")
        assert ("--download" in outcome.error) == (flag == "data_dir")


def test_a_picture_of_a_few_pixels_counts_as_unreadable(cli, folder, tmp_path):
    Image.new("RGB", (1, 1), "red").save(folder / "dot.png")
    done = cli("--mode=check", f"--data_dir={folder}", f"--run_dir={tmp_path / 'out'}")
    assert "2 unreadable" in done.out
    rows = {row["name"]: row for row in read_csv(tmp_path / "out" / "check.csv")}
    assert rows["dot.png"]["split"] == ""
    assert "too few for a photo" in rows["dot.png"]["unreadable"]


def test_a_dry_run_writes_nothing(cli, folder, tmp_path):
    done = cli("--mode=check", f"--data_dir={folder}", f"--run_dir={tmp_path / 'out'}", "--dry_run")
    assert "would look into 23 photos" in done.out
    assert not (tmp_path / "out").exists()
