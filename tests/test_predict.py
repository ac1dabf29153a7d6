"""Coloring a photo: its own size, its own lightness, nothing written over."""

import shutil

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
from conftest import swapped_profile
from PIL import Image

from checkpoint import shipped
from checkpoint.file import save_weights
from core.runs import BEST
from data.color import cie_chroma
from media.photo import load_photo
from media.picture import from_image
from models.registry import build_model
from predict import Colorizer


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "old photo.jpg"
    Image.fromarray(skimage.data.chelsea()[:201, :333]).convert("L").save(path, quality=95)
    return path


def lightness(pixels):
    return skimage.color.rgb2lab(pixels)[..., 0]


def test_own_size_and_own_lightness(cli, photo, vivid, tmp_path):
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--weights={vivid}")
    assert outcome.code == 0
    written = tmp_path / "old photo_colorized.png"
    assert outcome.out.splitlines() == [f"weights: {vivid} (model1)", str(written)]
    colored = np.asarray(Image.open(written))
    assert colored.shape == (201, 333, 3)
    gray = np.asarray(Image.open(photo).convert("RGB"))
    assert np.abs(lightness(colored) - lightness(gray)).max() <= 0.5
    assert np.hypot(*np.moveaxis(skimage.color.rgb2lab(colored)[..., 1:], -1, 0)).mean() > 20


def test_colours_are_those_of_the_model(vivid):
    """A photo that has the model's size gets the model's own colours."""
    colorizer = Colorizer.load(vivid, device="cpu")
    photo = Image.fromarray(skimage.data.chelsea()[100:164, 100:164])
    ab = colorizer.predict_whole(from_image(photo, "x")).ab
    assert ab.shape == (1, 2, 64, 64)
    lab = skimage.color.rgb2lab(np.asarray(photo))
    with torch.no_grad():
        expected = colorizer.model(torch.from_numpy(lab[..., :1]).permute(2, 0, 1)[None].float())
    assert (ab - expected).abs().max() < 0.05
    assert cie_chroma(ab).mean() > 20


@pytest.mark.parametrize("as_type", [str, "path", "image", "array", "gray array"])
def test_what_a_colorizer_takes(photo, vivid, as_type, tmp_path):
    colorizer = Colorizer.load(vivid, device="cpu")
    image = Image.open(photo)
    argument = {
        str: str(photo),
        "path": photo,
        "image": image,
        "array": np.asarray(image.convert("RGB")),
        "gray array": np.asarray(image),
    }[as_type]
    assert (colorizer(argument) == colorizer(photo)).all()


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (700, 3), (64, 64)])
def test_odd_sizes(vivid, size):
    pixels = np.full((*size, 3), 120, np.uint8)
    assert Colorizer.load(vivid, device="cpu")(pixels).shape == pixels.shape


def test_saturation(vivid):
    photo = Image.fromarray(skimage.data.chelsea()[:64, :64])
    gray, pale = (Colorizer.load(vivid, device="cpu", saturation=s)(photo) for s in (0.0, 0.1))
    assert np.ptp(gray.astype(int), axis=2).max() <= 1
    expected = Colorizer.load(vivid, device="cpu").predict_whole(from_image(photo, "x")).ab / 10
    lab = skimage.color.rgb2lab(pale)
    inside = (lab[..., 0] > 30) & (lab[..., 0] < 80)  # where sRGB has such colours
    assert inside.mean() > 0.5
    assert cie_chroma(expected).max() < 15
    assert np.abs(lab[..., 1:] - expected[0].permute(1, 2, 0).numpy())[inside].max() < 2


def test_quality(cli, photo, vivid, tmp_path):
    sizes = {}
    for quality in (20, 95):
        output = tmp_path / f"{quality}.jpg"
        argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}", f"--output_path={output}"]
        assert cli(*argv, f"--quality={quality}").code == 0
        sizes[quality] = output.stat().st_size
    assert sizes[20] < 0.5 * sizes[95]


def test_upsampling_is_a_choice(cli, photo, vivid, tmp_path):
    pictures = []
    for upsample in ("guided", "bilinear"):
        output = tmp_path / f"{upsample}.png"
        argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}", f"--output_path={output}"]
        assert cli(*argv, f"--upsample={upsample}").code == 0
        pictures.append(np.asarray(Image.open(output)).astype(int))
    assert np.abs(pictures[0] - pictures[1]).max() > 3


def test_crop_trained_weights_see_the_whole_photo(tmp_path):
    path = tmp_path / "x.safetensors"
    save_weights(path, "model1", build_model("model1"), {"image_size": 64, "resize": "crop"})
    colorizer = Colorizer.load(path, device="cpu")
    for size, seen in (((300, 100), (64, 192)), ((10, 1000), (256, 64))):
        assert colorizer.predict_whole(from_image(Image.new("RGB", size), "x")).ab.shape == (1, 2, *seen)


