"""Files of several pictures: none is lost, and no preview is taken for the photo."""

import numpy as np
import pytest
import skimage.data
import tifffile
from PIL import Image, ImageFile

from core.files import read_csv
from media.decode import PhotoError
from media.pages import find_pages
from media.picture import load_picture

SHOTS = [
    skimage.data.chelsea()[100:148, 100:164],
    skimage.data.coffee()[100:164, 150:198],
    skimage.data.astronaut()[100:132, 150:214],
]  # of different sizes
FRAMES = [skimage.data.chelsea()[100:148, left : left + 64] for left in (0, 100, 200)]


def write_pages(path, shots, kinds=None, **options):
    with tifffile.TiffWriter(path) as writer:
        for shot, kind in zip(shots, kinds or [0] * len(shots), strict=True):
            writer.write(shot, photometric="rgb", subfiletype=kind, **options)
    return path


def predict(cli, vivid, path, *more):
    return cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}", *more)


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_all_pages_come_back(cli, vivid, tmp_path, depth):
    shots = [shot.astype(depth) * (257 if depth == np.uint16 else 1) for shot in SHOTS]
    path = write_pages(tmp_path / "x.tif", shots)
    outcome = predict(cli, vivid, path)
    assert outcome.code == 0, outcome.err
    assert outcome.out.splitlines()[-1] == str(tmp_path / "x_colorized.tif")
    with tifffile.TiffFile(tmp_path / "x_colorized.tif") as tiff:
        pages = [page.asarray() for page in tiff.pages]
    assert [page.shape for page in pages] == [shot.shape for shot in shots]
    assert {page.dtype for page in pages} == {np.dtype(depth)}
    for number, shot in enumerate(shots):
        Image.fromarray(SHOTS[number]).save(tmp_path / "alone.png")
        predict(cli, vivid, tmp_path / "alone.png", "--overwrite")
        alone = np.asarray(Image.open(tmp_path / "alone_colorized.png")).astype(float)
        assert np.abs(pages[number] / (257 if depth == np.uint16 else 1) - alone).max() <= 1
        assert (load_picture(path, max_pixels=10**6, page=number).pixels == shot).all()
    with Image.open(tmp_path / "x_colorized.tif") as image:  # which follows the links on its own
        assert getattr(image, "n_frames", 1) == 3 or depth == np.uint16


def test_one_file_for_each_page(cli, vivid, tmp_path):
    path = write_pages(tmp_path / "x.tif", SHOTS)
    assert predict(cli, vivid, path, f"--output_path={tmp_path / 'y.png'}").code == 0
    for number, shot in enumerate(SHOTS, 1):
        assert Image.open(tmp_path / f"y_{number}.png").size == shot.shape[1::-1]
    outcome = predict(cli, vivid, path, f"--output_path={tmp_path / 'y.png'}")
    assert outcome.code == 2
    assert "y_" in outcome.error
    assert "--overwrite" in outcome.error


@pytest.mark.parametrize("number", [1, 2, 3])
def test_no_page_is_written_over(cli, vivid, tmp_path, number):
    path, there = write_pages(tmp_path / "x.tif", SHOTS), tmp_path / f"y_{number}.png"
    there.write_bytes(b"mine")
    outcome = predict(cli, vivid, path, f"--output_path={tmp_path / 'y.png'}")
    assert outcome.code == 2
    assert f"{there} exists" in outcome.error
    assert there.read_bytes() == b"mine"
    there.unlink()
    (tmp_path / "y.png").write_bytes(b"mine")  # which is not written
    assert predict(cli, vivid, path, f"--output_path={tmp_path / 'y.png'}").code == 0
    assert (tmp_path / "y.png").read_bytes() == b"mine"


