"""predict with --descreen: screens are found, and what the model sees is without them."""

import numpy as np
import pytest
import skimage.color
import skimage.data
from PIL import Image

from benchmarks.studies.bench_descreen import scan_of_print, screened
from inference.descreen import descreened, is_bilevel, screen_period
from media.picture import from_array

PHOTOS = {name: getattr(skimage.data, name)() for name in ("astronaut", "coffee", "camera", "brick", "grass")}


def gray(name):
    return np.asarray(Image.fromarray(PHOTOS[name]).convert("L"))


@pytest.mark.parametrize("name", PHOTOS)
@pytest.mark.parametrize("make", [screened, scan_of_print])
@pytest.mark.parametrize("period", [4, 5.5, 8])
def test_the_period_is_found(name, make, period):
    assert screen_period(from_array(make(gray(name), period))) == pytest.approx(period, rel=0.03)


@pytest.mark.parametrize("angle", [0, 15, 75])
def test_at_any_angle_and_depth(angle):
    dots = screened(gray("astronaut"), 6, angle)
    for pixels in (dots, dots.astype(np.uint16) * 257, (dots / 255).astype(np.float32)):
        assert screen_period(from_array(pixels)) == pytest.approx(6, rel=0.03)


@pytest.mark.parametrize("name", PHOTOS)
def test_photos_have_no_screen(name):
    assert screen_period(from_array(PHOTOS[name])) is None
    assert descreened(from_array(PHOTOS[name])) is None


def test_stripes_are_no_screen():
    stripes = 100 + 50 * np.cos(2 * np.pi * np.arange(256) / 6)
    assert screen_period(from_array(np.tile(stripes, (256, 1)).astype(np.uint8))) is None


@pytest.mark.parametrize("shape", [(1, 1), (40, 300)])
def test_photos_too_small_for_a_spectrum(shape):
    assert screen_period(from_array(np.full(shape, 90, np.uint8))) is None


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_the_photo_without_its_dots(dtype):
    photo = gray("astronaut")
    scale = {"uint8": 1, "uint16": 257, "float32": 1 / 255}[dtype]
    smooth = descreened(from_array((screened(photo, 6).astype(float) * scale).astype(dtype)))
    assert smooth.pixels.dtype == dtype
    assert not is_bilevel(smooth)
    assert screen_period(smooth) is None
    soft = smooth.pixels[..., 0] / scale
    assert np.abs(soft - photo).mean() < 0.25 * np.abs(screened(photo, 6).astype(float) - photo).mean()


def test_a_diffused_error_becomes_gray_too():
    bits = np.asarray(Image.fromarray(gray("astronaut")).convert("1")).astype(np.uint8) * 255
    assert screen_period(from_array(bits)) is None
    assert not is_bilevel(descreened(from_array(bits)))


@pytest.fixture
def predict(cli, vivid, tmp_path):
    def run(pixels, *flags):
        path, output = tmp_path / "old.png", tmp_path / "new.png"
        Image.fromarray(pixels).save(path)
        argv = ["--mode=predict", f"--image_path={path}", f"--output_path={output}", f"--weights={vivid}"]
        outcome = cli(*argv, "--overwrite", *flags)
        assert outcome.code == 0, outcome.err
        return np.asarray(Image.open(output))

    return run


def test_a_scan_of_one_bit_gets_colours(predict, caplog):
    bits = screened(gray("astronaut"), 6) > 0
    assert np.ptp(predict(bits).astype(int), axis=2).max() <= 2
    assert "old.png is a 1-bit scan: its black and white take no colour; --descreen makes" in caplog.text
    caplog.clear()
    colored = predict(bits, "--descreen")
    assert np.ptp(colored.astype(int), axis=2).mean() > 20
    assert not caplog.messages


@pytest.mark.parametrize("flag", ["--mask={mask}", "--blend=model1:{mask}"])
def test_a_mask_of_one_bit_is_no_scan(predict, tmp_path, caplog, flag):
    mask, photo = tmp_path / "mask.png", gray("astronaut")
    Image.fromarray(photo > 128).save(mask)
    predict(photo, flag.format(mask=mask))
    assert "1-bit" not in caplog.text


def test_a_gray_scan_keeps_its_lightness(predict):
    """Its colours are nearer to those of the photo without a screen."""
    photo = gray("astronaut")
    scan = scan_of_print(photo, 8)
    clean, plain, better = (
        skimage.color.rgb2lab(picture)
        for picture in (predict(photo), predict(scan), predict(scan, "--descreen"))
    )
    assert np.abs(better[..., 0] - skimage.color.rgb2lab(np.dstack([scan] * 3))[..., 0]).max() < 1
    distances = [np.linalg.norm((found - clean)[..., 1:], axis=-1).mean() for found in (plain, better)]
    assert distances[1] < distances[0]


def test_kept_colours_give_the_same_picture(predict, cli, tmp_path):
    chroma, second = tmp_path / "x.safetensors", tmp_path / "second.png"
    first = predict(scan_of_print(gray("astronaut"), 8), "--descreen", f"--save_chroma={chroma}")
    flags = [f"--image_path={tmp_path / 'old.png'}", f"--output_path={second}", f"--apply_chroma={chroma}"]
    assert cli("--mode=predict", *flags).code == 0
    assert np.array_equal(np.asarray(Image.open(second)), first)


def test_a_photo_without_a_screen_is_told_of(predict, caplog):
    photo = gray("astronaut")
    assert np.array_equal(predict(photo, "--descreen"), predict(photo))
    assert "old.png: no screen was found, and it is colored as it is" in caplog.text
