"""Decoding: every kind of file becomes the right sRGB colours, every bad one a named error."""

import io
import logging
import os
import struct

import numpy as np
import pytest
import skimage.data
from conftest import swapped_profile
from PIL import Image, ImageCms

from media.decode import PhotoError, is_gray, resize
from media.photo import load_photo

PIXELS = skimage.data.coffee()[100:180, 150:270]  # (80, 120, 3)


def load(path, **options):
    return np.asarray(load_photo(path, max_pixels=options.pop("max_pixels", 10**6), **options))


def difference(a, b):
    return np.abs(a.astype(int) - b.astype(int))


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".TIFF"])
def test_lossless_formats(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(PIXELS).save(path)
    assert (load(path) == PIXELS).all()


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp"])
def test_lossy_formats(tmp_path, suffix):
    path = tmp_path / f"x{suffix}"
    Image.fromarray(PIXELS).save(path, quality=95)
    assert difference(load(path), PIXELS).mean() < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(tmp_path, orientation):
    """A camera that was turned stores turned pixels and says so; the photo must come out upright."""
    turned_by_camera = {
        1: lambda x: x,
        2: np.fliplr,
        3: lambda x: np.rot90(x, 2),
        4: np.flipud,
        5: lambda x: x.transpose(1, 0, 2),
        6: lambda x: np.rot90(x, 1),
        7: lambda x: np.rot90(x, 2).transpose(1, 0, 2),
        8: lambda x: np.rot90(x, -1),
    }
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = np.ascontiguousarray(turned_by_camera[orientation](PIXELS))
    Image.fromarray(stored).save(tmp_path / "x.png", exif=exif)
    assert (load(tmp_path / "x.png") == PIXELS).all()


def test_gray_and_bilevel(tmp_path):
    gray = PIXELS[..., 0]
    Image.fromarray(gray).save(tmp_path / "gray.png")
    assert (load(tmp_path / "gray.png") == gray[..., None]).all()
    Image.fromarray(gray > 100).save(tmp_path / "bits.png")
    assert (load(tmp_path / "bits.png") == 255 * (gray > 100)[..., None]).all()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_gray(tmp_path, suffix):
    values = PIXELS[..., 0].astype(np.uint16) * 257
    Image.fromarray(values).save(tmp_path / f"x{suffix}")
    assert (load(tmp_path / f"x{suffix}") == PIXELS[..., :1]).all()


def test_float_tiff_is_0_to_1(tmp_path):
    values = PIXELS[..., 0].astype(np.float32) / 255
    values[0, 0] = np.nan
    Image.fromarray(values).save(tmp_path / "x.tif")
    loaded = load(tmp_path / "x.tif")
    assert (loaded[0, 0] == 0).all()
    assert (loaded[1:] == PIXELS[1:, :, :1]).all()


def test_palette(tmp_path):
    palette = Image.fromarray(PIXELS).quantize(64)
    palette.save(tmp_path / "x.png")
    assert (load(tmp_path / "x.png") == np.asarray(palette.convert("RGB"))).all()


def test_cmyk(tmp_path):
    Image.fromarray(PIXELS).convert("CMYK").save(tmp_path / "x.jpg", quality=98)
    assert difference(load(tmp_path / "x.jpg"), PIXELS).mean() < 3


def test_lab_tiff(tmp_path):
    to_lab = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    ImageCms.applyTransform(Image.fromarray(PIXELS), to_lab).save(tmp_path / "x.tif")
    assert difference(load(tmp_path / "x.tif"), PIXELS).mean() < 3


def test_alpha_is_composed_on_white(tmp_path):
    rgba = np.dstack((PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)))
    rgba[:40, :, 3] = 0
    rgba[40:60, :, 3] = 128
    Image.fromarray(rgba).save(tmp_path / "x.png")
    loaded = load(tmp_path / "x.png")
    assert (loaded[:40] == 255).all()
    assert difference(loaded[40:60], (PIXELS[40:60].astype(int) * 128 + 255 * 127) // 255).max() <= 1
    assert (loaded[60:] == PIXELS[60:]).all()


def test_transparent_palette(tmp_path):
    palette = Image.fromarray(PIXELS).quantize(16)
    index = int(np.asarray(palette)[0, 0])
    palette.save(tmp_path / "x.png", transparency=index)
    where = np.asarray(palette) == index
    loaded = load(tmp_path / "x.png")
    assert (loaded[where] == 255).all()
    assert (loaded[~where] == np.asarray(palette.convert("RGB"))[~where]).all()


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_icc_profile_is_applied(tmp_path, suffix):
    """Pixels with red and blue swapped, tagged as such, are the original picture."""
    stored = Image.fromarray(np.ascontiguousarray(PIXELS[..., ::-1]))
    stored.save(tmp_path / f"x{suffix}", icc_profile=swapped_profile(), quality=98)
    assert difference(load(tmp_path / f"x{suffix}"), PIXELS).mean() < (3 if suffix == ".jpg" else 1.5)


def test_unfit_profile_is_ignored_with_one_warning(tmp_path, caplog):
    path = tmp_path / "x.png"
    Image.fromarray(PIXELS[..., 0]).save(path, icc_profile=swapped_profile())  # an RGB profile on gray
    with caplog.at_level(logging.WARNING):
        assert (load(path) == PIXELS[..., :1]).all()
    assert len(caplog.records) == 1
    assert str(path) in caplog.text


def gray_profile() -> bytes:
    """A gray profile whose curve is the identity: made from the header of an sRGB one."""
    curve = b"curv" + bytes(4) + struct.pack(">I", 0)
    white = b"XYZ " + bytes(4) + struct.pack(">3i", 63190, 65536, 54061)
    tags = [(b"wtpt", white), (b"kTRC", curve)]
    offset, table, body = 128 + 4 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags:
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data
    header = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()[:128])
    header[16:20] = b"GRAY"
    whole = bytes(header) + table + body
    return struct.pack(">I", len(whole)) + whole[4:]


