"""What the library entry takes: one photo in every shape that a program may have it in."""

import io

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from media.anything import to_picture
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
    with pytest.raises(ValueError, match="empty"):
        to_picture(np.zeros(shape, np.uint8), max_pixels=10**6)


def test_bytes_that_are_no_photo():
    with pytest.raises(PhotoError, match="the photo is not a photo in a format known here"):
        to_picture(b"no photo", max_pixels=10**6)
