"""What a format cannot hold is an error of one line, and out of memory is none of these."""

import numpy as np
import pytest

from media import encode
from media.decode import PhotoError
from media.encode import save_picture
from media.picture import Picture


@pytest.mark.parametrize(
    ("name", "dtype", "width"),
    [("x.png", np.uint16, 1_000_002), ("x.gif", np.uint8, 65_536), ("x.webp", np.uint8, 16_384)],
)
def test_a_picture_that_a_format_cannot_hold(tmp_path, name, dtype, width):
    picture = Picture(np.full((1, width, 3), 7, dtype))
    with pytest.raises(PhotoError, match="cannot hold this picture"):
        save_picture(tmp_path / name, picture, quality=95)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("can't allocate memory: 5 bytes")])
def test_out_of_memory_passes(tmp_path, monkeypatch, error):
    def encoder(*_):
        raise error

    monkeypatch.setattr(encode, "_shallow", encoder)
    with pytest.raises(type(error)) as found:
        save_picture(tmp_path / "x.png", Picture(np.zeros((4, 4, 3), np.uint8)), quality=95)
    assert found.value is error