def test_strips_leave_no_seams(vivid, monkeypatch):
    photo = skimage.data.chelsea()
    whole = Colorizer.load(vivid, device="cpu")(photo)
    monkeypatch.setattr("inference.chroma._CACHED_PIXELS", 1000)
    assert (Colorizer.load(vivid, device="cpu")(photo) == whole).all()


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tif", ".bmp"])
def test_output_format_by_its_ending(cli, photo, vivid, tmp_path, suffix):
    output = tmp_path / "new" / f"x{suffix}"
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}", f"--output_path={output}"]
    assert cli(*argv).code == 0
    with Image.open(output) as image:
        assert image.size == (333, 201)
        assert image.format == {".jpg": "JPEG", ".tif": "TIFF"}.get(suffix, suffix[1:].upper())


def test_side_by_side(cli, photo, vivid, tmp_path):
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}"]
    assert cli(*argv, "--side_by_side").code == 0
    assert cli(*argv, f"--output_path={tmp_path / 'alone.png'}").code == 0
    picture = np.asarray(Image.open(tmp_path / "old photo_colorized.png"))
    alone = np.asarray(Image.open(tmp_path / "alone.png"))
    gray = np.asarray(Image.open(photo).convert("RGB"))
    assert np.abs(picture[:, :333].astype(int) - gray).max() <= 1
    assert (picture[:, 333:] == alone).all()


def test_nothing_is_written_over(cli, photo, vivid, tmp_path):
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}"]
    output = tmp_path / "old photo_colorized.png"
    output.write_bytes(b"mine")
    outcome = cli(*argv)
    assert outcome.code == 2
    assert "--overwrite" in outcome.error
    assert output.read_bytes() == b"mine"
    assert cli(*argv, "--overwrite").code == 0
    assert Image.open(output).size == (333, 201)
    before = photo.read_bytes()
    outcome = cli(*argv, f"--output_path={photo}", "--overwrite")
    assert outcome.code == 2
    assert "is the photo itself" in outcome.error
    assert photo.read_bytes() == before


def test_what_is_read_is_not_written_over(cli, photo, vivid, tmp_path):
    mask, reference = tmp_path / "mask.png", tmp_path / "references" / "a.png"
    reference.parent.mkdir()
    for path in (mask, reference):
        Image.open(photo).convert("L").save(path)
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}", "--overwrite"]
    outcome = cli(*argv, f"--blend={vivid}:{mask}", f"--output_path={mask}")
    assert (outcome.code, "is a file of the blend" in outcome.error) == (2, True)
    outcome = cli(*argv, f"--reference_dir={reference.parent}", f"--output_path={reference}")
    assert (outcome.code, "is one of the references" in outcome.error) == (2, True)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--matching=dct"], "--matching is for a reference"),
        (["--model=levin2004", "--hints=x.json"], "--model=levin2004 takes no model: leave --weights out"),
    ],
)
def test_flags_that_nothing_would_use(cli, photo, vivid, flags, message):
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--weights={vivid}", *flags)
    assert outcome.code == 2
    assert message in outcome.error


@pytest.mark.parametrize("flag", ["save_confidence", "save_chroma"])
def test_no_output_over_another_file(cli, photo, vivid, tmp_path, flag):
    before = photo.read_bytes()
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={vivid}", "--overwrite"]
    same = tmp_path / ("x.safetensors" if flag == "save_chroma" else "x.png")
    for path, output in ((photo, tmp_path / "y.png"), (same, same), (tmp_path / "x.txt", tmp_path / "y.png")):
        outcome = cli(*argv, f"--{flag}={path}", f"--output_path={output}")
        assert outcome.code == 2, path
        assert path.name in outcome.error
    outcome = cli(*argv, f"--{flag}={vivid}")
    assert outcome.code == 2
    assert photo.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == [photo.name]


def test_colours_are_not_saved_over_weights(cli, photo, trained, tmp_path):
    """Not even over those that a run folder stands for."""
    run = tmp_path / "run"
    shutil.copytree(trained("model1"), run)
    before = (run / "best.safetensors").read_bytes()
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={run}", "--overwrite"]
    outcome = cli(*argv, f"--save_chroma={run / 'best.safetensors'}")
    assert (outcome.code, "is there and holds no chroma" in outcome.error) == (2, True)
    assert (run / "best.safetensors").read_bytes() == before
    for _ in range(2):
        assert cli(*argv, f"--save_chroma={tmp_path / 'kept.safetensors'}").code == 0


