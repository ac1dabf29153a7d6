"""predict with --samples and --sample_seed: a picture for each seed, and the same one each time."""

import numpy as np
import pytest
import torch
from conftest import small_model
from PIL import Image

from checkpoint.file import save_weights


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Untrained weights of a model that draws, sure of so much that its drawings differ."""
    torch.manual_seed(0)
    model = small_model("coltran2021")
    for upsampler in (model.color, model.spatial):
        upsampler.head.weight.data.mul_(20)
    path = tmp_path_factory.mktemp("weights") / "x.safetensors"
    save_weights(path, "coltran2021", model, {"image_size": 32, "resize": "squash"})
    return path


@pytest.fixture
def predict(cli, weights):
    def run(path, *flags):
        return cli("--mode=predict", f"--image_path={path}", f"--weights={weights}", "--device=cpu", *flags)

    return run


def pixels(path):
    return np.asarray(Image.open(path))


def test_a_picture_for_each_seed_and_a_sheet(predict, old_photo):
    done = predict(old_photo, "--samples=3", "--sample_seed=5")
    paths = [old_photo.with_name(f"old_colorized_{name}.png") for name in (5, 6, 7, "samples")]
    assert done.code == 0, done.err
    assert done.out.splitlines()[1:] == [str(path) for path in paths]
    assert sorted(old_photo.parent.iterdir()) == sorted([old_photo, *paths])
    drawn = [pixels(path) for path in paths[:3]]
    assert all(picture.shape == (60, 90, 3) for picture in drawn)
    assert np.abs(drawn[0].astype(int) - drawn[1]).max() > 20
    assert "seed 6" in Image.open(paths[1]).getexif()[0x0131]
    sheet = pixels(paths[3])
    assert sheet.shape[1] > 4 * 90
    assert all(
        any(np.array_equal(sheet[y : y + 60, x : x + 90], picture) for x in range(sheet.shape[1] - 90))
        for picture in drawn
        for y in [36]
    )


def test_the_same_seed_alone_and_in_a_folder(predict, old_photo, tmp_path):
    one, again = tmp_path / "one.png", tmp_path / "again.png"
    assert predict(old_photo, "--samples=2", f"--output_path={one}").code == 0
    assert predict(old_photo, "--sample_seed=1", f"--output_path={again}").code == 0
    assert np.array_equal(pixels(again), pixels(tmp_path / "one_1.png"))
    folder = tmp_path / "album"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(old_photo.read_bytes())
    assert predict(folder, "--sample_seed=1").code == 0
    for name in ("a.png", "b.png"):
        assert np.array_equal(pixels(tmp_path / "album_colorized" / name), pixels(again))


def test_another_seed_for_a_folder_that_is_there_is_told(predict, old_photo):
    assert predict(old_photo.parent, "--sample_seed=1").code == 0
    assert "were made with" not in predict(old_photo.parent, "--sample_seed=1").err
    for flags in (["--sample_seed=2"], []):
        told = predict(old_photo.parent, *flags).err
        assert "1 files that were there were made with other settings" in told


def test_the_same_seed_alone_where_there_is_a_border(predict, old_photo, tmp_path):
    Image.fromarray(np.pad(pixels(old_photo), 20, constant_values=255)).save(old_photo)
    one, again = tmp_path / "one.png", tmp_path / "again.png"
    assert predict(old_photo, "--samples=1", f"--output_path={one}").code == 0
    assert predict(old_photo, "--sample_seed=0", f"--output_path={again}").code == 0
    assert np.array_equal(pixels(again), pixels(tmp_path / "one_0.png"))


def test_without_a_seed_nothing_is_drawn(predict, old_photo, tmp_path):
    paths = [tmp_path / "one.png", tmp_path / "two.png"]
    for path in paths:
        assert predict(old_photo, f"--output_path={path}").code == 0
    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert "seed" not in Image.open(paths[0]).getexif()[0x0131]


def test_dry_run_names_every_file(predict, old_photo):
    done = predict(old_photo, "--samples=2", "--dry_run")
    names = [old_photo.with_name(f"old_colorized_{name}.png") for name in (0, 1, "samples")]
    assert done.out.splitlines()[-3:] == [f"would write {name} (90x60)" for name in names]
    assert list(old_photo.parent.iterdir()) == [old_photo]


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--samples=2", "--views=2"], "--samples: a mean over views is none of the drawn colours"),
        (["--sample_seed=0", "--views=2"], "--sample_seed: a mean over views"),
        (["--samples=2", "--save_chroma=c.safetensors"], "several colours: leave --save_chroma out"),
        (["--samples=2", "--save_confidence=c.png"], "several colours: leave --save_confidence out"),
    ],
)
def test_mistakes(predict, old_photo, flags, complaint):
    done = predict(old_photo, *flags)
    assert done.code == 2
    assert complaint in done.error


def test_no_picture_is_written_over(predict, old_photo):
    there = old_photo.with_name("old_colorized_1.png")
    there.touch()
    done = predict(old_photo, "--samples=2")
    assert done.code == 2
    assert f"{there} exists: add --overwrite, or name another with --output_path" in done.error


def test_models_that_draw_nothing(cli, old_photo, vivid, tmp_path):
    flags = ["--mode=predict", f"--image_path={old_photo}", f"--weights={vivid}"]
    for flag in ("--samples=2", "--sample_seed=0"):
        done = cli(*flags, flag)
        assert done.code == 2
        name = flag.partition("=")[0]
        assert f"{name}: model1 draws nothing, its colours are always the same: leave it out" in done.error
        done = cli(*flags[:2], "--model=levin2004", flag)
        assert done.code == 2
        assert f"--model=levin2004 takes no model: leave {name} out" in done.error
    done = cli("--mode=predict", f"--image_path={tmp_path}", f"--weights={vivid}", "--samples=2")
    assert done.code == 2
    assert "--samples is for photos, and" in done.error