def test_gray_profile_counts_with_alpha_too(tmp_path):
    gray = Image.fromarray(PIXELS[..., 0])
    gray.save(tmp_path / "L.png", icc_profile=gray_profile())
    with_alpha = Image.merge("LA", (gray, Image.new("L", gray.size, 255)))
    with_alpha.save(tmp_path / "LA.png", icc_profile=gray_profile())
    assert difference(load(tmp_path / "L.png"), PIXELS[..., :1]).max() > 20  # linear, not sRGB-coded
    assert (load(tmp_path / "LA.png") == load(tmp_path / "L.png")).all()


def test_16_bit_tiff_with_white_as_zero(tmp_path):
    values = PIXELS[..., 0].astype(np.uint16) * 257
    Image.fromarray(65535 - values).save(tmp_path / "x.tif", tiffinfo={262: 0})
    assert (load(tmp_path / "x.tif") == PIXELS[..., :1]).all()


def test_a_disk_that_fails_is_a_bad_photo(tmp_path, monkeypatch):
    def fail(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(type(tmp_path), "is_file", fail)
    with pytest.raises(PhotoError, match="Input/output error"):
        load(tmp_path / "x.jpg")


def bad_files(folder):
    whole = io.BytesIO()
    Image.fromarray(PIXELS).save(whole, "JPEG")
    (folder / "empty.jpg").write_bytes(b"")
    (folder / "text.jpg").write_text("this is no photo")
    (folder / "cut.jpg").write_bytes(whole.getvalue()[:-500])
    whole = io.BytesIO()
    Image.fromarray(PIXELS).save(whole, "PNG")
    (folder / "cut.png").write_bytes(whole.getvalue()[:1000])
    (folder / "folder.jpg").mkdir()
    return ["empty.jpg", "text.jpg", "cut.jpg", "cut.png", "folder.jpg", "missing.jpg"]


def test_bad_files_are_named(tmp_path):
    for name in bad_files(tmp_path):
        with pytest.raises(PhotoError, match=name):
            load(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")
    with pytest.raises(PhotoError, match="no regular file"):
        load(tmp_path / "x.jpg")


@pytest.mark.parametrize("max_pixels", [80 * 120 - 1, 1000])
def test_too_many_pixels(tmp_path, max_pixels):
    """Refused below twice the limit by us, above it by Pillow: the same message."""
    Image.fromarray(PIXELS).save(tmp_path / "x.png")
    with pytest.raises(PhotoError, match="--max_pixels"):
        load(tmp_path / "x.png", max_pixels=max_pixels)
    assert load(tmp_path / "x.png", max_pixels=80 * 120).shape == PIXELS.shape


def test_resize():
    photo = Image.fromarray(PIXELS)
    assert resize(photo, 32, "squash").size == (32, 32)
    crop = np.asarray(resize(photo, 80, "crop"))
    assert difference(crop, PIXELS[:, 20:100]).max() <= 1
    # Antialiased: the mean survives a strong reduction.
    small = np.asarray(resize(photo, 4, "squash")).astype(float)
    assert np.abs(small.mean(axis=(0, 1)) - PIXELS.mean(axis=(0, 1))).max() < 3


def test_is_gray():
    gray = np.repeat(PIXELS[..., :1], 3, axis=2)
    assert is_gray(Image.fromarray(gray))
    one_red_pixel = gray.copy()
    one_red_pixel[5, 5] = (200, 20, 20)
    assert not is_gray(Image.fromarray(one_red_pixel))
    jpeg = io.BytesIO()
    Image.fromarray(gray).save(jpeg, "JPEG")
    assert is_gray(Image.open(jpeg).convert("RGB"))