@pytest.mark.parametrize("model_name", ["model1", "zhang2017", "unet"])
def test_reference_state_dict(cli, photo, tmp_path, model_name):
    """A plain .pth has no settings: the flag says the model, its shapes the preset, the defaults the rest."""
    torch.manual_seed(0)
    torch.save(build_model(model_name, preset="small").state_dict(), tmp_path / "reference.pth")
    argv = ["--mode=predict", f"--image_path={photo}", f"--weights={tmp_path / 'reference.pth'}"]
    assert cli(*argv, f"--model={model_name}").code == 0
    dry = cli(*argv, f"--model={model_name}", f"--output_path={tmp_path / 'x.png'}", "--dry_run")
    assert '"image_size": 224' in dry.out
    assert f"would write {tmp_path / 'x.png'} (333x201)" in dry.out


def test_trained_run(cli, photo, trained, trainee):
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--run_dir={trained(trainee)}")
    assert outcome.code == 0
    assert str(trained(trainee) / BEST) in outcome.out


def test_gamma_mode_comes_from_the_weights_unless_given(cli, photo, trained, tmp_path):
    argv = ["--mode=predict", f"--image_path={photo}", f"--run_dir={trained('model1')}", "--dry_run"]
    assert '"gamma_mode": "power"' in cli(*argv).out
    assert '"gamma_mode": "signed"' in cli(*argv, "--gamma_mode=signed").out
    assert '"image_size": 32' in cli(*argv).out
    assert '"image_size": 64' in cli(*argv, "--image_size=64").out


def test_without_any_weights(cli, photo, tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "FOLDER", tmp_path / "none")
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--run_dir={tmp_path / 'run'}")
    assert outcome.code == 2
    assert "--mode=train" in outcome.error
    assert "--weights=FILE" in outcome.error


def test_the_first_command_of_a_new_user(cli, tmp_path, monkeypatch):
    """No run, no weights named: those that ship give colour, and of the right kind."""
    monkeypatch.chdir(tmp_path)
    sky = skimage.data.rocket()[:128, :128]
    Image.fromarray(sky).convert("L").save("old.png")
    outcome = cli("--mode=predict", "--image_path=old.png")
    assert outcome.code == 0
    assert f"weights that ship: {shipped.FOLDER / shipped.DEFAULT}.safetensors" in outcome.out
    with Image.open("old_colorized.png") as image:
        colored = skimage.color.rgb2lab(np.asarray(image))
    assert np.hypot(colored[..., 1], colored[..., 2]).mean() > 3


def test_exif_orientation_is_applied_once(cli, vivid, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "turned.jpg"
    Image.fromarray(skimage.data.chelsea()[:100, :200]).save(path, exif=exif)
    assert cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}").code == 0
    with Image.open(tmp_path / "turned_colorized.png") as image:
        assert image.size == (100, 200)
        assert 0x0112 not in image.getexif()


def test_a_profile_that_does_not_fit_stays_ignored(vivid, tmp_path):
    """Ignored once, it must not be applied to the colours that came out."""
    path = tmp_path / "x.png"
    gray = skimage.data.chelsea()[:64, :64, 0]  # an RGB profile on gray
    Image.fromarray(gray).save(path, icc_profile=swapped_profile())
    colored = Colorizer.load(vivid, device="cpu")(path)
    assert np.abs(lightness(colored) - lightness(np.repeat(gray[..., None], 3, axis=2))).max() <= 0.5


def test_a_profile_is_applied_once(vivid, tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(skimage.data.chelsea()[:64, :64]).save(path, icc_profile=swapped_profile())
    seen = np.asarray(load_photo(path, max_pixels=10**6))
    colored = Colorizer.load(vivid, device="cpu")(path)
    assert np.abs(lightness(colored) - lightness(seen)).max() <= 0.5


def test_an_empty_path_is_not_the_folder_at_hand(cli, vivid):
    outcome = cli("--mode=predict", "--image_path=", f"--weights={vivid}")
    assert outcome.code == 2
    assert "--image_path" in outcome.error
    assert "is empty" in outcome.error


def test_flags_of_folders(cli, photo, vivid, tmp_path):
    for flag in ("--recursive", f"--output_dir={tmp_path / 'x'}"):
        outcome = cli("--mode=predict", f"--image_path={photo}", f"--weights={vivid}", flag)
        assert outcome.code == 2
        assert "is for folders, and" in outcome.error


def test_weights_that_predict_nonsense(cli, photo, tmp_path):
    state = build_model("model1").state_dict()
    state["decoder.8.weight"] *= float("1e38")
    state["decoder.6.weight"] *= float("1e38")
    torch.save(state, tmp_path / "x.pth")
    outcome = cli("--mode=predict", f"--image_path={photo}", f"--weights={tmp_path / 'x.pth'}")
    assert outcome.code == 2
    assert "no finite colours" in outcome.error
    assert not (tmp_path / "old photo_colorized.png").exists()
