"""Formats that Pillow does not read, or not at their depth."""

import imagecodecs
import numpy as np
import pytest
import skimage.color
import skimage.data
import tifffile
from PIL import ExifTags, Image

from media.decode import PhotoError
from media.photo import load_photo
from media.picture import load_picture
from media.samples import to_dtype

COLORS = skimage.data.chelsea()[100:140, 100:160]  # (40, 60, 3)
DEEP = COLORS.astype(np.uint16) * 257


def load(path, **options):
    return load_picture(path, **{"max_pixels": 10**6, **options})


@pytest.mark.parametrize("samples", [COLORS, COLORS[..., 0], DEEP, DEEP[..., 0]], ids=str)
@pytest.mark.parametrize("kind", ["jxl", "jls", "j2k"])
def test_lossless(tmp_path, samples, kind):
    encode, options = {
        "jxl": (imagecodecs.jpegxl_encode, {"lossless": True}),
        "jls": (imagecodecs.jpegls_encode, {}),
        "j2k": (imagecodecs.jpeg2k_encode, {"level": 0}),
    }[kind]
    path = tmp_path / f"x.{kind}"
    path.write_bytes(encode(samples, **options))
    found = load(path).pixels
    assert found.dtype == samples.dtype
    assert (found == samples.reshape(40, 60, -1)).all()
    assert (np.asarray(load_photo(path, max_pixels=10**6)) == to_dtype(found, "uint8")).all()
    with pytest.raises(PhotoError, match="--max_pixels"):
        load(path, max_pixels=40 * 60 - 1)


@pytest.mark.parametrize("size", [(8, 8), (256, 512), (300, 200), (100, 120), (2000, 3)])
@pytest.mark.parametrize("container", [False, True])
def test_the_size_of_a_jpeg_xl_is_known_before_it_is_decoded(tmp_path, size, container):
    path = tmp_path / "x.jxl"
    path.write_bytes(imagecodecs.jpegxl_encode(np.zeros(size, np.uint8), usecontainer=container))
    assert load(path, max_pixels=size[0] * size[1]).pixels.shape[:2] == size
    with pytest.raises(PhotoError, match="--max_pixels"):
        load(path, max_pixels=size[0] * size[1] - 1)


def test_a_jpeg_of_12_bits(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist], exif[ExifTags.Base.Orientation] = "Somebody", 6
    block = exif.tobytes()
    data = imagecodecs.jpeg_encode(DEEP[..., 0] >> 4, bitspersample=12, level=98)
    segment = b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block
    (tmp_path / "x.jpg").write_bytes(data[:2] + segment + data[2:])
    found = load(tmp_path / "x.jpg")
    upright = np.rot90(DEEP[..., 0], -1).astype(int)
    assert np.abs(found.pixels[..., 0] - upright).max() < 1500
    kept = Image.Exif()
    kept.load(found.metadata.exif)
    assert kept[ExifTags.Base.Artist] == "Somebody"


@pytest.mark.parametrize("compression", ["webp", "jpegxl", "jpeg2000", "png", "lerc", "jpegxr"])
@pytest.mark.parametrize("samples", [COLORS, COLORS[..., 0]], ids=["rgb", "gray"])
def test_codecs_within_a_tiff(tmp_path, compression, samples):
    if compression == "webp" and samples.ndim == 2:
        pytest.skip("WebP knows no gray")
    photometric = "rgb" if samples.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "x.tif", samples, photometric=photometric, compression=compression)
    found = load(tmp_path / "x.tif").pixels
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - samples.reshape(40, 60, -1)).mean() < 3


def test_a_codec_that_nobody_has(tmp_path):
    """The file may be intact: it is not called damaged, and its own format is not advised."""
    tifffile.imwrite(tmp_path / "x.tif", COLORS[..., 0], photometric="minisblack")
    data = bytearray((tmp_path / "x.tif").read_bytes())
    at = data.index((259).to_bytes(2, "little") + (3).to_bytes(2, "little"))
    data[at + 8 : at + 10] = (61234).to_bytes(2, "little")
    (tmp_path / "x.tif").write_bytes(data)
    with pytest.raises(PhotoError, match=r"cannot be read here .*61234") as caught:
        load(tmp_path / "x.tif")
    assert "damaged" not in str(caught.value)


def test_lab_of_16_bits(tmp_path):
    """Written by skimage's maths for D50, whose white is that of TIFF."""
    xyz = skimage.color.rgb2xyz(COLORS)
    to_d50 = (  # Bradford, brucelindbloom.com
        (1.0478112, 0.0228866, -0.0501270),
        (0.0295424, 0.9904844, -0.0170491),
        (-0.0092345, 0.0150436, 0.7521316),
    )
    lab = skimage.color.xyz2lab(xyz @ np.transpose(to_d50), illuminant="D50")
    coded = np.stack(
        (
            (lab[..., 0] / 100 * 65535).round().astype(np.uint16),
            *((lab[..., i] * 256).round().astype(np.int16).view(np.uint16) for i in (1, 2)),
        ),
        axis=-1,
    )
    tifffile.imwrite(tmp_path / "x.tif", coded, photometric="cielab")
    found = to_dtype(load(tmp_path / "x.tif").pixels, "uint8").astype(int)
    assert np.abs(found - COLORS).max() <= 2


def test_heic_without_its_library(tmp_path, monkeypatch):
    (tmp_path / "x.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(200))
    monkeypatch.setattr("media.decode._readable_formats", lambda: ("JPEG", "PNG"))
    with pytest.raises(PhotoError, match=r"HEIC needs pillow-heif: pip install '\.\[heif\]'"):
        load(tmp_path / "x.heic")


def test_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    pillow_heif.from_pillow(Image.fromarray(COLORS)).save(tmp_path / "x.heic", quality=95)
    assert np.abs(load(tmp_path / "x.heic").pixels.astype(int) - COLORS).mean() < 4
