"""A reference colors all that a file holds; a dry run without a model does nothing of it."""

import json

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

from inference import corrector

COFFEE = Image.fromarray(skimage.data.coffee())
GRAYS = [np.asarray(COFFEE.crop((x, 0, x + 80, 64)).convert("L")) for x in (0, 200, 400)]


@pytest.fixture
def reference(tmp_path):
    path = tmp_path / "reference.png"
    COFFEE.crop((0, 0, 256, 128)).save(path)
    return path


def save_frames(path, **options):
    first, *others = [Image.fromarray(gray) for gray in GRAYS]
    first.save(path, save_all=True, append_images=others, **options)
    return path


def test_a_reference_colors_every_page(cli, reference, tmp_path):
    path = save_frames(tmp_path / "pages.tif")
    argv = ("--mode=predict", "--model=irony2005", f"--image_path={path}", f"--reference={reference}")
    done = cli(*argv)
    assert done.code == 0, done.err
    assert done.out.splitlines() == [str(tmp_path / "pages_colorized.tif")]
    with tifffile.TiffFile(tmp_path / "pages_colorized.tif") as tiff:
        pages = [page.asarray() for page in tiff.pages]
    assert [page.shape for page in pages] == [(64, 80, 3)] * 3
    assert all(np.ptp(page.astype(int), axis=2).mean() > 5 for page in pages)
    done = cli(*argv, f"--output_path={tmp_path / 'page.png'}")
    assert done.out.splitlines() == [str(tmp_path / f"page_{number}.png") for number in (1, 2, 3)]
    for number, page in enumerate(pages, 1):
        assert np.array_equal(np.asarray(Image.open(tmp_path / f"page_{number}.png")), page)


def test_a_reference_colors_every_frame(cli, reference, tmp_path):
    path = save_frames(tmp_path / "frames.gif", duration=100)
    folder = reference.parent / "references"
    folder.mkdir()
    reference.rename(folder / reference.name)
    argv = ("--mode=predict", "--model=irony2005", f"--image_path={path}", f"--reference_dir={folder}")
    assert cli(*argv).code == 0
    with Image.open(tmp_path / "frames_colorized.png") as image:
        assert image.n_frames == 3


@pytest.mark.parametrize("kind", ["hints", "reference", "chroma and hints"])
def test_a_dry_run_does_no_work(cli, reference, vivid, tmp_path, monkeypatch, kind):
    path, hints, kept = (tmp_path / name for name in ("old.png", "h.json", "c.safetensors"))
    Image.fromarray(GRAYS[0]).save(path)
    hints.write_text(json.dumps([{"x": 20, "y": 20, "color": "#c83232"}]))
    argv = ("--mode=predict", f"--image_path={path}", "--progress=json")
    done = cli(*argv, f"--weights={vivid}", f"--save_chroma={kept}", f"--output_path={tmp_path / 'a.png'}")
    assert json.loads(done.out)["status"] == "colored"
    monkeypatch.setattr(corrector, "spread", None)
    monkeypatch.setattr(corrector, "encoder_features", None)
    flags = {
        "hints": ("--model=levin2004", f"--hints={hints}"),
        "reference": ("--model=irony2005", f"--reference={reference}"),
        "chroma and hints": (f"--apply_chroma={kept}", f"--hints={hints}"),
    }[kind]
    done = cli(*argv, *flags, "--dry_run")
    assert done.code == 0, done.err
    (line,) = done.out.splitlines()
    assert json.loads(line)["status"] == "planned"
    assert f"would write {tmp_path / 'old_colorized.png'} (80x64)" in done.err
    assert not (tmp_path / "old_colorized.png").exists()


def test_a_dry_run_says_what_is_missing(cli, tmp_path):
    path = tmp_path / "old.png"
    Image.fromarray(GRAYS[0]).save(path)
    done = cli("--mode=predict", "--model=irony2005", f"--image_path={path}", "--dry_run", "--progress=json")
    assert done.code == 2
    assert "--model=irony2005 needs colours" in done.error
    assert json.loads(done.out)["status"] == "failed"


def test_a_dry_run_of_a_model_colors_nothing(cli, vivid, tmp_path):
    path = tmp_path / "old.png"
    Image.fromarray(GRAYS[0]).save(path)
    argv = ("--mode=predict", f"--image_path={path}", f"--weights={vivid}")
    assert json.loads(cli(*argv, "--dry_run", "--progress=json").out)["status"] == "planned"
