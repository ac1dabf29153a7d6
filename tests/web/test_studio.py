"""What the page does with photos: the same as `predict`, and without asking the network twice."""

import io
import zipfile

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image
from scans import scan

from checkpoint.file import load_weights
from config import Config
from core.errors import UserError
from media.encode import save_picture
from media.picture import Picture, load_picture
from web.files import zip_pictures
from web.sessions import Gone
from web.studio import ENDINGS, Studio
from web.upload import Upload
from web.wish import Wish

COFFEE = skimage.data.coffee()[100:300, 100:400]


@pytest.fixture
def studio(vivid):
    return Studio(Config(mode="serve", device="cpu"), load_weights(vivid))


@pytest.fixture
def photo(studio, tmp_path):
    photo = Upload.new(tmp_path, "old.png", at_most=1)
    save_picture(photo.file, Picture(COFFEE.astype(np.uint16) * 257), quality=95)
    assert studio.take(photo) == ["has colours of its own, in whose place others come here"]
    assert photo.size == (300, 200)
    return photo


@pytest.fixture
def chroma(studio, photo):
    return studio.predict_chroma(photo, Wish(studio.first))


def chroma_of(jpeg):
    lab = skimage.color.rgb2lab(np.asarray(Image.open(io.BytesIO(jpeg))))
    return np.hypot(lab[..., 1], lab[..., 2])


def test_the_weights_that_ship_stand_beside_the_given(studio):
    assert studio.first == "vivid (model1)"
    assert set(studio.choices) > {"model1", "vivid (model1)"}
    with pytest.raises(UserError, match="there is no model x: choose one of"):
        studio.vividness("x")


@pytest.mark.parametrize("ending", ENDINGS)
def test_full_size_is_what_predict_writes(cli, vivid, studio, photo, chroma, tmp_path, ending):
    expected = tmp_path / f"expected{ending}"
    flags = [f"--weights={vivid}", "--saturation=0.7", f"--output_path={expected}", "--device=cpu"]
    flags += ["--keep_color=no"]
    assert cli("--mode=predict", f"--image_path={photo.file}", *flags).code == 0
    for colors in (chroma, studio.known(photo, Wish(studio.first))):
        found = studio.develop(photo, colors, Wish(studio.first, saturation=0.7), ending)
        assert found.name == f"old_colorized{ending}"
        assert found.read_bytes() == expected.read_bytes()


@pytest.mark.parametrize("kind", ["border", "page"])
def test_borders_and_pages_are_what_predict_writes(cli, vivid, studio, tmp_path, kind):
    """As they are shown to the model, and told to be sure of."""
    framed = np.pad(COFFEE, ((30, 30), (40, 40), (0, 0)), constant_values=250)
    pixels = framed if kind == "border" else scan()
    photo, expected = Upload.new(tmp_path, "old.png", at_most=1), tmp_path / "expected.png"
    save_picture(photo.file, Picture(pixels), quality=95)
    studio.take(photo)
    wish = Wish(studio.first)
    found = studio.develop(photo, studio.predict_chroma(photo, wish), wish, ".png")
    flags = [f"--weights={vivid}", f"--output_path={expected}", "--device=cpu", "--keep_color=no"]
    assert cli("--mode=predict", f"--image_path={photo.file}", *flags).code == 0
    assert found.read_bytes() == expected.read_bytes()
    preview = chroma_of(studio.preview(photo, studio.known(photo, wish), wish))
    assert preview[:20].max() < 4 < preview[60:100, 60:100].mean()
    doubt = np.asarray(Image.open(io.BytesIO(studio.doubt(photo, wish))))[..., 3]
    assert doubt[:20].max() == 0 < doubt[60:100, 60:100].mean()


def test_the_network_is_asked_once(studio, photo):
    calls = []
    studio._loaded[studio.first].model.register_forward_hook(lambda *_: calls.append(1))
    assert studio.known(photo, Wish(studio.first)) is None
    chroma = studio.predict_chroma(photo, Wish(studio.first))
    assert len(calls) == 1
    wishes = [Wish(studio.first, saturation=s) for s in (0, 0.5, 1)]
    gray, weak, full = (chroma_of(studio.preview(photo, chroma, wish)) for wish in wishes)
    assert gray.max() < 4  # JPEG
    assert 3 < weak.mean() < full.mean()
    studio.develop(photo, studio.known(photo, wishes[1]), wishes[1], ".png")
    assert len(calls) == 1


def test_few_colours_are_kept(studio, photo, monkeypatch):
    monkeypatch.setattr("web.studio._KEPT_CHROMA", 2)
    for model in ("model1", "model1_vivid", studio.first):
        studio.predict_chroma(photo, Wish(model, 0))
    assert studio.known(photo, Wish("model1", 0)) is None
    assert studio.known(photo, Wish(studio.first)) is not None


def test_doubt_is_magenta_as_far_as_the_model_is_unsure(studio, photo, monkeypatch):
    sure = np.full((200, 300), 255, np.uint8)
    sure[:, :150] = 0
    monkeypatch.setattr("web.studio.Colorizer.confidence", lambda *_: sure)
    layer = np.asarray(Image.open(io.BytesIO(studio.doubt(photo, Wish(studio.first)))))
    assert (layer[..., :3] == (255, 0, 200)).all()
    assert (layer[:, 150:, 3] == 0).all()
    assert (layer[:, :150, 3] == round(0.85 * 255)).all()


def test_errors_name_the_photo_without_its_folder(studio, tmp_path):
    photo = Upload.new(tmp_path, "x.jpg", at_most=1)
    photo.file.write_text("no photo")
    with pytest.raises(UserError, match=r"^x\.jpg is not a photo"):
        studio.take(photo)


def test_a_photo_that_is_deleted(studio, photo, chroma):
    photo.delete()
    for use in (
        lambda: studio.preview(photo, chroma, Wish(studio.first)),
        lambda: studio.develop(photo, chroma, Wish(studio.first), ".png"),
        lambda: studio.predict_chroma(photo, Wish(studio.first)),
    ):
        with pytest.raises(Gone, match="this file is here no more"):
            use()


def test_pack_keeps_namesakes_apart(tmp_path):
    paths = [tmp_path / str(i) / name for i, name in enumerate(("a.png", "A.png", "b.png"))]
    for path in paths:
        path.parent.mkdir()
        path.write_text(str(path))
    with zipfile.ZipFile(zip_pictures(paths, tmp_path / "x.zip")) as archive:
        assert archive.namelist() == ["a.png", "A (2).png", "b.png"]
        assert archive.read("A (2).png").decode() == str(paths[1])


def test_it_keeps_depth_and_size(studio, photo, chroma):
    found = load_picture(studio.develop(photo, chroma, Wish(studio.first), ".png"), max_pixels=10**6)
    assert found.pixels.dtype == np.uint16
    assert found.size == (300, 200)


def test_what_is_odd_about_a_photo_is_told(studio, tmp_path, caplog):
    """As predict tells it, but not to the log of the server: names of files are people's own."""
    photo = Upload.new(tmp_path, "page.tif", at_most=1)
    page, white = Image.fromarray(scan()), Image.new("L", (90, 60), 255)
    page.save(photo.file, save_all=True, append_images=[white])
    assert studio.take(photo) == ["4 photos found on the page", "holds 2 pictures: the first is colored here"]
    white.save(photo.file)
    assert "is nearly all white" in studio.take(photo)
    assert caplog.messages == []
