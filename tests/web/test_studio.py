"""What the page makes of photos is what `predict` makes of them, and the network is asked once."""

import dataclasses
import zipfile

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from checkpoint.file import load_weights
from config import Config
from core.errors import UserError
from media.encode import save_picture
from media.picture import Picture, load_picture
from web.studio import ENDINGS, Studio, pack

COFFEE = skimage.data.coffee()[100:300, 100:400]


@pytest.fixture
def studio(vivid):
    return Studio(Config(mode="serve", device="cpu"), load_weights(vivid))


@pytest.fixture
def photo(studio, tmp_path):
    path = tmp_path / "session" / "upload-1" / "old.png"
    save_picture(path, Picture(COFFEE.astype(np.uint16) * 257), quality=95)
    return studio.look(path, studio.first, 0)


def chroma_of(path):
    return np.hypot(*np.moveaxis(skimage.color.rgb2lab(np.asarray(Image.open(path)))[..., 1:], -1, 0))


def test_the_weights_that_ship_stand_beside_the_given(studio):
    assert studio.first == "vivid (model1)"
    assert set(studio.choices) > {"model1", "vivid (model1)"}


@pytest.mark.parametrize("ending", ENDINGS)
def test_full_size_is_what_predict_writes(cli, vivid, studio, photo, tmp_path, ending):
    expected = tmp_path / f"expected{ending}"
    flags = [f"--weights={vivid}", "--saturation=0.7", f"--output_path={expected}", "--device=cpu"]
    assert cli("--mode=predict", f"--image_path={photo.path}", *flags).code == 0
    found = studio.develop(photo, 0.7, ending)
    assert found.name == f"old_colorized{ending}"
    assert found.read_bytes() == expected.read_bytes()


def test_saturation_and_overlay_do_not_ask_the_network(studio, photo):
    calls = []
    studio._loaded[studio.first].model.register_forward_hook(lambda *_: calls.append(1))
    gray, weak, full = (studio.preview(photo, saturation, overlay=False) for saturation in (0, 0.5, 1))
    assert chroma_of(gray).max() < 4  # JPEG
    assert 3 < chroma_of(weak).mean() < chroma_of(full).mean()
    studio.preview(photo, 0, overlay=True)
    studio.develop(photo, 0.5, ".png")
    assert not calls
    studio.look(photo.path, studio.first, 0)
    assert calls


def test_overlay_is_magenta_where_the_model_is_unsure(studio, photo):
    confidence = np.full((20, 30), 255, np.uint8)
    confidence[:, :15] = 0
    half = dataclasses.replace(photo, confidence=confidence)
    plain, overlay = (np.asarray(Image.open(studio.preview(half, 0, overlay=o))) for o in (False, True))
    assert np.abs(overlay[:, 170:].astype(int) - plain[:, 170:]).max() < 8
    expected = 0.85 * np.array([255, 0, 200]) + 0.15 * plain[:, :130].mean(axis=(0, 1))
    assert np.abs(overlay[:, :130].mean(axis=(0, 1)) - expected).max() < 4


def test_few_previews_are_kept(studio, photo):
    for step in range(12):
        shown = studio.preview(photo, step / 10, overlay=False)
    assert shown.exists()
    assert len(list(photo.gray.parent.iterdir())) <= 5


def test_errors_name_the_photo_without_its_folder(studio, tmp_path):
    text = tmp_path / "x.jpg"
    text.write_text("no photo")
    with pytest.raises(UserError, match=r"^x\.jpg is not a photo"):
        studio.look(text, studio.first, 0)


def test_a_photo_that_is_deleted(studio, photo):
    photo.gray.unlink()
    photo.path.unlink()
    with pytest.raises(UserError, match=r"old\.png is here no more"):
        studio.preview(photo, 1, overlay=False)
    with pytest.raises(UserError, match=r"^old\.png does not exist"):
        studio.develop(photo, 1, ".png")


def test_pack_keeps_namesakes_apart(tmp_path):
    paths = [tmp_path / str(i) / name for i, name in enumerate(("a.png", "A.png", "b.png"))]
    for path in paths:
        path.parent.mkdir()
        path.write_text(str(path))
    with zipfile.ZipFile(pack(paths, tmp_path / "x.zip")) as archive:
        assert archive.namelist() == ["a.png", "A (2).png", "b.png"]
        assert archive.read("A (2).png").decode() == str(paths[1])


def test_load_picture_reads_it_back(studio, photo):
    found = load_picture(studio.develop(photo, 1, ".png"), max_pixels=10**6)
    assert found.pixels.dtype == np.uint16
    assert found.size == (300, 200)
