"""predict with several sizes in --render_size: a picture for each, and a sheet to choose from."""

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def predict(cli, vivid):
    def run(path, *flags):
        return cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}", "--device=cpu", *flags)

    return run


def pixels(path):
    return np.asarray(Image.open(path))


def test_a_picture_for_each_size_and_a_sheet(predict, old_photo, tmp_path):
    done = predict(old_photo, "--render_size=64,128")
    paths = [old_photo.with_name(f"old_colorized_{name}.png") for name in ("64px", "128px", "sizes")]
    assert done.code == 0, done.err
    assert done.out.splitlines()[1:] == [str(path) for path in paths]
    assert sorted(old_photo.parent.iterdir()) == sorted([old_photo, *paths])
    alone = tmp_path / "alone.png"
    for size, path in zip((64, 128), paths, strict=False):
        assert predict(old_photo, f"--render_size={size}", f"--output_path={alone}", "--overwrite").code == 0
        assert path.read_bytes() == alone.read_bytes()
    sheet = pixels(paths[2])
    small, large = pixels(paths[0]), pixels(paths[1])
    assert not np.array_equal(small, large)
    places = [
        [x for x in range(sheet.shape[1] - 90) if np.array_equal(sheet[36 : 36 + 60, x : x + 90], picture)]
        for picture in (small, large)
    ]
    assert places[0] < places[1]


def test_a_border_is_not_shown_at_any_size(predict, old_photo, tmp_path):
    """Each picture is that of its size alone also where the photo has a white border."""
    Image.fromarray(np.pad(pixels(old_photo), 20, constant_values=255)).save(old_photo)
    alone = tmp_path / "alone.png"
    assert predict(old_photo, "--render_size=64,32").code == 0
    assert predict(old_photo, "--render_size=64", f"--output_path={alone}").code == 0
    assert old_photo.with_name("old_colorized_64px.png").read_bytes() == alone.read_bytes()


def test_dry_run_names_every_file(predict, old_photo):
    done = predict(old_photo, "--render_size=64,128", "--dry_run")
    names = [old_photo.with_name(f"old_colorized_{name}.png") for name in ("64px", "128px", "sizes")]
    assert done.out.splitlines()[-3:] == [f"would write {name} (90x60)" for name in names]
    assert list(old_photo.parent.iterdir()) == [old_photo]


def test_no_picture_is_written_over(predict, old_photo):
    there = old_photo.with_name("old_colorized_128px.png")
    there.touch()
    done = predict(old_photo, "--render_size=64,128")
    assert done.code == 2
    assert f"{there} exists: add --overwrite, or name another with --output_path" in done.error


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--render_size=64,auto"], "must be auto or a number from 32 to 4096, or several of these"),
        (["--render_size=64,16"], "must be auto or a number from 32 to 4096"),
        (["--render_size=64,"], "must be auto or a number from 32 to 4096"),
        (["--render_size=64,064"], "--render_size=64,064 names a size twice"),
        (["--render_size=64,96", "--save_chroma=c.safetensors"], "colours: leave --save_chroma out"),
        (["--render_size=64,96", "--save_confidence=c.png"], "colours: leave --save_confidence out"),
        (["--render_size=64,96", "--samples=2"], "draws nothing"),
        (["--render_size=64,96", "--model=levin2004"], "takes no model: leave --render_size out"),
    ],
)
def test_mistakes(predict, cli, old_photo, flags, complaint):
    if "--model=levin2004" in flags:
        done = cli("--mode=predict", f"--image_path={old_photo}", *flags)
    else:
        done = predict(old_photo, *flags)
    assert done.code == 2
    assert complaint in done.error


def test_several_sizes_are_for_one_photo_of_predict(predict, cli, old_photo, tmp_path):
    done = predict(tmp_path, "--render_size=64,128")
    assert done.code == 2
    assert f"--render_size=64,128: several are for one photo, and {tmp_path} is a folder" in done.error
    clip = tmp_path / "old.mp4"
    clip.touch()
    done = predict(clip, "--render_size=64,128")
    assert f"{clip} is a clip: name one" in done.error
    done = cli("--mode=compare", "--compare=model1", f"--image_path={old_photo}", "--render_size=64,128")
    assert done.code == 2
    assert "--render_size=64,128: several are for predict, not for compare" in done.error
    pages = tmp_path / "pages.tif"
    image = Image.open(old_photo)
    image.save(pages, save_all=True, append_images=[image])
    done = predict(pages, "--render_size=64,128")
    assert f"--render_size=64,128 is for one picture, and {pages} holds 2" in done.error
