"""Photos that were cut short: refused, or used as far as they are there, never silently."""

import json

import imagecodecs
import numpy as np
import pytest
import skimage.data
import tifffile
from clips import pictures, stamps, write_clip
from PIL import ExifTags, Image, ImageFile

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
        picture = load_picture(cut, max_pixels=10**6)
    found = picture.pixels
    assert found.shape == PHOTO.shape
    assert not ImageFile.LOAD_TRUNCATED_IMAGES
    rows = slice(150, 280) if cut.suffix == ".bmp" else slice(0, 150)  # which begins at the bottom
    assert np.abs(found[rows].astype(int) - PHOTO[rows]).mean() < 3
    (message,) = caplog.messages
    assert str(cut) in message
    percent = int(message.partition("about ")[2].partition(" %")[0])
    assert 55 <= percent <= 85
    assert picture.missing is not None
    assert 100 * picture.missing.mean() == pytest.approx(100 - percent, abs=0.5)
    assert not picture.missing[rows].any()
    assert np.ptp(found[picture.missing]) == 0
    with pytest.raises(PhotoError):
        load_picture(cut, max_pixels=10**6)


def shortened(path, share=0.5, **settings):
    """A gray JPEG that ends within itself."""
    Image.fromarray(PHOTO).convert("L").save(path, quality=95, **settings)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def test_where_a_turned_photo_is_missing(tmp_path):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    with using_damaged(True):
        picture = load_picture(shortened(tmp_path / "x.jpg", exif=exif), max_pixels=10**6)
    assert picture.missing is not None
    assert picture.missing.shape == picture.pixels.shape[:2] == (451, 300)
    assert picture.missing[:, :100].all()
    assert not picture.missing[:, 200:].any()
    assert picture.crop((200, 0, 300, 451)).missing.shape == (451, 100)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_progressive_photo_is_all_there(tmp_path, caplog, share):
    with using_damaged(True):
        picture = load_picture(shortened(tmp_path / "x.jpg", share, progressive=True), max_pixels=10**6)
    assert picture.missing is None
    assert "all of it is there, but in less detail than it had, and is colored" in caplog.text


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
    assert ("8 bits" in caplog.text) == (kind != "1 bit")


def test_nothing_is_said_to_be_used_of_what_is_no_photo(tmp_path, caplog):
    (tmp_path / "bad.jpg").write_text("a text")
    with using_damaged(True), pytest.raises(PhotoError, match="is not a photo"):
        load_picture(tmp_path / "bad.jpg", max_pixels=10**6)
    assert caplog.messages == []


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


@pytest.mark.parametrize("flags", [[], ["--keep_color=no"], ["--mask"]])
def test_what_is_missing_stays_gray(cli, vivid, tmp_path, flags):
    path, output, mask = shortened(tmp_path / "x.jpg"), tmp_path / "y.png", tmp_path / "mask.png"
    kept = np.full(PHOTO.shape[:2], 255, np.uint8)
    kept[:50] = 0
    Image.fromarray(kept).save(mask)
    flags = [f"--mask={mask}" if flag == "--mask" else flag for flag in flags]
    argv = ["--mode=predict", f"--image_path={path}", f"--weights={vivid}", f"--output_path={output}"]
    assert cli(*argv, "--damaged=use", *flags).code == 0
    spread = np.ptp(np.asarray(Image.open(output)).astype(int), axis=2)
    assert spread[-100:].max() == 0
    assert spread[60:100].mean() > 10
    assert (spread[:50].max() == 0) == (f"--mask={mask}" in flags)


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
        assert "is shorter than its header says" in warning or "is damaged a" in warning
