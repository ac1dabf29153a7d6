"""Photographs at their own depth, with what belongs to them, through every format and back."""

import io
from xml.etree import ElementTree

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from conftest import swapped_profile
from PIL import ExifTags, Image, ImageCms

from core.errors import UserError
from media.decode import PhotoError, photo_format
from media.encode import save_picture
from media.metadata import Metadata, mark_inferred, srgb_profile
from media.photo import load_photo
from media.picture import Picture, beside, from_array, load_picture
from media.samples import to_dtype

COLORS = skimage.data.chelsea()[100:140, 100:160]  # (40, 60, 3)
DEEP = (COLORS.astype(np.uint16) * 257) ^ np.arange(60, dtype=np.uint16)[None, :, None]
FLOAT = (DEEP / 65535).astype(np.float32)
ALPHA = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)
DEEP_ALPHA = ALPHA.astype(np.uint16) * 257


def load(path):
    return load_picture(path, max_pixels=10**8)


def rich_metadata():
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Camera"
    exif[ExifTags.Base.Artist] = "Somebody"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLength] = 50.0
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" dc:format="image/tiff"/>'
        "</rdf:RDF></x:xmpmeta>"
    )
    return Metadata(exif.tobytes(), xmp.encode(), (300.0, 300.0))


PHOTOS = {
    "8 bit": Picture(COLORS),
    "8 bit alpha": Picture(COLORS, ALPHA),
    "16 bit": Picture(DEEP),
    "16 bit alpha": Picture(DEEP, DEEP_ALPHA),
    "float": Picture(FLOAT),
}


@pytest.mark.parametrize("kind", PHOTOS)
@pytest.mark.parametrize("suffix", [".tif", ".png"])
def test_lossless_formats_keep_every_bit(tmp_path, kind, suffix):
    original = PHOTOS[kind]
    path = tmp_path / "new folder" / f"x{suffix}"
    save_picture(path, original, quality=95)
    again = load(path)
    expected = to_dtype(original.pixels, "uint16") if (kind, suffix) == ("float", ".png") else original.pixels
    assert again.pixels.dtype == expected.dtype
    assert (again.pixels == expected).all()
    assert (again.alpha is None) == (original.alpha is None)
    if original.alpha is not None:
        assert (again.alpha == original.alpha).all()
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", ["16 bit", "16 bit alpha", "float"])
def test_deep_files_are_what_other_programs_read(tmp_path, kind):
    original = PHOTOS[kind]
    expected = original.pixels if original.alpha is None else np.dstack((original.pixels, original.alpha))
    save_picture(tmp_path / "x.tif", original, quality=95)
    assert (tifffile.imread(tmp_path / "x.tif") == expected).all()
    if kind != "float":
        save_picture(tmp_path / "x.png", original, quality=95)
        assert (imagecodecs.png_decode((tmp_path / "x.png").read_bytes()) == expected).all()


@pytest.mark.parametrize("kind", PHOTOS)
def test_tiffs_of_several_strips(tmp_path, monkeypatch, kind):
    monkeypatch.setattr("media.tiff_writer.STRIP_PIXELS", 7 * 60)  # the last of 40 rows in a shorter one
    original = PHOTOS[kind]
    expected = original.pixels if original.alpha is None else np.dstack((original.pixels, original.alpha))
    save_picture(tmp_path / "x.tif", original, quality=95)
    with tifffile.TiffFile(tmp_path / "x.tif") as tiff:
        assert len(tiff.pages[0].dataoffsets) == 6
        assert (tiff.asarray() == expected).all()
    assert (load(tmp_path / "x.tif").pixels == original.pixels).all()
    if original.pixels.dtype == np.uint8:
        assert (np.asarray(Image.open(tmp_path / "x.tif")) == expected).all()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.jpg", "8 bit"),
        ("x.webp", "8 bit"),
        ("x.png", "8 bit"),
        ("x.tif", "8 bit"),
        ("x.png", "16 bit"),
        ("x.tif", "16 bit"),
        ("x.tif", "float"),
    ],
)
def test_metadata_survives(tmp_path, name, kind):
    original = Picture(PHOTOS[kind].pixels, None, rich_metadata())
    save_picture(tmp_path / name, original, quality=95)
    if kind == "float":  # Pillow knows no such TIFF
        exif, info = Image.Exif(), {}
        exif.load(b"Exif\0\0" + (tmp_path / name).read_bytes())
        info["icc_profile"] = exif[ExifTags.Base.InterColorProfile]
        info["dpi"] = (exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution])
    else:
        with Image.open(tmp_path / name) as image:
            image.load()
            exif, info = image.getexif(), image.info
    assert exif[ExifTags.Base.Make] == "Camera"
    assert exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.FocalLength] == 50.0
    assert exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] == "N"
    assert info["icc_profile"] == srgb_profile()
    if name == "x.webp":  # EXIF is its only place for a resolution
        assert exif[ExifTags.Base.ResolutionUnit] == 2
        info["dpi"] = (exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution])
    assert info["dpi"] == pytest.approx((300, 300), abs=0.1)
    again = load(tmp_path / name).metadata
    assert again.dpi == pytest.approx((300, 300), abs=0.1)
    assert b'dc:format="image/tiff"' in again.xmp
    assert mark_inferred(again, "this program").xmp.count(b"this program") == 1


