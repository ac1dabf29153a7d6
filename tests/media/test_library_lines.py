"""What libraries say of a file reaches people with the file's name, once."""

import io
import logging
import os
import threading

import pytest
import skimage.data
from PIL import Image
from processes import run_forked

from core.files import read_csv
from media.library_lines import reading
from media.libtiff_lines import _find

GRAY = Image.fromarray(skimage.data.astronaut()[:64, :64]).convert("L")


def cut_tiff(path):
    GRAY.save(path, compression="tiff_lzw")
    path.write_bytes(path.read_bytes()[:3000])


def bad_exif(path):
    GRAY.save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + bytes(range(50)))


@pytest.mark.parametrize(
    ("name", "make", "said"),
    [
        ("cut.tif", cut_tiff, "invalid offset to first page"),
        ("exif.jpg", bad_exif, "Corrupt EXIF data. Expecting to read 12 bytes but only got"),
    ],
)
def test_lines_name_the_file(cli, vivid, tmp_path, caplog, name, make, said):
    make(tmp_path / name)
    cli("--mode=predict", f"--image_path={tmp_path / name}", f"--weights={vivid}", "--device=cpu")
    told = [line for line in caplog.messages if said in line]
    assert len(told) == 1
    assert told[0].startswith(f"{tmp_path / name}: {said}")


def cut_fax(path):
    data = io.BytesIO()
    GRAY.convert("1").save(data, "TIFF", compression="group4")
    start = data.getvalue().index(b"II*\0") + 8
    path.write_bytes(data.getvalue()[: start + 20] + b"\x55\xaa" * 20 + data.getvalue()[start + 60 :])


@pytest.mark.skipif(not _find(), reason="Pillow came without a libtiff of its own")
def test_lines_of_libtiff_name_the_file(vivid, tmp_path):
    """In a process of its own, for they go past Python; one of each kind, which the report keeps."""
    folder = tmp_path / "scans"
    folder.mkdir()
    cut_fax(folder / "a.tif")
    cut_fax(folder / "b.tif")
    done = run_forked("--mode=predict", f"--image_path={folder}", f"--weights={vivid}", "--device=cpu")
    assert done.code == 0, done.err
    lines = [line for line in done.err.splitlines() if "Fax4Decode" in line]
    assert len(lines) == len(set(lines)) <= 8
    for name in ("a.tif", "b.tif"):
        own = [line for line in lines if line.startswith(f"warning: {folder / name}: Fax4Decode: ")]
        assert 1 <= len(own) <= 4
    assert len(lines) == sum(line.startswith(f"warning: {folder}") for line in lines)
    rows = read_csv(tmp_path / "scans_colorized" / "report.csv")
    assert all("Fax4Decode: " in row["warning"] for row in rows)


def test_a_file_with_odd_tags_is_told_of_once(cli, vivid, tmp_path):
    """Nothing comes out of a library by itself."""
    bad_exif(tmp_path / "exif.jpg")
    outcome = cli("--mode=predict", f"--image_path={tmp_path / 'exif.jpg'}", f"--weights={vivid}")
    assert outcome.code == 0
    assert "site-packages" not in outcome.err
    assert "warnings.warn" not in outcome.err


def test_of_its_own_thread_alone(caplog):
    """Photos are read in several threads."""
    both = threading.Barrier(2)

    def read(name):
        with reading(name):
            both.wait(10)
            logging.getLogger("tifffile").warning(
                "<tifffile.TiffPage 0 @8> odd tag in %s", os.path.basename(name)
            )
            both.wait(10)

    threads = [threading.Thread(target=read, args=(name,)) for name in ("below/a.tif", "below/b.tif")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(caplog.messages) == ["below/a.tif: odd tag in a.tif", "below/b.tif: odd tag in b.tif"]
