"""What the library entry takes: one photo in every shape that a program may have it in."""

import io

import numpy as np
import pytest
import skimage.data
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


def test_bytes_that_are_no_photo():
    with pytest.raises(PhotoError, match="the photo is not a photo in a format known here"):
        to_picture(b"no photo", max_pixels=10**6)