@pytest.mark.parametrize("name", ["x.jpg", "x.png", "x.webp", "x.tif"])
def test_the_orientation_in_xmp_is_applied_once(tmp_path, name):
    """Also where the colours are the photo's own, and the packet is not marked."""
    xmp = rich_metadata().xmp.replace(b'rdf:about=""', b'rdf:about="" tiff:Orientation="6"')
    save_picture(tmp_path / name, Picture(COLORS, None, Metadata(xmp=xmp)), quality=95)
    original = load(tmp_path / name)
    save_picture(tmp_path / f"again {name}", original, quality=95)
    again = load(tmp_path / f"again {name}")
    assert b"tiff:Orientation" not in (tmp_path / f"again {name}").read_bytes()
    assert b'dc:format="image/tiff"' in again.metadata.xmp
    assert again.size == original.size


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_orientation_is_applied_once(tmp_path, orientation, deep):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / "x.png"
    upright = Image.fromarray(COLORS)
    if deep:
        save_picture(path, Picture(DEEP, None, Metadata(exif=exif.tobytes())), quality=95)
    else:
        upright.save(path, exif=exif)
    original = load(path)
    upright.save(tmp_path / "reference.png", exif=exif)
    expected = np.asarray(load_photo(tmp_path / "reference.png", max_pixels=10**8))
    assert np.abs(to_dtype(original.pixels, "uint8").astype(int) - expected).max() <= 1
    save_picture(tmp_path / "again.png", original, quality=95)
    assert (load(tmp_path / "again.png").pixels == original.pixels).all()
    with Image.open(tmp_path / "again.png") as image:
        assert ExifTags.Base.Orientation not in image.getexif()


@pytest.mark.parametrize("kind", ["8 bit", "16 bit", "float"])
def test_a_profile_means_the_same_at_every_depth(tmp_path, kind):
    """Red and blue change places; littleCMS through Pillow at 8 bits is the reference."""
    profile = swapped_profile()
    path = tmp_path / "x.tif"
    tifffile.imwrite(path, PHOTOS[kind].pixels, photometric="rgb", iccprofile=profile)
    found = to_dtype(load(path).pixels, "uint8")
    to = ImageCms.createProfile("sRGB")
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    expected = np.asarray(ImageCms.profileToProfile(Image.fromarray(COLORS), source, to, outputMode="RGB"))
    assert np.abs(found.astype(int) - expected).max() <= 2
    assert np.abs(found.astype(int) - COLORS).max() > 50


def test_gray_profile_of_16_bits_by_hand(tmp_path):
    """A gamma of 1.8: the same light as sRGB, coded otherwise."""
    codes = np.linspace(2000, 65535, 600).astype(np.uint16).reshape(20, 30)
    profile = imagecodecs.cms_profile("gray", gamma=1.8)
    tifffile.imwrite(tmp_path / "x.tif", codes, photometric="minisblack", iccprofile=profile)
    light = (codes / 65535) ** 1.8
    expected = np.where(light > 0.0031308, 1.055 * light ** (1 / 2.4) - 0.055, 12.92 * light)
    found = load(tmp_path / "x.tif").pixels / 65535
    assert np.abs(found - expected[..., None]).max() < 1e-3


