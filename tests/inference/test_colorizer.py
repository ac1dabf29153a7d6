"""The library entry with one photo and with several."""

import copy
import io
import multiprocessing
import pickle

import numpy as np
import pytest
import skimage.data
import torch
from conftest import small_model
from PIL import Image

from checkpoint.file import save_weights
from core.errors import UserError
from inference.colorizer import Colorizer
from inference.guidance import Guidance
from inference.hints import Hints, parse_points
from media.picture import from_array
from models.registry import MODELS

PHOTOS = [skimage.data.chelsea()[100:140, 100:160], skimage.data.coffee()[100:150, 100:180]]


@pytest.fixture(scope="module")
def colorizer(vivid):
    return Colorizer.load(vivid, device="cpu")


@pytest.mark.parametrize("kind", [list, tuple])
def test_several_photos_give_a_list(colorizer, kind, tmp_path):
    path, stream = tmp_path / "x.png", io.BytesIO()
    Image.fromarray(PHOTOS[0]).save(path)
    Image.fromarray(PHOTOS[1]).save(stream, "PNG")
    found = colorizer(kind((path, stream.getvalue(), PHOTOS[0])))
    expected = [colorizer(photo) for photo in (*PHOTOS, PHOTOS[0])]
    assert isinstance(found, list)
    assert all((a == b).all() for a, b in zip(found, expected, strict=True))
    assert colorizer(kind()) == []


def test_a_batch_gives_a_list(colorizer):
    photo = PHOTOS[0]
    batch = torch.from_numpy(np.stack((photo, photo[::-1]))).permute(0, 3, 1, 2)
    found = colorizer(batch)
    assert [picture.shape for picture in found] == [photo.shape] * 2
    assert (found[0] == colorizer(photo)).all()
    assert (found[1] == colorizer(photo[::-1])).all()
    gray = colorizer(batch[:, :1] / 255)
    assert gray[0].shape == photo.shape
    assert gray[0].dtype == np.float32


def test_what_is_no_photo(colorizer):
    with pytest.raises(ValueError, match="at least one pixel"):
        colorizer(torch.zeros(0, 3, 9, 9))
    with pytest.raises(ValueError, match="could be either"):
        colorizer(torch.zeros(2, 3, 9, 3))


@pytest.mark.parametrize("name", ["model1", "unet"])
def test_pictures_together_are_as_alone(tmp_path, name):
    """But for rounding; and each can be written to a file by itself."""
    torch.manual_seed(0)
    save_weights(tmp_path / "x.safetensors", name, small_model(name), {"image_size": 64})
    colorizer = Colorizer.load(tmp_path / "x.safetensors", device="cpu")
    pictures = [from_array(skimage.data.astronaut()[y : y + 90, 200:320]) for y in (0, 60, 120)]
    together = colorizer.predict_together(pictures)
    for picture, found in zip(pictures, together, strict=True):
        expected = colorizer.predict_whole(picture)
        assert (found.ab - expected.ab).abs().max() < 2e-3 * expected.ab.abs().max() + 0.01
        assert torch.equal(found.L, expected.L)
        assert (found.size, found.by) == (expected.size, expected.by)
        assert found.ab.is_contiguous()


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("page", "x", "must be one of auto, album, photo"),
        ("resize", "x", "must be one of squash, crop"),
        ("upsample", "x", "must be one of guided, bilinear"),
        ("saturation", float("nan"), "must be at least 0 and at most 10"),
        ("saturation", -1, "must be at least 0 and at most 10"),
        ("views", 0, "must be at least 1 and at most 8"),
        ("views", "2", "has the wrong type"),
        ("image_size", 0, "must be at least 32"),
        ("render_size", "x", "must be auto or a number"),
        ("render_size", 0, "must be auto or a number"),
        ("render_size", "128,224", "takes one"),
        ("device", "cuda:0", "must be one of auto, cpu, cuda, mps"),
        ("device", torch.device("meta"), "must be one of auto, cpu, cuda, mps"),
    ],
)
def test_options_are_checked_as_the_flags(vivid, option, value, told):
    with pytest.raises(UserError, match=f"^--{option}=[^\n]* {told}"):
        Colorizer.load(vivid, **{option: value})


def test_options_in_types_of_their_own(vivid, colorizer):
    for device in (torch.device("cpu"), torch.device("cpu", 0)):
        own = Colorizer.load(vivid, device=device, render_size=64)
        assert own.device == device
        assert np.array_equal(own(PHOTOS[0]), colorizer(PHOTOS[0]))


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("copied", [lambda c: pickle.loads(pickle.dumps(c)), copy.deepcopy])
def test_a_copy_gives_the_same_colors(tmp_path, name, copied):
    torch.manual_seed(0)
    save_weights(tmp_path / "x.safetensors", name, small_model(name), {"image_size": 32})
    colorizer = Colorizer.load(tmp_path / "x.safetensors", device="cpu", views=2)
    other = copied(colorizer)
    assert other.model is other.loaded.model is not colorizer.model
    assert np.array_equal(other(PHOTOS[0]), colorizer(PHOTOS[0]))
    assert other.settings == colorizer.settings


def test_photos_among_processes(colorizer):
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        found = pool.map(colorizer, PHOTOS)
    assert all(np.array_equal(a, b) for a, b in zip(found, colorizer(PHOTOS), strict=True))


@pytest.fixture(params=[torch.float64, torch.bfloat16], ids=str)
def default_dtype(request):
    """The caller's own default, to be set once all is prepared."""
    yield lambda: torch.set_default_dtype(request.param)
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", MODELS)
def test_another_default_dtype_changes_nothing(tmp_path, name, default_dtype):
    """Neither at loading nor at predicting, whatever the model is told."""
    path = tmp_path / "x.safetensors"
    torch.manual_seed(0)
    model = small_model(name)
    save_weights(path, name, model, {"image_size": 32})
    original = from_array(PHOTOS[0])
    points = parse_points([{"x": 10, "y": 20, "color": "#c04020"}], original.size)
    strokes = np.full((*PHOTOS[0].shape[:2], 4), (90, 30, 60, 255), np.uint8)
    told = {
        "hints": points,
        "reference": from_array(PHOTOS[1]),
        "seed": 3 if model.is_random else None,
        "prompt": "a cat",
    }
    guidances = [
        Guidance(),
        Guidance(**{k: v for k, v in told.items() if k in model.accepts or k == "seed"}),
        *([Guidance(hints=Hints(original.size, strokes=strokes))] if "hints" in model.accepts else []),
    ]

    def found():
        colorizer = Colorizer.load(path, device="cpu", views=2)
        chromas = [colorizer.predict_whole(original, guidance) for guidance in guidances]
        return [chroma.ab for chroma in chromas], colorizer.confidence(original), colorizer(PHOTOS[0])

    expected = found()
    default_dtype()
    again = found()
    assert all(torch.equal(a, b) for a, b in zip(expected[0], again[0], strict=True))
    assert np.array_equal(expected[1], again[1])
    assert np.array_equal(expected[2], again[2])
