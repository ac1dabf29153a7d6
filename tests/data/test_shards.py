"""Tar files in WebDataset's layout: listed, split, packed and trained on as the same photos in a folder."""

import io
import tarfile

import numpy as np
import pytest
import torch
from conftest import SETTINGS, crops

from core.errors import UserError
from core.files import read_csv, sha256
from core.runs import CONFIG, LAST, MANIFEST
from data.listing import list_folder
from data.pack import Packer
from data.shards import list_members
from data.split import draw_manifest
from media.decode import PhotoError


def encode(array, suffix):
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, {"png": "PNG", "jpg": "JPEG"}[suffix])
    return buffer.getvalue()


def write_tar(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


@pytest.fixture
def shards(tmp_path):
    """16 photos in three tar files, with classes and other components."""
    folder = tmp_path / "shards"
    for i, part in enumerate(np.array_split(np.arange(16), 3)):
        files = {}
        for k in part:
            files[f"{k:04}.png"] = encode(crops(16)[k], "png")
            files[f"{k:04}.cls"] = b"%d\n" % (k % 2)
            files[f"{k:04}.json"] = b"{}"
            files[f"{k:04}.mask.png"] = b"not a photo"
        write_tar(folder / f"{i:03}.tar", files)
    return folder


@pytest.fixture
def unpacked(shards, tmp_path):
    """The same photos as files: each tar file a folder of its name."""
    folder = tmp_path / "unpacked"
    for path in shards.iterdir():
        with tarfile.open(path) as tar:
            # As a keyword it is unknown before Python 3.11.4.
            tar.extraction_filter = getattr(tarfile, "data_filter", None)
            for member in tar:
                if member.name.count(".") == 1 and member.name.endswith(".png"):
                    tar.extract(member, folder / path.name)
    return folder


def dotted(folder):
    """Name the photos of tar files as `tar -C folder .` does: ./0000.png."""
    for path in folder.iterdir():
        with tarfile.open(path) as tar:
            files = {f"./{member.name}": tar.extractfile(member).read() for member in tar}
        write_tar(path, files)
    return folder


def draw_from(folder):
    return draw_manifest(
        list_folder(folder),
        seed=1,
        subset_size=None,
        ratios=(0.7, 0.2, 0.1),
        max_pixels=10**6,
        max_rejected=0.1,
        num_workers=2,
        rejected_path=None,
    )


def test_members(shards):
    members = list_members(shards / "000.tar")
    assert [m.name for m in members] == [f"{k:04}.png" for k in range(6)]
    assert [m.label for m in members] == ["0", "1", "0", "1", "0", "1"]
    data = (shards / "000.tar").read_bytes()
    offset, size = members[3].span
    assert data[offset : offset + size] == encode(crops(16)[3], "png")


@pytest.mark.parametrize("pack", [lambda folder: folder, dotted], ids=["plain", "dotted"])
def test_the_same_split_and_pixels_as_from_files(shards, unpacked, tmp_path, pack):
    shards = pack(shards)
    first, second = draw_from(shards), draw_from(unpacked)
    drawn = [[(e.split, e.photo.name, e.sha256) for e in m.entries] for m in (first, second)]
    assert drawn[0] == drawn[1]
    packer = Packer(tmp_path / "pack", image_size=32, resize="squash", max_pixels=10**6, num_workers=2)
    pixels = {}
    for manifest in (first, second):
        pack = packer.pack(manifest.entries)
        for i, photo in enumerate(pack.photos):
            pixels.setdefault(photo.name, []).append(pack.gather([i]))
    assert len(pixels) == 16
    assert all((a == b).all() for a, b in pixels.values())


def test_a_sample_stays_together(tmp_path):
    photos = crops(8)
    files = {f"{k}.{s}": encode(photos[k], s) for k in range(8) for s in ("png", "jpg")}
    manifest = draw_from(write_tar(tmp_path / "a.tar", files))
    for key in range(8):
        assert len({e.split for e in manifest.entries if f"/{key}." in e.photo.name}) == 1


def test_training_and_testing_from_shards(cli, shards, tmp_path):
    argv = [f"--data_dir={shards}", f"--run_dir={tmp_path / 'run'}", *SETTINGS]
    assert cli("--mode=train", *argv).code == 0
    rows = read_csv(tmp_path / "run" / MANIFEST)
    assert {row["label"] for row in rows} == {"0", "1"}
    assert all(row["name"].split("/")[0].endswith(".tar") for row in rows)
    # Another day, from the manifest.
    assert cli("--mode=test", f"--run_dir={tmp_path / 'run'}", "--device=cpu").code == 0


def test_a_run_of_names_with_dots_goes_on(cli, shards, tmp_path):
    """Such names were once listed as they are in the tar file."""
    run = tmp_path / "run"
    assert cli("--mode=train", f"--data_dir={shards}", f"--run_dir={run}", *SETTINGS).code == 0
    dotted(shards)
    manifest = run / MANIFEST
    before = sha256(manifest)
    manifest.write_text(manifest.read_text().replace(".tar/", ".tar/./"))
    (run / CONFIG).write_text((run / CONFIG).read_text().replace(before, sha256(manifest)))
    state = torch.load(run / LAST, weights_only=True)
    torch.save(state | {"manifest_sha256": sha256(manifest)}, run / LAST)
    more = cli("--mode=train", f"--run_dir={run}", "--resume", "--epochs=3", "--device=cpu")
    assert more.code == 0, more.err
    assert cli("--mode=test", f"--run_dir={run}", "--device=cpu").code == 0


def test_one_tar_file(cli, shards, tmp_path):
    argv = [f"--data_dir={shards / '000.tar'}", f"--run_dir={tmp_path / 'run'}", *SETTINGS, "--dry_run"]
    outcome = cli("--mode=train", *argv)
    assert outcome.code == 0
    assert "6 photos listed" in outcome.out


def test_folders_and_unusual_members(tmp_path):
    photo = encode(crops(1)[0], "png")
    names = ("sky/1.png", "sky/.hidden.png", "Ω é.png", "./2.PNG", "/sea/4.png")
    path = write_tar(tmp_path / "x.tar", dict.fromkeys(names, photo))
    with tarfile.open(path, "a") as tar:
        link = tarfile.TarInfo("3.png")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(link)
    listing = list_folder(tmp_path)
    assert {(p.name, p.label) for p in listing.photos} == {
        ("x.tar/sky/1.png", "sky"),
        ("x.tar/Ω é.png", ""),
        ("x.tar/2.PNG", ""),
        ("x.tar/sea/4.png", "sea"),
    }


def test_truncated(shards, caplog):
    path = shards / "001.tar"
    whole = list_members(path)
    offset, size = whole[2].span
    path.write_bytes(path.read_bytes()[: offset + size // 2])
    photos = {p.name: p for p in list_folder(shards).photos if p.path == path}
    with photos["001.tar/" + whole[0].name].open() as file:
        assert len(file.read()) == whole[0].span[1]
    if (last := "001.tar/" + whole[2].name) in photos:
        with pytest.raises(PhotoError, match="ends within"):
            photos[last].open()
    else:
        assert "left out" in caplog.text


@pytest.mark.parametrize("content", [b"", b"no tar at all" * 100])
def test_no_tar(tmp_path, content):
    (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises(UserError, match="holds no photo"):
        list_folder(tmp_path)


def test_compressed(tmp_path, caplog):
    (tmp_path / "x.tar.gz").write_bytes(b"")
    with pytest.raises(UserError, match="holds no photo"):
        list_folder(tmp_path)
    assert "compressed and left out" in caplog.text


def test_a_name_that_occurs_twice(tmp_path):
    """What `tar --append` leaves of a photo that was replaced: the last counts, as when unpacked."""
    first, second = (encode(photo, "png") for photo in crops(2))
    path = write_tar(tmp_path / "x.TAR", {"1.png": first})
    with tarfile.open(path, "a") as tar:
        info = tarfile.TarInfo("1.png")
        info.size = len(second)
        tar.addfile(info, io.BytesIO(second))
    (photo,) = list_folder(tmp_path).photos
    assert photo.name == "x.TAR/1.png"
    with photo.open() as file:
        assert file.read() == second
