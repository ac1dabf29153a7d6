"""Where white is when a file's samples do not fill the range of its format."""

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from media.photo import load_photo
from media.picture import load_picture
from media.samples import to_dtype

GRAY = skimage.data.chelsea()[100:160, 100:190, 0]  # (60, 90), up to about 220
SHARE = GRAY / 255


def load(path):
    return to_dtype(load_picture(path, max_pixels=10**6).pixels, "float32")[..., 0]


@pytest.mark.parametrize("white", [100, 255, 4095, 65535, 2**32 - 1])
def test_floats_of_other_scales(tmp_path, caplog, white):
    tifffile.imwrite(tmp_path / "x.tif", (SHARE * white).astype(np.float32), photometric="minisblack")
    assert np.abs(load(tmp_path / "x.tif") - SHARE).max() < 1e-5
    assert len(caplog.records) == 1
    assert str(tmp_path / "x.tif") in caplog.text


def test_a_float_file_that_says_its_white(tmp_path, caplog):
    values = (SHARE * 3000).astype(np.float32)
    tags = [(341, "f", 1, 3000.0, True)]
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack", extratags=tags)
    assert np.abs(load(tmp_path / "x.tif") - SHARE).max() < 1e-5
    assert caplog.text == ""


@pytest.mark.parametrize("bits", [8, 10, 12])
@pytest.mark.parametrize("kind", ["tif", "png", "jp2"])
def test_few_bits_in_16(tmp_path, caplog, bits, kind):
    values = (SHARE * (2**bits - 1)).round().astype(np.uint16)
    path = tmp_path / f"x.{kind}"
    if kind == "tif":
        tifffile.imwrite(path, values, photometric="minisblack")
    else:
        encode = imagecodecs.png_encode if kind == "png" else imagecodecs.jpeg2k_encode
        path.write_bytes(encode(values, **({"level": 0} if kind == "jp2" else {})))
    assert np.abs(load(path) - SHARE).max() < 0.01
    assert len(caplog.records) == 1
    assert np.abs(np.asarray(load_photo(path, max_pixels=10**6))[..., 0] / 255 - SHARE).max() < 0.01


def test_14_bits_that_the_file_declares(tmp_path, caplog):
    values = (SHARE * 16383).round().astype(np.uint16)
    tags = [(281, "H", 1, 16383, True)]
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack", extratags=tags)
    assert np.abs(load(tmp_path / "x.tif") - SHARE).max() < 1e-3
    assert caplog.text == ""


def test_dark_and_black_pictures_stay(tmp_path, caplog):
    for values in ((SHARE * 8000).astype(np.uint16), np.full((9, 9), 40, np.uint16)):
        tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack")
        assert np.abs(load(tmp_path / "x.tif") - values / 65535).max() < 1e-5
    assert caplog.text == ""


@pytest.mark.parametrize("form", ["8 bits", "16 bits"])
def test_gamma_of_a_png(tmp_path, form):
    """Linear light, which says so with gAMA and no profile."""
    light = np.where(SHARE > 0.04045, ((SHARE + 0.055) / 1.055) ** 2.4, SHARE / 12.92)
    full, dtype = (255, np.uint8) if form == "8 bits" else (65535, np.uint16)
    data = imagecodecs.png_encode((light * full).round().astype(dtype))
    chunk = b"gAMA" + (100_000).to_bytes(4, "big")
    chunk = b"\0\0\0\4" + chunk + imagecodecs.zlib_crc32(chunk).to_bytes(4, "big")
    (tmp_path / "x.png").write_bytes(data[:33] + chunk + data[33:])
    with Image.open(tmp_path / "x.png") as image:
        assert image.info["gamma"] == 1
    difference = np.abs(load(tmp_path / "x.png") - SHARE)
    assert difference[SHARE > 0.3].max() < (0.02 if form == "8 bits" else 0.002)


def test_primaries_of_a_png(tmp_path):
    """Red and blue have changed places in the pixels and in the primaries."""
    rgb = skimage.data.chelsea()[100:160, 100:190]
    data = imagecodecs.png_encode(np.ascontiguousarray(rgb[..., ::-1]))
    points = (31270, 32900, 15000, 6000, 30000, 60000, 64000, 33000)
    for chunk in (
        b"cHRM" + b"".join(point.to_bytes(4, "big") for point in points),
        b"gAMA" + (45455).to_bytes(4, "big"),
    ):
        length, crc = (len(chunk) - 4).to_bytes(4, "big"), imagecodecs.zlib_crc32(chunk).to_bytes(4, "big")
        data = data[:33] + length + chunk + crc + data[33:]
    (tmp_path / "x.png").write_bytes(data)
    found = load_picture(tmp_path / "x.png", max_pixels=10**6).pixels.astype(int)
    assert np.abs(found - rgb).mean() < 4  # a gamma of 2.2 is not quite that of sRGB
