"""Colours joined to a photo: its lightness and depth stay, and a file of them gives the same bits."""

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from PIL import Image
from safetensors.torch import save_file

from core.errors import UserError
from inference.chroma import Chroma, apply_chroma, load_chroma, save_chroma, without_color
from media.encode import save_picture
from media.metadata import Metadata
from media.picture import Picture, load_picture
from media.samples import to_dtype

COLORS = skimage.data.chelsea()[100:151, 100:170]  # (51, 70, 3)
DEEP = COLORS.astype(np.uint16) * 257
FLOAT = (DEEP / 65535).astype(np.float32)
FLOAT[:4] *= 0.001  # next to black


@pytest.fixture
def chroma():
    ab = torch.randn(1, 2, 32, 32, generator=torch.Generator().manual_seed(0)) * 40
    return Chroma(ab.half().float(), (70, 51), "colorizer, some weights")


def lightness(pixels):
    """By scikit-image, in float64."""
    scale = {"uint8": 255, "uint16": 65535, "float32": 1}[pixels.dtype.name]
    return skimage.color.rgb2lab(pixels.astype(np.float64) / scale)[..., 0]


@pytest.mark.parametrize(
    ("pixels", "tolerance"), [(COLORS, 0.5), (DEEP, 0.02), (FLOAT, 1e-3)], ids=["8 bit", "16 bit", "float"]
)
@pytest.mark.parametrize("upsample", ["guided", "bilinear"])
def test_lightness_stays(pixels, tolerance, chroma, upsample):
    colored = apply_chroma(Picture(pixels), chroma, upsample=upsample, saturation=1).pixels
    assert colored.dtype == pixels.dtype
    assert np.abs(lightness(colored) - lightness(pixels)).max() <= tolerance
    assert np.ptp(to_dtype(colored, "uint8").astype(int), axis=2).mean() > 20


@pytest.mark.parametrize("pixels", [COLORS, DEEP, FLOAT], ids=["8 bit", "16 bit", "float"])
def test_gray_is_colored_as_its_three_channels_are(pixels, chroma):
    """Gray takes a shorter way through the colour maths, what is gray but for a pixel does not."""
    gray = np.ascontiguousarray(np.broadcast_to(pixels[..., 1:2], pixels.shape))
    nearly = gray.copy()
    nearly[0, 0] = pixels[0, 0]
    short, long = (
        apply_chroma(Picture(p), chroma, upsample="guided", saturation=1).pixels.astype(np.float64)
        for p in (gray, nearly)
    )
    step = 1e-6 if pixels.dtype.kind == "f" else 1
    assert np.abs(short - long)[12:].max() <= step  # away from that pixel


def test_strips_on_several_cores(chroma, monkeypatch):
    monkeypatch.setattr("inference.chroma._CACHED_PIXELS", 200)
    one, several = (colored_with(num, chroma) for num in (1, 3))
    assert (one == several).all()
    monkeypatch.setattr("inference.chroma.lightness", lambda _: 1 / 0)
    before = torch.get_num_threads()
    with pytest.raises(ZeroDivisionError):  # what one strip raises
        colored_with(3, chroma)
    assert torch.get_num_threads() == before


def colored_with(num_threads, chroma):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(num_threads)
        return apply_chroma(Picture(DEEP), chroma, upsample="guided", saturation=1).pixels
    finally:
        torch.set_num_threads(before)


def test_alpha_and_metadata_stay(chroma):
    alpha = np.arange(51 * 70, dtype=np.uint16).reshape(51, 70)
    original = Picture(DEEP, alpha, Metadata(dpi=(200.0, 200.0)))
    colored = apply_chroma(original, chroma, upsample="guided", saturation=1)
    assert (colored.alpha == alpha).all()
    assert colored.metadata.dpi == (200.0, 200.0)
    exif = Image.Exif()
    exif.load(colored.metadata.exif)
    assert exif[305] == "colorizer, some weights: colours inferred"
    assert b"compositeWithTrainedAlgorithmicMedia" in colored.metadata.xmp


def test_without_color_is_gray_of_the_same_lightness():
    gray = without_color(Picture(DEEP)).pixels
    assert np.ptp(gray.astype(int), axis=2).max() <= 2
    assert np.abs(lightness(gray) - lightness(DEEP)).max() < 0.02


def test_file_and_back(tmp_path, chroma):
    save_chroma(tmp_path / "x.chroma.safetensors", chroma)
    again = load_chroma(tmp_path / "x.chroma.safetensors")
    assert torch.equal(again.ab, chroma.ab)
    assert (again.size, again.by) == (chroma.size, chroma.by)


@pytest.mark.parametrize("suffix", [".png", ".tif", ".jpg"])
def test_chroma_from_a_file_gives_the_same_bytes(cli, vivid, tmp_path, suffix):
    photo, chroma = tmp_path / "old.png", tmp_path / "old.chroma.safetensors"
    save_picture(photo, Picture(DEEP), quality=95)
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    argv = ["--mode=predict", f"--image_path={photo}", "--saturation=0.7"]
    more = [f"--weights={vivid}", f"--output_path={first}", f"--save_chroma={chroma}"]
    assert cli(*argv, *more).code == 0
    assert chroma.stat().st_size < 20_000
    assert cli(*argv, f"--output_path={second}", f"--apply_chroma={chroma}").code == 0
    assert first.read_bytes() == second.read_bytes()
    if suffix != ".jpg":
        found = load_picture(first, max_pixels=10**6).pixels
        assert found.dtype == np.uint16
        assert np.abs(lightness(found) - lightness(DEEP)).max() < 0.02


def test_chroma_of_something_else(cli, tmp_path, chroma):
    with pytest.raises(UserError, match="the photo of the chroma is 70x51, the one to color 51x70"):
        apply_chroma(Picture(COLORS.swapaxes(0, 1)), chroma, upsample="guided", saturation=1)
    save_file({"ab": torch.zeros(3)}, tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="holds no chroma"):
        load_chroma(tmp_path / "x.safetensors")
    save_picture(tmp_path / "x.png", Picture(COLORS), quality=95)
    argv = ["--mode=predict", f"--image_path={tmp_path / 'x.png'}"]
    outcome = cli(*argv, f"--apply_chroma={tmp_path / 'none'}")
    assert outcome.code == 2
    assert "does not exist" in outcome.error
