"""predict with --prompt: words that move colours, that are not known, that are for other models."""

import sys

import numpy as np
import pytest
import torch
from conftest import small_model
from PIL import Image

from checkpoint.file import save_weights
from core.extras import installing


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights of a model that knows two words, and whose drawings and words are to be seen."""
    torch.manual_seed(0)
    model = small_model("liu2023")
    model.words.learn(["street", "field"])
    model.denoiser.leave[-1].weight.data.mul_(30)
    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    save_weights(path, "liu2023", model, {"image_size": 32, "resize": "squash"})
    return path


@pytest.fixture
def predict(cli, weights, tmp_path):
    """Color a photo, and return what was said and the picture."""

    def run(path, name, *flags):
        output = tmp_path / name
        argv = ["--mode=predict", f"--image_path={path}", f"--weights={weights}", f"--output_path={output}"]
        done = cli(*argv, "--device=cpu", *flags)
        assert done.code == 0, done.err
        return done, np.asarray(Image.open(output)).astype(int)

    return run


def test_words_move_colours_and_unknown_ones_are_named(predict, old_photo):
    _, without = predict(old_photo, "a.png")
    done, street = predict(old_photo, "b.png", "--prompt=Street")
    assert "learnt" not in done.err
    assert np.abs(street - without).max() > 5
    done, same = predict(old_photo, "c.png", "--prompt=red street, red dusk")
    assert "--prompt: x has not learnt red, dusk" in done.err
    assert np.array_equal(same, street)
    _, nothing = predict(old_photo, "d.png", "--prompt=red dusk")
    assert np.array_equal(nothing, without)
    _, not_led = predict(old_photo, "e.png", "--prompt=street", "--guidance_scale=0")
    assert np.array_equal(not_led, without)


def test_words_and_seeds(predict, old_photo, tmp_path):
    pytest.importorskip("diffusers")
    flags = ["--steps=2", "--sampler=ddim"]
    _, drawn = predict(old_photo, "a.png", "--sample_seed=1", *flags)
    _, told = predict(old_photo, "b.png", "--sample_seed=1", "--prompt=street", *flags)
    assert np.abs(told - drawn).max() > 5
    _, longer = predict(
        old_photo, "c.png", "--sample_seed=1", "--prompt=street", "--steps=3", "--sampler=ddim"
    )
    assert np.abs(longer - told).max() > 5
    argv = [old_photo, "d_1.png", "--sample_seed=0", "--samples=2", "--prompt=street", *flags]
    with pytest.raises(FileNotFoundError):  # there is a picture for each seed instead
        predict(*argv)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "d_1_1.png")), told)


def test_a_folder_keeps_what_was_said(cli, weights, old_photo, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    old_photo.rename(folder / "a.png")
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--device=cpu"]
    assert cli(*argv, "--prompt=street").code == 0
    assert '""prompt"": ""street""' in (tmp_path / "album_colorized" / "report.csv").read_text()
    assert "were made with other settings" in cli(*argv).err


def test_without_diffusers_nothing_is_begun(cli, weights, old_photo, tmp_path, monkeypatch):
    """Neither a photo nor a folder nor a test; the best guess needs none."""
    monkeypatch.setitem(sys.modules, "diffusers", None)
    predict = ["--mode=predict", f"--weights={weights}", "--device=cpu"]
    test = ["--mode=test", "--data_dir=sample", "--split=all", f"--weights={weights}", "--device=cpu"]
    for argv in (
        [*predict, f"--image_path={old_photo}", "--samples=2"],
        [*predict, f"--image_path={tmp_path}", "--sample_seed=2"],
        [*test, "--samples=2", f"--run_dir={tmp_path / 'run'}", "--max_photos=2"],
    ):
        done = cli(*argv)
        assert done.code == 2
        assert "drawing colours needs diffusers" in done.error
        assert done.error.endswith(installing("diffusion"))
    assert list(tmp_path.glob("*.png")) == [old_photo]
    assert cli(*predict, f"--image_path={old_photo}").code == 0


def test_one_step_draws_nothing(cli, weights, old_photo, tmp_path):
    """It starts from noise that the network is not shown: every seed has the same colours."""
    predict = ["--mode=predict", f"--image_path={old_photo}", f"--weights={weights}", "--device=cpu"]
    test = ["--mode=test", "--data_dir=sample", "--split=all", f"--weights={weights}", "--device=cpu"]
    for argv in (
        [*predict, "--samples=2"],
        [*predict, "--sample_seed=2"],
        [*test, "--samples=2", f"--run_dir={tmp_path / 'run'}", "--max_photos=2"],
    ):
        done = cli(*argv, "--steps=1")
        assert done.code == 2
        assert "--steps=1 gives the best guess, whatever the seed: take 2 or more" in done.error
    assert cli(*predict, "--steps=1").code == 0


def test_models_without_words(cli, vivid, old_photo, tmp_path):
    done = cli("--mode=predict", f"--image_path={old_photo}", f"--weights={vivid}", "--prompt=street")
    assert done.code == 2
    assert "--prompt: model1 takes no words: leave it out" in done.error
    for path in (old_photo, tmp_path):
        done = cli("--mode=predict", f"--image_path={path}", "--model=levin2004", "--prompt=street")
        assert done.code == 2
        assert "--model=levin2004 takes no model: leave --prompt out" in done.error
