"""Confidence and the choice of a size, with models whose doubts are known."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from checkpoint.file import save_weights
from inference.colorizer import Colorizer
from inference.confidence import confidence, most_consistent
from inference.guidance import Guidance
from inference.hints import Hints
from media.picture import from_array
from models.registry import build_model


@pytest.fixture
def L():
    return torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)) * 100


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "model1.safetensors"
    save_weights(path, "model1", build_model("model1"), {"image_size": 64})
    return path


def test_a_model_that_never_changes_its_mind_is_sure(L):
    sure = confidence(lambda seen: torch.full((1, 2, *seen.shape[-2:]), 30.0), L)
    assert sure.shape == L.shape
    assert torch.equal(sure, torch.ones_like(sure))


def test_doubt_is_where_the_colours_change():
    """Colours that depend on the side they are on: a mirrored photo says otherwise, but in the middle."""

    def left_is_red(seen):
        ramp = torch.linspace(-60, 60, seen.shape[-1]).expand(1, 1, *seen.shape[-2:])
        return torch.cat((ramp, torch.zeros_like(ramp)), dim=1)

    sure = confidence(left_is_red, torch.full((1, 1, 64, 64), 50.0))[0, 0, 32]
    assert sure[31] > 0.9
    assert sure[0] < 0.2
    # By hand: five views say -60, one says 60, so the spread is 120 * sqrt(5) / 6; edges aside.
    assert sure[4] == pytest.approx(np.exp(-12 * 5**0.5 / 6 * (1 - 8 / 63)), rel=0.05)


def test_what_is_told_of_the_mirror_image_is_mirrored(weights):
    """A model that gives back the hints that it sees agrees with itself, the mirror image included."""
    colorizer = Colorizer.load(weights, device="cpu")
    colorizer.model.accepts = frozenset({"hints"})
    colorizer.model.forward = lambda L, hints: hints[:, :2]
    strokes = np.zeros((64, 64, 4), np.uint8)
    strokes[:, :32] = (200, 0, 0, 255)
    strokes[:, 32:] = (0, 0, 200, 255)
    photo = from_array(skimage.data.chelsea()[:64, :64])
    sure = colorizer.confidence(photo, None, Guidance(hints=Hints((64, 64), strokes=strokes)))
    assert (sure[:, :24] > 250).all()
    assert (sure[:, 40:] > 250).all()


def test_most_consistent_is_the_one_nearest_to_the_others():
    answers = {32: 50.0, 64: 11.0, 96: 10.0, 128: -40.0}
    candidates = [torch.full((1, 2, side, side), answer) for side, answer in answers.items()]
    assert most_consistent(candidates) == 1


@pytest.mark.parametrize("size", ["32", "96"])
def test_render_size(weights, size):
    original = from_array(skimage.data.chelsea()[:90, :120])
    colorizer = Colorizer.load(weights, device="cpu", render_size=size)
    assert colorizer.predict_whole(original).ab.shape[-1] == int(size)
    assert colorizer.color(original).pixels.shape == (90, 120, 3)


def test_automatic_render_size(weights):
    """A model that says something else at its own size, and nearly the same at the others."""
    colorizer = Colorizer.load(weights, device="cpu", image_size=128, render_size="auto")
    answers = {128: 60.0, 96: 9.0, 160: 10.0, 192: 12.0}
    colorizer.model.forward = lambda L: torch.full_like(L, answers[L.shape[-1]]).repeat(1, 2, 1, 1)
    assert colorizer.predict_whole(from_array(skimage.data.chelsea())).ab.shape[-1] == 160


def test_confidence_of_a_photo(cli, weights, tmp_path):
    photo = tmp_path / "x.png"
    Image.fromarray(skimage.data.chelsea()[:90, :120]).save(photo)
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={weights}"]
    sure = tmp_path / "sure.png"
    assert cli(*argv, f"--save_confidence={sure}").code == 0
    with Image.open(sure) as image:
        assert image.size == (120, 90)
        assert np.ptp(np.asarray(image)) > 5
    outcome = cli(*argv, f"--save_confidence={sure}", f"--output_path={tmp_path / 'y.png'}")
    assert outcome.code == 2
    assert f"{sure} exists" in outcome.error
    assert not (tmp_path / "y.png").exists()


@pytest.mark.parametrize("flag", ["save_chroma", "apply_chroma", "save_confidence"])
def test_flags_of_one_photo_are_not_for_folders(cli, weights, tmp_path, flag):
    (tmp_path / "folder").mkdir()
    argv = ["--mode=predict", f"--image_path={tmp_path / 'folder'}", f"--weights={weights}"]
    outcome = cli(*argv, f"--{flag}={tmp_path / 'x'}")
    assert outcome.code == 2
    assert f"--{flag} is for photos, and" in outcome.error


def test_a_model_that_can_say_is_asked_once(weights):
    """Its own word, carried to the photo's size; after a prediction at its size, in one pass."""
    colorizer = Colorizer.load(weights, device="cpu")
    colorizer.model.confidence = lambda out, L: (L > 50).float()
    passes = []
    colorizer.model.register_forward_hook(lambda *_: passes.append(1))
    pixels = np.zeros((90, 120, 3), np.uint8)
    pixels[:, 60:] = 255
    photo = from_array(pixels)
    chroma = colorizer.predict_whole(photo)
    assert len(passes) == 1
    sure = colorizer.confidence(photo, chroma)
    assert len(passes) == 2
    assert sure.shape == (90, 120)
    assert (sure[:, :50] == 0).all()
    assert (sure[:, 70:] == 255).all()