def test_a_profile_that_does_not_fit_is_ignored_with_one_warning(tmp_path, caplog):
    tifffile.imwrite(tmp_path / "x.tif", DEEP[..., 0], photometric="minisblack", iccprofile=swapped_profile())
    assert (load(tmp_path / "x.tif").pixels == DEEP[..., :1]).all()
    assert len(caplog.records) == 1
    assert "does not fit" in caplog.text


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (DEEP[..., 0], DEEP[..., :1]),
        (np.uint32(DEEP[..., 0]) << 16, DEEP[..., :1]),
        (FLOAT[..., 0], FLOAT[..., :1]),
        (FLOAT[..., 0].astype(np.float64), FLOAT[..., :1]),
    ],
    ids=["uint16", "uint32", "float32", "float64"],
)
def test_deep_gray_tiffs(tmp_path, array, expected):
    tifffile.imwrite(tmp_path / "x.tif", array, photometric="minisblack")
    found = load(tmp_path / "x.tif").pixels
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(np.float64) - expected).max() <= (array.dtype == np.uint32)


def test_white_is_zero(tmp_path):
    tifffile.imwrite(tmp_path / "x.tif", 65535 - DEEP[..., 0], photometric="miniswhite")
    assert (load(tmp_path / "x.tif").pixels == DEEP[..., :1]).all()


def test_planes_apart(tmp_path):
    planes = np.moveaxis(DEEP, -1, 0)
    tifffile.imwrite(tmp_path / "x.tif", planes, photometric="rgb", planarconfig="separate")
    assert (load(tmp_path / "x.tif").pixels == DEEP).all()


def test_floats_beyond_the_range(tmp_path):
    """Single highlights beyond 1 are cut off."""
    values = np.full((20, 20), 0.5, np.float32)
    values[0, :3] = -1.0, np.nan, 7.0
    tifffile.imwrite(tmp_path / "x.tif", values, photometric="minisblack")
    found = load(tmp_path / "x.tif").pixels[..., 0]
    assert found[0, :4].tolist() == [0, 0, 1, 0.5]
    assert (found[1:] == 0.5).all()


@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_big_tiffs(tmp_path, byteorder):
    tifffile.imwrite(tmp_path / "x.tif", DEEP, photometric="rgb", bigtiff=True, byteorder=byteorder)
    assert (load(tmp_path / "x.tif").pixels == DEEP).all()


def test_12_bits(tmp_path):
    packed = imagecodecs.packints_encode((DEEP[..., 0] >> 4).astype(np.uint16), 12)
    strip = {"rowsperstrip": 40, "shape": (40, 60), "dtype": np.uint16, "bitspersample": 12}
    with tifffile.TiffWriter(tmp_path / "x.tif") as writer:
        writer.write(iter([packed]), photometric="minisblack", compression="none", **strip)
    found = load(tmp_path / "x.tif").pixels[..., 0]
    assert np.abs(found - (DEEP[..., 0] >> 4) * (65535 / 4095)).max() <= 1


@pytest.mark.parametrize(
    ("kind", "has_alpha"), [("unassalpha", True), ("assocalpha", True), ("unspecified", False)]
)
def test_kinds_of_a_fourth_sample(tmp_path, kind, has_alpha):
    alpha = np.maximum(DEEP_ALPHA, 6553)
    colors = (DEEP * (alpha / 65535)[..., None]).round().astype(np.uint16) if kind == "assocalpha" else DEEP
    samples = np.dstack((colors, alpha))
    tifffile.imwrite(tmp_path / "x.tif", samples, photometric="rgb", extrasamples=[kind])
    found = load(tmp_path / "x.tif")
    assert np.abs(found.pixels.astype(int) - DEEP).max() <= (6 if kind == "assocalpha" else 0)
    assert (found.alpha is not None) == has_alpha
    if has_alpha:
        assert (found.alpha == alpha).all()


@pytest.mark.parametrize("name", ["y.jpg", "y.tif"])
def test_text_of_any_language(tmp_path, name):
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "José Müller".encode()
    Image.fromarray(COLORS).save(tmp_path / "x.jpg", exif=exif.tobytes())
    save_picture(
        tmp_path / name,
        Picture(COLORS, None, mark_inferred(load(tmp_path / "x.jpg").metadata, "me")),
        quality=90,
    )
    with Image.open(tmp_path / name) as image:
        assert image.getexif()[ExifTags.Base.Artist].encode("latin-1").decode() == "José Müller"


