"""What a file is: by first bytes whatever its ending says, by the ending where they say nothing."""

import imagecodecs
import numpy as np
import pytest
import skimage.data
from PIL import Image

from media.formats import PHOTOS, kind_of
from media.walk import count_endings, sort_files

PIXELS = skimage.data.coffee()[100:140, 150:210]
PILLOW = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "JPEG2000", "AVIF", "PPM")


def write(path, form):
    if form in PILLOW:
        Image.fromarray(PIXELS).save(path, form)
    else:
        path.write_bytes({"JXL": imagecodecs.jpegxl_encode, "JLS": imagecodecs.jpegls_encode}[form](PIXELS))
    return path


@pytest.mark.parametrize("form", [*PILLOW, "JXL", "JLS"])
@pytest.mark.parametrize("name", ["x", "x.txt", "x.mp4", "x.jpg"])
def test_photos_of_any_ending(tmp_path, form, name):
    assert kind_of(write(tmp_path / name, form)) == "photo"


@pytest.mark.parametrize("ending", PHOTOS)
def test_what_is_empty_or_damaged_is_what_its_ending_says(tmp_path, ending):
    path = tmp_path / f"x{ending.upper()}"
    assert kind_of(path) == "photo"
    path.write_bytes(b"no photo")
    assert kind_of(path) == "photo"


@pytest.mark.parametrize(
    ("name", "start", "kind"),
    [
        ("module.ts", b"export const x: number = 1;\n", None),
        ("module.mts", b"", None),
        ("tape.ts", (b"G" + bytes(187)) * 3, "clip"),
        ("tape.m2ts", (bytes(4) + b"G" + bytes(187)) * 3, "clip"),
        ("torn.ts", bytes(range(256)), "clip"),
        ("tape", b"\0\0\0\x20ftypisom" + bytes(40), "clip"),
        ("tape.jpg", b"\0\0\0\x20ftypqt  " + bytes(40), "clip"),
        ("photo.mp4", b"\0\0\0\x20ftypavif" + bytes(40), "photo"),
        ("tape.bin", b"\x1aE\xdf\xa3" + bytes(40), "clip"),
        ("x.mp4", b"", "clip"),
        ("notes.txt", b"P1 is the first, BM the second", None),
        ("sound.ogg", b"OggS" + bytes(24) + b"\x01vorbis", None),
        ("film.ogg", b"OggS" + bytes(24) + b"\x80theora", "clip"),
    ],
)
def test_first_bytes(tmp_path, name, start, kind):
    (tmp_path / name).write_bytes(start)
    assert kind_of(tmp_path / name) == kind


def test_a_folder_is_sorted(tmp_path):
    write(tmp_path / "a.jp2", "JPEG2000")
    write(tmp_path / "b", "PNG")
    (tmp_path / "c.mov").write_bytes(b"no clip")
    for name in ("a.jp2.xmp", "b.xmp", "other.xmp", "letter.doc", "letter2.DOC", "Makefile", ".hidden.doc"):
        (tmp_path / name).write_text("text")
    files = sort_files(tmp_path, recursive=False)
    assert [path.name for path in files.photos] == ["a.jp2", "b"]
    assert [path.name for path in files.clips] == ["c.mov"]
    assert count_endings(files.others) == "4 files were no photos or clips: .doc 2, .xmp 1, none 1"
    assert count_endings(files.others[:1]).startswith("1 file was no photo or clip: ")


def test_a_text_is_no_bitmap(tmp_path):
    """Of two letters alone, as BMP begins with, one cannot tell."""
    (tmp_path / "x").write_bytes(b"BM" + bytes(np.arange(60, dtype=np.uint8)))
    assert kind_of(tmp_path / "x") is None
