"""Hints on the page: kept with their photo, checked when they come, exact where they are."""

import io
import json
from dataclasses import replace

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image

from checkpoint.file import load_weights
from config import Config
from core.errors import UserError
from inference.colorizer import Colorizer
from media.encode import save_picture
from media.picture import Picture
from web.guiding import hints_of, keep_points, keep_strokes
from web.matching import match
from web.sessions import Gone
from web.studio import Studio
from web.upload import Upload
from web.wish import Wish

LIMIT = 10**6
POINTS = [{"x": 100, "y": 80, "color": "#d02020", "radius": 12}]


@pytest.fixture
def studio(vivid):
    return Studio(Config(mode="serve", device="cpu"), load_weights(vivid))


@pytest.fixture
def photo(studio, tmp_path):
    photo = Upload.new(tmp_path, "old.png", at_most=1)
    save_picture(photo.file, Picture(skimage.data.coffee()[100:260, 100:340]), quality=95)
    studio.take(photo)
    return photo


def strokes(path, size=(240, 160)):
    pixels = np.zeros((size[1], size[0], 4), np.uint8)
    pixels[20:40, 20:60] = (0x20, 0x40, 0xC0, 255)
    Image.fromarray(pixels).save(path, "PNG")
    return path


def test_points_and_strokes_stand_together(photo, tmp_path):
    assert not hints_of(photo)
    keep_points(photo, POINTS)
    keep_strokes(photo, strokes(tmp_path / "received"), max_pixels=LIMIT)
    hints = hints_of(photo)
    assert [point.color for point in hints.points] == ["#d02020"]
    assert (hints.strokes[..., 3] > 0).sum() == 20 * 40
    keep_points(photo, [])
    assert not hints_of(photo).points
    (tmp_path / "empty").touch()
    keep_strokes(photo, tmp_path / "empty", max_pixels=LIMIT)
    assert not hints_of(photo)


def test_mistakes_leave_what_was_there(photo, tmp_path):
    keep_points(photo, POINTS)
    keep_strokes(photo, strokes(tmp_path / "received"), max_pixels=LIMIT)
    with pytest.raises(UserError, match="point 1 at x=900, y=80 is outside the photo"):
        keep_points(photo, [{**POINTS[0], "x": 900}])
    with pytest.raises(UserError, match=r"^the picture of hints is 10x10, its photo 240x160"):
        keep_strokes(photo, strokes(tmp_path / "other", (10, 10)), max_pixels=LIMIT)
    with pytest.raises(UserError, match=r"^the picture of hints is 480x320, its photo 240x160"):
        keep_strokes(photo, strokes(tmp_path / "large", (480, 320)), max_pixels=LIMIT)
    with pytest.raises(UserError, match=r"^the picture of hints has more than 1,000,000 pixels"):
        keep_strokes(photo, strokes(tmp_path / "huge", (1001, 1000)), max_pixels=LIMIT)
    (tmp_path / "text").write_text("no picture")
    with pytest.raises(UserError, match=r"^the picture of hints is not a photo"):
        keep_strokes(photo, tmp_path / "text", max_pixels=LIMIT)
    assert len(hints_of(photo).points) == 1
    assert hints_of(photo).strokes is not None


def hue_at(picture, y, x):
    return skimage.color.rgb2lab(np.asarray(Image.open(picture))[y, x] / 255)[1:]


@pytest.mark.parametrize("saturation", [0, 1])
def test_a_hint_is_shown_and_written(studio, photo, saturation):
    """Whatever the saturation of the rest, and nothing is asked of the network."""
    wish = Wish(studio.first, 0, saturation)
    chroma = studio.predict_chroma(photo, wish)
    keep_points(photo, POINTS)
    a, b = skimage.color.rgb2lab(np.array([0xD0, 0x20, 0x20]) / 255)[1:]
    preview = io.BytesIO(studio.preview(photo, chroma, wish))
    full = studio.develop(photo, chroma, wish, ".png")
    for picture in (preview, full):
        found = hue_at(picture, 80, 100)  # sRGB may lack that much of it at the photo's lightness
        assert np.hypot(*found) > 15
        assert np.dot(found, (a, b)) > 0.97 * np.hypot(*found) * np.hypot(a, b)


