"""Photos that were cut short: refused, or used as far as they are there, never silently."""

import json

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from clips import pictures, stamps, write_clip
from PIL import Image, ImageFile

from media.decode import PhotoError
from media.picture import load_picture
from media.use_damaged import using_damaged

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


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("kind", ["1 bit", "16 bits", "16 bits, gray"])
def test_other_depths_are_used_too(tmp_path, caplog, kind, ending):
    pixels = {
        "1 bit": PHOTO[..., 0] > 100,
        "16 bits": PHOTO.astype(np.uint16) * 257,
        "16 bits, gray": PHOTO[..., 0].astype(np.uint16) * 257,
    }[kind]
    path = tmp_path / f"x.{ending}"
    if ending == "tif":
        tifffile.imwrite(path, pixels, photometric="rgb" if pixels.ndim == 3 else "minisblack")
    elif pixels.ndim == 3:
        path.write_bytes(imagecodecs.png_encode(pixels))
    else:
        Image.fromarray(pixels).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 7 // 10])
    with pytest.raises(PhotoError, match="damaged"):
        load_picture(path, max_pixels=10**6)
    with using_damaged(True):
        found = load_picture(path, max_pixels=10**6).pixels
    expected = {
        "1 bit": 255 * (PHOTO[..., :1] > 100),
        "16 bits": PHOTO,
        "16 bits, gray": PHOTO[..., :1],
    }[kind]
    assert np.abs(found[:150].astype(int) - expected[:150]).mean() < 3
    assert any("% of it is there" in message for message in caplog.messages)


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


@pytest.fixture(params=[".mkv", ".ts", ".avi", ".mpg"])
def cut_clip(request, tmp_path):
    """The first 60 % of a clip of 75 frames with sound."""
    pytest.importorskip("av")
    codec = {"codec": "mpeg2video"} if request.param in (".avi", ".mpg") else {}
    path = write_clip(
        tmp_path / f"clip{request.param}", pictures(75), audio=1, audio_codec="mp2", rate=44100, **codec
    )
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 6 // 10])
    return path


def test_what_is_there_of_a_clip(cli, cut_clip, vivid, tmp_path):
    output = tmp_path / "out.mkv"
    argv = ["--mode=predict", f"--image_path={cut_clip}", f"--weights={vivid}", f"--output_path={output}"]
    refused = cli(*argv)
    done = cli(*argv, "--damaged=use", "--keep_color=no", "--overwrite", "--progress=json")
    assert done.code == 0, done.err
    assert 8 <= len(stamps(output)) < 75
    if cut_clip.suffix != ".mpg":  # which says nowhere how long it is
        assert refused.code == 2 or cut_clip.suffix == ".ts"
    if refused.code == 2:
        assert not cut_clip.with_name("clip_colorized.mp4").exists()
        warning = json.loads(done.out)["warning"]
        assert "is shorter than its header says" in warning or "is damaged after" in warning
