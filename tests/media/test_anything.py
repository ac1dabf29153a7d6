"""What the library entry takes: one photo in every shape that a program may have it in."""

import io

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from PIL import Image

from media.anything import several, to_picture
from media.decode import PhotoError

PIXELS = skimage.data.chelsea()[100:140, 100:160]


@pytest.mark.parametrize("kind", ["str", "path", "bytes", "file", "stream", "image", "array", "tensor"])
def test_one_photo(tmp_path, kind):
    path = tmp_path / "x.png"
    Image.fromarray(PIXELS).save(path)
    photo = {
        "str": lambda: str(path),
        "path": lambda: path,
        "bytes": path.read_bytes,
        "file": lambda: path.open("rb"),
        "stream": lambda: io.BytesIO(path.read_bytes()),
        "image": lambda: Image.open(path),
        "array": lambda: PIXELS,
        "tensor": lambda: torch.from_numpy(PIXELS),
    }[kind]()
    assert (to_picture(photo, max_pixels=10**6).pixels == PIXELS).all()


@pytest.mark.parametrize("shape", [(0, 10, 3), (10, 0), (0, 0, 3)])
def test_empty_arrays(shape):
    with pytest.raises(ValueError, match="expected a photo with at least one pixel, got shape"):
        to_picture(np.zeros(shape, np.uint8), max_pixels=10**6)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tensors_of_channels_first(dtype, channels):
    values = np.concatenate((PIXELS, PIXELS[..., :1]), axis=2)[..., :channels]
    planes = torch.from_numpy(values).permute(2, 0, 1)
    if dtype.is_floating_point:
        planes = (planes / 255).to(dtype)
    picture = to_picture(planes, max_pixels=10**6)
    assert picture.pixels.shape == PIXELS.shape
    expected = values[..., :3] if channels > 1 else np.repeat(values, 3, axis=2)
    found = picture.pixels * (255 if dtype.is_floating_point else 1)
    assert np.abs(found - expected).max() <= (1 if dtype == torch.bfloat16 else 0.1)
    assert (picture.alpha is not None) == (channels == 4)


def test_several():
    planes = torch.from_numpy(PIXELS).permute(2, 0, 1)
    batch = several(torch.stack((planes, planes.flip(1))))
    pictures = [to_picture(photo, max_pixels=10**6) for photo in batch]
    assert (pictures[0].pixels == PIXELS).all()
    assert (pictures[1].pixels == PIXELS[::-1]).all()
    assert several(("old.jpg", b"")) == ("old.jpg", b"")
    assert several([]) == []
    assert several(PIXELS) is several(planes) is several("old.jpg") is None


@pytest.mark.parametrize("shape", [(0, 3, 9, 9), (2, 3, 0, 9)])
def test_empty_batches(shape):
    with pytest.raises(ValueError, match=r"expected photos with at least one pixel, got shape \("):
        several(torch.zeros(shape))


@pytest.mark.parametrize("shape", [(3, 40, 3), (1, 5, 1), (4, 9, 3)])
def test_tensors_that_could_be_either(shape):
    with pytest.raises(ValueError, match=r"which could be either: pass an array \(H, W, C\)"):
        to_picture(torch.zeros(shape), max_pixels=10**6)


@pytest.mark.parametrize("photo", [torch.zeros(2, 9, 9), torch.zeros(9), torch.zeros(3, 9, 9).long()])
def test_other_tensors(photo):
    with pytest.raises(ValueError, match="expected"):
        to_picture(photo, max_pixels=10**6)


@pytest.mark.parametrize(("mode", "order"), [("I;16", "<u2"), ("I;16B", ">u2")])
def test_a_pillow_image_of_16_bits_keeps_them(mode, order):
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5001
    image = Image.frombytes(mode, (4, 3), samples.astype(order).tobytes())
    picture = to_picture(image, max_pixels=100)
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels[..., 0], samples)


def test_a_pillow_image_of_floats_keeps_them(tmp_path):
    samples = np.linspace(0, 1, 4000, dtype=np.float32).reshape(40, 100)
    picture = to_picture(Image.fromarray(samples), max_pixels=10**6)
    assert picture.pixels.dtype == np.float32
    assert np.array_equal(picture.pixels[..., 0], samples)
    Image.fromarray(samples).save(tmp_path / "x.tif")
    with Image.open(tmp_path / "x.tif") as opened:
        found = to_picture(opened, max_pixels=10**6)
    assert np.array_equal(found.pixels, to_picture(tmp_path / "x.tif", max_pixels=10**6).pixels)
    with pytest.raises(ValueError, match="got up to 255: divide by their white"):
        to_picture(Image.fromarray(samples * 255), max_pixels=10**6)


def test_a_pillow_image_of_32_bits_holds_16():
    samples = np.arange(12, dtype=np.int32).reshape(3, 4) * 5001
    picture = to_picture(Image.fromarray(samples), max_pixels=100)
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels[..., 0], samples)
    assert not to_picture(Image.fromarray(0 * samples), max_pixels=100).pixels.any()


@pytest.mark.parametrize("ends", [(0, 255), (0, 1), (-1, 60000), (0, 65536)])
def test_a_pillow_image_whose_white_is_unknown(ends):
    with pytest.raises(ValueError, match=f"fill 16 bits in a Pillow image of mode I, got {ends[0]} to"):
        to_picture(Image.fromarray(np.array([ends], np.int32)), max_pixels=100)


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
@pytest.mark.parametrize("photometric", ["minisblack", "miniswhite"])
def test_a_deep_pillow_image_is_as_its_file(tmp_path, dtype, photometric):
    """Upright, in sRGB, and 0 may be white."""
    white = 65535 if dtype == np.uint16 else 1
    samples = (np.linspace(0.1, 1, 12).reshape(3, 4) * white).astype(dtype)
    profile = imagecodecs.cms_profile("gray", gamma=1.0)
    tags = [(274, "H", 1, 6, True), (34675, "B", len(profile), profile, True)]  # orientation, profile
    # Compressed, since Pillow turns mapped files wrongly.
    tifffile.imwrite(tmp_path / "x.tif", samples, photometric=photometric, compression="zlib", extratags=tags)
    expected = to_picture(tmp_path / "x.tif", max_pixels=100).pixels
    with Image.open(tmp_path / "x.tif") as opened:
        found = to_picture(opened, max_pixels=100).pixels
    assert found.dtype == dtype
    assert found.shape == (4, 3, 3)
    assert np.array_equal(found, expected)


def test_a_deep_pillow_image_is_turned_upright(tmp_path):
    samples = np.arange(12, dtype=np.uint16).reshape(3, 4) * 5001
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(samples).save(tmp_path / "x.png", exif=exif)
    with Image.open(tmp_path / "x.png") as opened:
        found = to_picture(opened, max_pixels=100).pixels
    assert np.array_equal(found[..., 0], np.rot90(samples, -1))


def test_bytes_that_are_no_photo():
    with pytest.raises(PhotoError, match="the photo is not a photo in a format known here"):
        to_picture(b"no photo", max_pixels=10**6)