def test_full_size_is_what_predict_writes(cli, vivid, studio, photo, tmp_path):
    """By hints and a reference."""
    reference, upload = tmp_path / "cat.png", tmp_path / "received"
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(reference)
    upload.write_bytes(reference.read_bytes())
    keep_points(photo, POINTS)
    studio.refer(photo, upload)
    file, expected = tmp_path / "hints.json", tmp_path / "expected.png"
    file.write_text(json.dumps(POINTS))
    flags = [f"--weights={vivid}", f"--hints={file}", f"--reference={reference}", "--device=cpu"]
    command = ["--mode=predict", f"--image_path={photo.file}", f"--output_path={expected}"]
    assert cli(*command, *flags).code == 0
    wish = Wish(studio.first)
    chroma = studio.predict_chroma(photo, wish)
    assert studio.develop(photo, chroma, wish, ".png").read_bytes() == expected.read_bytes()
    shown = np.asarray(Image.open(io.BytesIO(studio.preview(photo, chroma, wish)))).astype(float)
    assert np.abs(shown - np.asarray(Image.open(expected))).mean() < 8


def test_a_reference_goes_again(studio, photo, tmp_path):
    wish = Wish(studio.first)
    chroma = studio.predict_chroma(photo, wish)
    plain = studio.preview(photo, chroma, wish)
    upload = tmp_path / "received"
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(upload, "PNG")
    studio.refer(photo, upload)
    referred = studio.preview(photo, chroma, wish)
    assert referred != plain
    assert studio.preview(photo, chroma, replace(wish, is_plain=True)) == plain
    upload.write_text("no photo")
    with pytest.raises(UserError, match=r"^the reference is not a photo"):
        studio.refer(photo, upload)
    Image.fromarray(skimage.data.camera()).save(upload, "PNG")
    with pytest.raises(UserError, match=r"^the reference is gray: choose a photo in colour"):
        studio.refer(photo, upload)
    assert studio.preview(photo, chroma, wish) == referred
    studio.develop(photo, chroma, wish, ".png")
    upload.write_bytes(b"")
    studio.refer(photo, upload)
    assert studio.preview(photo, chroma, wish) == plain


def test_previews_while_a_reference_is_matched(studio, photo, tmp_path, monkeypatch):
    """They are what they were, with the reference before it or without one."""
    wish = Wish(studio.first)
    chroma = studio.predict_chroma(photo, wish)
    seen = [studio.preview(photo, chroma, wish)]

    def looking(*args):
        seen.append(studio.preview(photo, chroma, wish))
        return match(*args)

    monkeypatch.setattr("web.studio.match", looking)
    for source in (skimage.data.chelsea(), skimage.data.rocket()):
        upload = tmp_path / "received"
        Image.fromarray(source[:120, :160]).save(upload, "PNG")
        studio.refer(photo, upload)
        seen.append(studio.preview(photo, chroma, wish))
    plain, before, cat, during, rocket = seen
    assert before == plain
    assert during == cat
    assert len({plain, cat, rocket}) == 3
    assert {path.name for path in photo.folder.iterdir()} >= {"reference", "matched.npy"}
    assert not list(tmp_path.glob("received*"))


def test_a_photo_that_is_deleted_while_its_reference_is_matched(studio, photo, monkeypatch):
    upload = photo.folder / "received"
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(upload, "PNG")

    def leaving(*args):
        photo.delete()
        return match(*args)

    monkeypatch.setattr("web.studio.match", leaving)
    with pytest.raises(Gone, match="this file is here no more"):
        studio.refer(photo, upload)
    assert not photo.folder.exists()


def test_a_model_that_takes_a_reference_is_given_it(studio, photo, tmp_path):
    """It is asked again then, and what was matched for others changes nothing."""
    wish = Wish("iizuka2016")
    plain = studio.predict_chroma(photo, wish)
    upload = tmp_path / "received"
    Image.fromarray(skimage.data.chelsea()[:120, :160]).save(upload, "PNG")
    studio.refer(photo, upload)
    assert studio.known(photo, wish) is None
    assert not torch.equal(studio.predict_chroma(photo, wish).ab, plain.ab)
    assert torch.equal(studio.known(photo, replace(wish, is_plain=True)).ab, plain.ab)


def test_hints_that_come_during_a_prediction(studio, photo, monkeypatch):
    """What was predicted without them is not taken for what they give."""
    wish, predict = Wish("unet_hints"), Colorizer.predict_chroma
    keep_points(photo, [{"x": 10, "y": 10, "color": "#ff0000"}])

    def interrupted(*args):
        chroma = predict(*args)
        keep_points(photo, [{"x": 10, "y": 10, "color": "#0000ff"}])
        return chroma

    with monkeypatch.context() as patched:
        patched.setattr(Colorizer, "predict_chroma", interrupted)
        studio.predict_chroma(photo, wish)
    assert studio.known(photo, wish) is None
    chroma = studio.predict_chroma(photo, wish)
    assert (studio.known(photo, wish).ab == chroma.ab).all()
