"""A reference colors all that a file holds; a dry run without a model does nothing of it."""

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image

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