@pytest.mark.parametrize("kinds", [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
@pytest.mark.parametrize("compression", [None, "jpeg2000"])
def test_previews_are_no_pages(tmp_path, kinds, compression):
    path = write_pages(tmp_path / "x.tif", SHOTS, kinds, compression=compression)
    photos = [shot for shot, kind in zip(SHOTS, kinds, strict=True) if not kind]
    assert find_pages(path, max_pixels=10**6).num == 2
    for number, photo in enumerate(photos):
        found = load_picture(path, max_pixels=10**6, page=number).pixels
        assert found.shape == photo.shape
        assert np.abs(found.astype(int) - photo).mean() < 3


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
@pytest.mark.parametrize("target", ["gif", "webp", "png"])
def test_animations_stay_animations(cli, vivid, tmp_path, kind, target):
    first, *others = [Image.fromarray(frame) for frame in FRAMES]
    path = tmp_path / f"x.{kind}"
    first.save(path, save_all=True, append_images=others, duration=[100, 200, 300], loop=2)
    output = tmp_path / f"y.{target}"
    outcome = predict(cli, vivid, path, f"--output_path={output}")
    assert outcome.code == 0, outcome.err
    with Image.open(output) as image:
        assert image.n_frames == 3
        durations = []
        for number, frame in enumerate(FRAMES):
            image.seek(number)
            image.load()
            durations.append(image.info["duration"])
            found = np.asarray(image.convert("RGB")).astype(int)
            assert np.abs(found.mean(axis=2) - frame.mean(axis=2)).mean() < 40
            assert np.ptp(found, axis=2).mean() > 20
    assert durations == [100, 200, 300]


def test_a_picture_that_an_animation_hides_is_no_frame(cli, vivid, tmp_path):
    path, output = tmp_path / "x.png", tmp_path / "y.png"
    hidden, *others = [Image.fromarray(frame) for frame in (np.zeros_like(FRAMES[0]), *FRAMES)]
    hidden.save(
        path, save_all=True, append_images=others, default_image=True, duration=[100, 200, 300], loop=3
    )
    assert find_pages(path, max_pixels=10**6).durations == (100, 200, 300)
    for number, frame in enumerate(FRAMES):
        assert (load_picture(path, max_pixels=10**6, page=number).pixels == frame).all()
    assert predict(cli, vivid, path, f"--output_path={output}").code == 0
    found = find_pages(output, max_pixels=10**6)
    assert (found.durations, found.loops) == ((100, 200, 300), 3)


def test_one_frame_behind_a_hidden_picture(tmp_path):
    hidden, frame = (Image.fromarray(pixels) for pixels in FRAMES[:2])
    hidden.save(tmp_path / "x.png", save_all=True, append_images=[frame], default_image=True, duration=100)
    assert not find_pages(tmp_path / "x.png", max_pixels=10**6).is_animation
    assert (load_picture(tmp_path / "x.png", max_pixels=10**6).pixels == FRAMES[1]).all()


def test_an_animation_in_a_folder(cli, vivid, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    first, *others = [Image.fromarray(frame) for frame in FRAMES]
    first.save(folder / "x.gif", save_all=True, append_images=others, duration=100)
    write_pages(folder / "y.tif", SHOTS)
    first.save(folder / "z.gif")
    assert predict(cli, vivid, folder).code == 0
    output = tmp_path / "old_colorized"
    assert {row["status"] for row in read_csv(output / "report.csv")} == {"colored"}
    assert Image.open(output / "x.gif.png").n_frames == 3
    assert len(tifffile.TiffFile(output / "y.tif").pages) == 3
    assert getattr(Image.open(output / "z.gif.png"), "n_frames", 1) == 1


def test_what_is_for_one_picture(cli, vivid, tmp_path):
    path = write_pages(tmp_path / "x.tif", SHOTS)
    outcome = predict(cli, vivid, path, f"--save_chroma={tmp_path / 'c.safetensors'}")
    assert outcome.code == 2
    assert "is for one picture" in outcome.error
    Image.fromarray(FRAMES[0]).save(
        tmp_path / "x.gif", save_all=True, append_images=[Image.fromarray(FRAMES[1])], duration=100
    )
    outcome = predict(cli, vivid, tmp_path / "x.gif", f"--output_path={tmp_path / 'y.jpg'}")
    assert outcome.code == 2
    assert "is an animation" in outcome.error


@pytest.mark.parametrize("kind", ["gif", "webp", "png"])
def test_a_large_animation_is_refused_before_it_is_decoded(tmp_path, monkeypatch, kind):
    first, *others = [Image.fromarray(frame) for frame in FRAMES]
    first.save(tmp_path / f"x.{kind}", save_all=True, append_images=others, duration=100)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(PhotoError, match="has more than 100 pixels: shrink it or raise --max_pixels"):
        find_pages(tmp_path / f"x.{kind}", max_pixels=100)
