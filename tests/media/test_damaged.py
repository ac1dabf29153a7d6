"""Photos that were cut short: refused, or used as far as they are there, never silently."""

import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageFile

from media.damaged import using_damaged
from media.decode import PhotoError
from media.picture import load_picture

PHOTO = skimage.data.chelsea()


@pytest.fixture(params=["jpg", "png", "bmp"])
def cut(request, tmp_path):
    """The first 70 % of a photo."""
    path = tmp_path / f"x.{request.param}"
    Image.fromarray(PHOTO).save(path, quality=95)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    return path


def test_refused_by_default(cut):
    with pytest.raises(PhotoError, match="damaged"):
        load_picture(cut, max_pixels=10**6)


def test_used_when_asked(cut, caplog):
    with using_damaged(True):
        found = load_picture(cut, max_pixels=10**6).pixels
    assert found.shape == PHOTO.shape
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    rows = slice(150, 280) if cut.suffix == ".bmp" else slice(0, 150)  # which begins at the bottom
    assert np.abs(found[rows].astype(int) - PHOTO[rows]).mean() < 3
    (message,) = caplog.messages
    assert str(cut) in message
    percent = int(message.partition("about ")[2].partition(" %")[0])
    assert 55 <= percent <= 85 or cut.suffix == ".bmp"
    with pytest.raises(PhotoError):
        load_picture(cut, max_pixels=10**6)


def test_whole_photos_are_told_nothing_of(tmp_path, caplog):
    Image.fromarray(PHOTO).save(tmp_path / "x.png")
    with using_damaged(True):
        assert (load_picture(tmp_path / "x.png", max_pixels=10**6).pixels == PHOTO).all()
    assert caplog.messages == []


def test_from_the_command_line(cli, cut, vivid, tmp_path):
    argv = [
        "--mode=predict",
        f"--image_path={cut}",
        f"--weights={vivid}",
        f"--output_path={tmp_path / 'y.png'}",
    ]
    assert cli(*argv).code == 2
    outcome = cli(*argv, "--damaged=use")
    assert outcome.code == 0
    assert "% of it is there" in outcome.err
