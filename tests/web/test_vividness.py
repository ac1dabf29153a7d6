"""The slider of a model that has a vividness: it asks the network again, and gives what predict gives."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from checkpoint.file import load_weights, save_weights
from config import Config
from core.errors import UserError
from media.encode import save_picture
from media.picture import Picture
from models.registry import build_model
from web.studio import Studio
from web.upload import Upload
from web.wish import Wish


@pytest.fixture(scope="module")
def unet(tmp_path_factory):
    """Untrained, but for colours that are nothing like each other and rare ones that are rare."""
    torch.manual_seed(0)
    model = build_model("unet", preset="small", encoder="test_efficientnet", encoder_weights="random")
    model.bin_frequencies.copy_(torch.linspace(1e-6, 1, 313) / torch.linspace(1e-6, 1, 313).sum())
    path = tmp_path_factory.mktemp("weights") / "lively.safetensors"
    save_weights(path, "unet", model, {"image_size": 64, "resize": "squash"})
    return path


@pytest.fixture
def studio(unet):
    return Studio(Config(mode="serve", device="cpu"), load_weights(unet))


@pytest.fixture
def photo(studio, tmp_path):
    photo = Upload.new(tmp_path, "old.png", at_most=1)
    save_picture(photo.file, Picture(skimage.data.coffee()[100:160, 100:180]), quality=95)
    studio.take(photo)
    return photo


def test_it_is_what_predict_writes(cli, unet, studio, photo, tmp_path):
    wishes = [Wish(studio.first, vividness) for vividness in (0, 0.5)]
    plain, lively = (studio.predict_chroma(photo, wish) for wish in wishes)
    previews = [studio.preview(photo, studio.known(photo, wish), wish) for wish in wishes]
    assert previews[0] != previews[1]
    expected = tmp_path / "expected.png"
    flags = [f"--weights={unet}", "--vividness=0.5", f"--output_path={expected}", "--device=cpu"]
    flags += ["--keep_color=no"]
    assert cli("--mode=predict", f"--image_path={photo.file}", *flags).code == 0
    assert studio.develop(photo, lively, wishes[1], ".png").read_bytes() == expected.read_bytes()
    assert studio.develop(photo, plain, wishes[0], ".png").read_bytes() != expected.read_bytes()
    assert np.asarray(Image.open(expected)).shape == (60, 80, 3)


def test_its_range(studio, photo):
    with pytest.raises(UserError, match="--vividness=9: must be at least 0"):
        studio.predict_chroma(photo, Wish(studio.first, 9))
    assert studio.vividness(studio.first) == 0


def test_a_model_without_it(studio, photo):
    assert studio.vividness("model1") is None
    assert torch.equal(
        studio.predict_chroma(photo, Wish("model1", 9)).ab, studio.known(photo, Wish("model1", 0)).ab
    )


def test_the_flag_for_a_model_without_it(cli, vivid, photo):
    outcome = cli("--mode=predict", f"--image_path={photo.file}", f"--weights={vivid}", "--vividness=1")
    assert (outcome.code, outcome.error) == (2, "error: --vividness is not a setting of model1: leave it out")
