"""IPTC, texts and comments through every format, and a word on what a format has no place for."""

import logging

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, PngImagePlugin

from media import attach
from media.encode import save_picture
from media.metadata import Metadata, mark_inferred
from media.picture import Picture, load_picture

COLORS = skimage.data.chelsea()[100:140, 100:160]
IPTC = b"\x1c\x02\x78\x00\x07caption\x1c\x02\x50\x00\x05odd!\xe9"  # 22 bytes, of Latin-1
TEXTS = (("Title", "Ein Titel"), ("Comment", "línea ŭnikodo"))


def load(path):
    return load_picture(path, max_pixels=10**6).metadata


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.tif"])
def test_iptc_comes_back(tmp_path, name, depth):
    for iptc in (IPTC, IPTC + b"\x1c\x02\x19\x00\x01k"):  # of even and of odd length
        picture = Picture(COLORS.astype(depth), None, Metadata(iptc=iptc))
        save_picture(tmp_path / name, picture, quality=95)
        assert load(tmp_path / name).iptc.rstrip(b"\0") == iptc


def test_iptc_is_where_other_programs_look(tmp_path):
    picture = Picture(COLORS, None, Metadata(iptc=IPTC))
    save_picture(tmp_path / "x.jpg", picture, quality=95)
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.info["photoshop"][0x0404] == IPTC
    save_picture(tmp_path / "x.tif", picture, quality=95)
    with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
        assert bytes(tiff.pages[0].tags[33723].value) == IPTC


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_texts_of_a_png(tmp_path, depth):
    save_picture(tmp_path / "x.png", Picture(COLORS.astype(depth), None, Metadata(texts=TEXTS)), quality=95)
    assert load(tmp_path / "x.png").texts == TEXTS
    with Image.open(tmp_path / "x.png") as image:
        image.load()
        assert image.text == dict(TEXTS)


def test_what_a_scanner_wrote_is_read(tmp_path):
    info = PngImagePlugin.PngInfo()
    info.add_text("Title", "Ein Titel")
    info.add_text("Comment", "a word", zip=True)
    Image.fromarray(COLORS).save(tmp_path / "x.png", pnginfo=info)
    assert load(tmp_path / "x.png").texts == (("Title", "Ein Titel"), ("Comment", "a word"))
    Image.fromarray(COLORS).save(tmp_path / "x.jpg", comment="a word")
    assert load(tmp_path / "x.jpg").texts == (("Comment", "a word"),)


def test_a_comment_of_a_jpeg_stays(tmp_path):
    save_picture(tmp_path / "x.jpg", Picture(COLORS, None, Metadata(texts=TEXTS)), quality=95)
    with Image.open(tmp_path / "x.jpg") as image:
        assert image.info["comment"].decode() == "línea ŭnikodo"


@pytest.mark.parametrize(
    ("name", "lost"), [("x.jpg", "texts"), ("x.tif", "texts"), ("x.webp", "IPTC"), ("x.bmp", "IPTC")]
)
def test_what_is_lost_is_named_once(tmp_path, caplog, name, lost):
    attach._warn.cache_clear()
    picture = Picture(COLORS, None, Metadata(iptc=IPTC, texts=TEXTS))
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            save_picture(tmp_path / name, picture, quality=95)
    assert sum(lost in message for message in caplog.messages) == 1


def test_a_gif_has_no_place_for_the_resolution(tmp_path, caplog):
    attach._warn.cache_clear()
    save_picture(tmp_path / "x.gif", Picture(COLORS, None, Metadata(dpi=(300, 300))), quality=95)
    assert "GIF has no place for dots per inch, left out here" in caplog.text


@pytest.mark.parametrize(("alpha", "expected"), [(255, ""), (254, "JPEG has no place for transparency")])
def test_transparency_is_not_lost_without_a_word(tmp_path, caplog, alpha, expected):
    attach._warn.cache_clear()
    opacity = np.full(COLORS.shape[:2], alpha, np.uint8)
    save_picture(tmp_path / "x.png", Picture(COLORS, opacity), quality=95)
    assert not caplog.text
    save_picture(tmp_path / "x.jpg", Picture(COLORS, opacity), quality=95)
    assert bool(expected) == bool(caplog.text)
    assert expected in caplog.text


def test_texts_in_exif_stay_with_the_resolution(tmp_path):
    exif = Image.Exif()
    exif[270] = "Übersicht".encode("latin-1")
    save_picture(
        tmp_path / "x.webp", Picture(COLORS, None, Metadata(exif.tobytes(), dpi=(300, 300))), quality=95
    )
    with Image.open(tmp_path / "x.webp") as image:
        assert image.getexif()[270] == "Übersicht"


def test_records_beyond_a_segment(tmp_path, caplog):
    attach._warn.cache_clear()
    save_picture(tmp_path / "x.jpg", Picture(COLORS, None, Metadata(iptc=b"\x1c" * 70_000)), quality=95)
    assert load(tmp_path / "x.jpg").iptc == b""
    assert "64 KB" in caplog.text


def exif_of(num):
    exif = Image.Exif()
    exif[270] = b"x" * num
    return exif.tobytes()


@pytest.mark.parametrize("num", [65_000, 65_533, 70_000])
def test_what_is_longer_than_a_segment(tmp_path, caplog, num):
    attach._warn.cache_clear()
    metadata = Metadata(exif_of(num), b"x" * num, texts=(("Comment", "x" * num),))
    with caplog.at_level(logging.WARNING):
        save_picture(tmp_path / "x.jpg", Picture(COLORS, None, metadata), quality=95)
    found = load(tmp_path / "x.jpg")
    stays = {65_000: 3, 65_533: 1, 70_000: 0}[num]
    assert [bool(found.exif), bool(found.xmp), bool(found.texts)].count(True) == stays
    assert len(caplog.messages) == 3 - stays


def test_the_padding_of_a_packet_is_left_out(tmp_path):
    rdf = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
    body = f'<rdf:RDF xmlns:rdf="{rdf}"><rdf:Description rdf:about="" mine="1"/></rdf:RDF>'
    xmp = f'<?xpacket begin=""?>{body}{" " * 65_300}<?xpacket end="w"?>'.encode()
    metadata = mark_inferred(Metadata(xmp=xmp), "me")
    save_picture(tmp_path / "x.jpg", Picture(COLORS, None, metadata), quality=95)
    found = load(tmp_path / "x.jpg").xmp
    assert b'mine="1"' in found
    assert found.endswith(b'</rdf:RDF><?xpacket end="w"?>')
    assert len(found) < 1000
