"""The pack: the right pixels, built once, whole or not at all, whatever interrupts it."""

import os
import shutil
import signal
import sys

import numpy as np
import pytest
from conftest import fill
from PIL import Image
from processes import start

from core.errors import UserError
from core.files import sha256
from data import pack as module
from data.listing import Photo, list_photos
from data.manifest import Entry
from data.pack import Packer


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(module, "SHARD_PHOTOS", 6)


def entries_of(folder):
    return [Entry("train", photo, sha256(photo.path)) for photo in list_photos(str(folder)).photos]


def packer(folder, **changes):
    options = {"image_size": 32, "resize": "squash", "max_pixels": 10**8, "num_workers": 2}
    return Packer(folder, **(options | changes))


def files_of(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_pixels_are_those_of_the_resized_photos(photos, tmp_path):
    entries = entries_of(photos)
    pack = packer(tmp_path).pack(entries)
    assert len(pack) == 16
    assert [shard.shape for shard in pack.shards] == [(6, 3, 32, 32), (6, 3, 32, 32), (4, 3, 32, 32)]
    for i in (0, 7, 15):
        with Image.open(entries[i].photo.path) as image:
            small = image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
        assert (pack.gather([i])[0].permute(1, 2, 0).numpy() == np.asarray(small)).all()
    order = [15, 0, 7, 0]
    together = pack.gather(order)
    assert all((together[k] == pack.gather([i])[0]).all() for k, i in enumerate(order))


def test_reused_when_valid(photos, tmp_path, monkeypatch):
    entries = entries_of(photos)
    packer(tmp_path).pack(entries)
    before = {path: path.stat().st_mtime_ns for path in files_of(tmp_path)}
    monkeypatch.setattr(Photo, "decode", pytest.fail)
    assert len(packer(tmp_path).pack(entries)) == 16
    assert {path: path.stat().st_mtime_ns for path in files_of(tmp_path)} == before


@pytest.mark.parametrize("change", [{"image_size": 40}, {"resize": "crop"}])
def test_another_resize_is_another_pack(photos, tmp_path, change):
    entries = entries_of(photos)
    packer(tmp_path).pack(entries)
    packer(tmp_path, **change).pack(entries)
    assert len(list(tmp_path.iterdir())) == 2


def test_other_photos_are_another_pack(photos, tmp_path):
    entries = entries_of(photos)
    packer(tmp_path).pack(entries)
    packer(tmp_path).pack(entries[:-1])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["cut", "gone", "no reasons", "garbage", "empty"])
def test_damaged_shards_are_rebuilt(photos, tmp_path, damage):
    entries = entries_of(photos)
    whole = packer(tmp_path).pack(entries).gather(range(16))
    shard = next(tmp_path.glob("*/00001.npy"))
    kept = next(tmp_path.glob("*/00000.npy"))
    modified = kept.stat().st_mtime_ns
    if damage == "cut":
        shard.write_bytes(shard.read_bytes()[:-100])
    elif damage == "gone":
        shard.unlink()
    elif damage == "garbage":
        shard.write_bytes(b"no shard")
    elif damage == "empty":
        shard.write_bytes(b"")
    else:
        shard.with_suffix(".json").unlink()
    assert (packer(tmp_path).pack(entries).gather(range(16)) == whole).all()
    assert kept.stat().st_mtime_ns == modified


def test_bad_photos_are_left_out_and_named(tmp_path, caplog):
    folder = fill(tmp_path / "photos")
    entries = entries_of(folder)
    whole = packer(tmp_path / "whole").pack(entries)
    for i in (3, 8):
        entries[i].photo.path.write_bytes(b"broken")
    pack = packer(tmp_path / "pack").pack(entries)
    kept = [i for i in range(16) if i not in (3, 8)]
    assert [photo.name for photo in pack.photos] == [entries[i].photo.name for i in kept]
    assert (pack.gather(range(14)) == whole.gather(kept)).all()
    for i in (3, 8):
        assert str(entries[i].photo.path) in caplog.text
    caplog.clear()
    assert len(packer(tmp_path / "pack").pack(entries)) == 14
    assert len(caplog.records) == 2


def test_what_can_be_read_again_is_packed_again(tmp_path, monkeypatch):
    """A network drive that was away for a moment costs no photo of later runs."""
    entries = entries_of(fill(tmp_path / "photos"))
    whole = packer(tmp_path / "whole").pack(entries)
    decode = Photo.decode

    def fail_now(photo, *args, **options):
        if photo == entries[3].photo:
            raise OSError("Input/output error")
        return decode(photo, *args, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Photo, "decode", fail_now)
        assert len(packer(tmp_path / "pack").pack(entries)) == 15
    again = packer(tmp_path / "pack").pack(entries)
    assert len(again) == 16
    assert (again.gather(range(16)) == whole.gather(range(16))).all()


def test_a_photo_that_is_another_now_is_left_out(tmp_path, caplog):
    folder = fill(tmp_path / "photos")
    entries = entries_of(folder)
    entries[3].photo.path.write_bytes(entries[4].photo.path.read_bytes())
    assert len(packer(tmp_path / "pack").pack(entries)) == 15
    assert "has changed since the split was drawn" in caplog.text


def pack_and_die(photos, folder):
    """In a process of its own."""
    resize, calls = module.resize, []

    def resize_or_die(*args, **options):
        calls.append(None)
        if len(calls) > 9:
            os.kill(os.getpid(), signal.SIGKILL)
        return resize(*args, **options)

    module.SHARD_PHOTOS, module.resize = 6, resize_or_die
    packer(folder, num_workers=1).pack(entries_of(photos))


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")
def test_killed_while_packing(photos, tmp_path):
    """A child kills itself in the second shard: the first stays, and packing goes on from there."""
    child = start(pack_and_die, photos, tmp_path)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    (first,) = tmp_path.glob("*/*.npy")
    modified = first.stat().st_mtime_ns
    entries = entries_of(photos)
    pack = packer(tmp_path).pack(entries)
    assert first.stat().st_mtime_ns == modified
    assert (pack.gather(range(16)) == packer(tmp_path / "new").pack(entries).gather(range(16))).all()


def test_too_little_space(photos, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(UserError, match=r"16 photos needs 0\.0 GB.*--pack_dir"):
        packer(tmp_path / "new" / "place").pack(entries_of(photos))
    assert not (tmp_path / "new").exists()


def test_disk_full_half_way(photos, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"cannot write the pack.*No space left.*--pack_dir"):
        packer(tmp_path).pack(entries_of(photos))
    assert files_of(tmp_path) == []


def test_what_a_kill_left_goes_but_not_what_is_being_written(photos, tmp_path):
    entries = entries_of(photos)
    packer(tmp_path).pack(entries)
    (folder,) = tmp_path.iterdir()
    next(folder.glob("*.npy")).unlink()
    old, new = folder / ".colorizer-old.tmp", folder / ".colorizer-new.tmp"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    packer(tmp_path).pack(entries)
    assert not old.exists()
    assert new.exists()