def test_colored_twice_says_so_once():
    once = mark_inferred(rich_metadata(), "a < b")
    twice = mark_inferred(once, "c")
    root = ElementTree.fromstring(twice.xmp.decode())
    found = [element.text for element in root.iter("{urn:colorizer:1}InferredBy")]
    assert found == ["c"]
    assert twice.xmp.count(b"<Iptc4xmpExt:DigitalSourceType>") == 1
    assert b"a &lt; b" in once.xmp


def test_what_described_the_old_file_is_left_out(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[37724] = b"layers of another program" * 5000
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.ExifImageWidth] = 60
    Image.fromarray(COLORS).save(tmp_path / "x.png", exif=exif.tobytes(), dpi=(100, 200))
    metadata = load(tmp_path / "x.png").metadata
    assert metadata.exif == b""
    assert metadata.dpi == pytest.approx((200, 100), abs=0.1)  # it was turned


@pytest.mark.parametrize(
    ("unit", "expected"), [(None, (100, 200)), (1, None), (2, (100, 200)), (3, (254, 508)), (9, None)]
)
def test_the_resolution_in_exif(tmp_path, unit, expected):
    exif = Image.Exif()
    exif[ExifTags.Base.XResolution], exif[ExifTags.Base.YResolution] = 100.0, 200.0
    if unit is not None:
        exif[ExifTags.Base.ResolutionUnit] = unit
    Image.fromarray(COLORS).save(tmp_path / "x.webp", exif=exif.tobytes())
    assert load(tmp_path / "x.webp").metadata.dpi == expected


@pytest.mark.parametrize("damage", [60, 400, 2000])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_damaged_deep_files(tmp_path, suffix, damage):
    path = tmp_path / f"x{suffix}"
    save_picture(path, PHOTOS["16 bit"], quality=95)
    path.write_bytes(path.read_bytes()[:damage])
    with pytest.raises(PhotoError, match="x"):
        load(path)


def test_formats_without_alpha_are_on_white(tmp_path):
    save_picture(tmp_path / "x.bmp", PHOTOS["16 bit alpha"], quality=95)
    found = load(tmp_path / "x.bmp").pixels.astype(float)
    expected = 255 + (COLORS - 255.0) * (ALPHA / 255)[..., None]
    assert np.abs(found - expected).max() <= 1.01


def test_arrays():
    assert (from_array(COLORS[..., 0]).pixels == COLORS[..., :1]).all()
    assert (from_array(np.dstack((DEEP, DEEP_ALPHA))).alpha == DEEP_ALPHA).all()
    assert from_array(FLOAT.astype(np.float64)).pixels.dtype == np.float32
    for wrong in (COLORS[0, 0], COLORS[..., :2], COLORS.astype(np.int32), np.zeros((2, 2, 5), np.uint8)):
        with pytest.raises(ValueError, match="expected"):
            from_array(wrong)


def test_floats_of_another_scale():
    """0 to 255 would all be white; what resampling makes of edges is cut off."""
    with pytest.raises(ValueError, match=r"expected floats from 0 to 1, got up to 255: divide by"):
        from_array(np.full((2, 2), 255.0))
    assert (from_array(np.full((2, 2), 1.2)).pixels == 1).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_floats_that_are_no_numbers(value):
    with pytest.raises(ValueError, match="expected floats from 0 to 1, got NaN or infinity"):
        from_array(np.array([[0.5, value]]))


def test_beside():
    both = beside(PHOTOS["8 bit alpha"], PHOTOS["8 bit alpha"])
    assert both.pixels.shape == (40, 120, 3)
    assert both.alpha.shape == (40, 120)


def test_save_refuses_what_it_cannot_write(tmp_path):
    with pytest.raises(UserError, match="ending"):
        photo_format(tmp_path / "x.psd")
    with pytest.raises(UserError, match=r"\.png"):
        save_picture(tmp_path / "wide.webp", Picture(np.zeros((2, 20_000, 3), np.uint8)), quality=95)
    assert list(tmp_path.iterdir()) == []
