"""predict with hints: their colours come out in the photo's own lightness, with and without a model."""

import json

import numpy as np
import pytest
import skimage.data
import torch
from clips import gray, pictures, write_clip
from PIL import Image, ImageColor

from data.color import join, lab_to_rgb, lightness, rgb_to_lab
from inference.chroma import apply_chroma
from inference.corrector import with_hints
from inference.hints import Hints, Point, parse_points
from media.picture import from_array

RED = "#c83232"


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(skimage.data.astronaut()[:90, 160:280]).convert("L").save(path)
    return path


@pytest.fixture
def hints(tmp_path):
    """Red on the left, blue on the right, and a colour that sRGB lacks at that lightness."""
    points = [
        {"x": 20, "y": 30, "color": RED, "radius": 3},
        {"x": 100, "y": 60, "color": "#3232c8", "radius": 3},
        {"x": 60, "y": 10, "color": "#0000ff"},
    ]
    path = tmp_path / "hints.json"
    path.write_text(json.dumps(points))
    return path


def rgb_of(path):
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255


def expect_hints_in(picture, photo):
    """Each has its a* and b*, or less chroma of that hue where sRGB lacks them at the photo's lightness."""
    found, L = rgb_of(picture), lightness(rgb_of(photo))
    assert (lightness(found) - L).abs().max() < 1
    for x, y, color in ((20, 30, RED), (100, 60, "#3232c8"), (60, 10, "#0000ff")):
        ab = rgb_to_lab(torch.tensor(ImageColor.getrgb(color)).view(1, 3, 1, 1) / 255)[:, 1:]
        expected = lab_to_rgb(join(L[..., y : y + 1, x : x + 1], ab), gamut="chroma")
        assert (found[0, :, y, x] - expected[0, :, 0, 0]).abs().max() < 3 / 255


def test_levin2004_colors_without_weights(cli, photo, hints, tmp_path):
    output = tmp_path / "out.png"
    done = cli("--mode=predict", "--model=levin2004", f"--image_path={photo}", f"--hints={hints}",
               f"--output_path={output}")  # fmt: skip
    assert done.code == 0, done.err
    expect_hints_in(output, photo)


def test_any_model_is_corrected(cli, photo, hints, vivid, tmp_path):
    """Near the hints their colours, far from them the model's; from a file of colours the same bits."""
    common = ("--mode=predict", f"--image_path={photo}", "--device=cpu", "--upsample=bilinear")
    plain, output, again = (tmp_path / f"{name}.png" for name in ("plain", "out", "again"))
    kept = tmp_path / "kept.safetensors"
    weights = f"--weights={vivid}"
    assert cli(*common, weights, f"--output_path={plain}", f"--save_chroma={kept}").code == 0
    assert cli(*common, weights, f"--output_path={output}", f"--hints={hints}").code == 0
    expect_hints_in(output, photo)
    assert not torch.equal(rgb_of(output), rgb_of(plain))
    assert cli(*common, f"--apply_chroma={kept}", f"--hints={hints}", f"--output_path={again}").code == 0
    assert again.read_bytes() != plain.read_bytes()
    assert torch.equal(rgb_of(again), rgb_of(output))


def test_hints_hold_whatever_the_saturation_of_the_rest(cli, photo, hints, vivid, tmp_path):
    chroma = []
    for saturation in (0, 0.5, 1):
        output = tmp_path / f"{saturation}.png"
        flags = (f"--image_path={photo}", f"--weights={vivid}", f"--hints={hints}", "--upsample=bilinear")
        done = cli("--mode=predict", *flags, f"--saturation={saturation}", f"--output_path={output}")
        assert done.code == 0, done.err
        expect_hints_in(output, photo)
        chroma.append(rgb_to_lab(rgb_of(output))[:, 1:].norm(dim=1).mean())
    assert chroma[0] < chroma[1] < chroma[2]


def test_one_file_of_hints_for_a_folder_of_one_shot(cli, photo, hints, tmp_path):
    folder = tmp_path / "shot"
    folder.mkdir()
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(photo.read_bytes())
    Image.new("L", (50, 40), 128).save(folder / "other.png")
    done = cli("--mode=predict", "--model=levin2004", f"--image_path={folder}", f"--hints={hints}")
    assert done.code == 1
    assert "point 1" not in done.err
    assert "is outside the photo, which is 50x40" in done.err
    for name in ("a.png", "b.png"):
        expect_hints_in(tmp_path / "shot_colorized" / name, photo)


@pytest.mark.parametrize("flag", ["blend=model1:0.3", "sample_seed=3", "views=4"])
def test_flags_of_models_in_a_folder(cli, photo, hints, flag):
    argv = ["--mode=predict", "--model=levin2004", f"--image_path={photo.parent}", f"--hints={hints}"]
    done = cli(*argv, f"--{flag}")
    assert done.code == 2
    assert f"--{flag.partition('=')[0]}" in done.error
    assert "--model=levin2004" in done.error


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--model=levin2004"], "--model=levin2004 needs colours: --hints=FILE or --reference"),
        (["--model=levin2004", "--hints=none.json"], "--hints=none.json: cannot be read"),
        (["--model=levin2004", "--hints={photo}"], "photo.png is not transparent"),
        (["--model=levin2004", "--hints={hints}", "--save_chroma=c.safetensors"], "leave --save_chroma out"),
        (["--model=levin2004", "--hints={hints}", "--views=2"], "leave --views out"),
        (["--model=levin2004", "--hints={hints}", "--vividness=1"], "leave --vividness out"),
        (["--apply_chroma={hints}", "--views=2"], "--apply_chroma takes no model: leave --views out"),
        (["--hints={hints}", "--output_path={hints}", "--overwrite"], "its ending must be one of"),
    ],
)
def test_mistakes(cli, photo, hints, flags, complaint):
    done = cli(
        "--mode=predict", f"--image_path={photo}", *(f.format(photo=photo, hints=hints) for f in flags)
    )
    assert done.code == 2
    assert complaint in done.error


@pytest.mark.parametrize("matching", ["encoder", "dct", "palette"])
@pytest.mark.parametrize("model", ["--model=irony2005", "--weights={vivid}"])
def test_a_reference_colors(cli, photo, vivid, tmp_path, matching, model):
    """Of the photo itself its own colours: nearer to them than gray is, or than the model's."""
    truth = tmp_path / "truth.png"
    Image.fromarray(skimage.data.astronaut()[:90, 160:280]).save(truth)
    output = tmp_path / "out.png"
    common = ("--mode=predict", f"--image_path={photo}", model.format(vivid=vivid), "--device=cpu")
    done = cli(*common, f"--output_path={output}", f"--reference={truth}", f"--matching={matching}")
    assert done.code == 0, done.err
    plain = photo
    if "weights" in model:
        plain = tmp_path / "plain.png"
        assert cli(*common, f"--output_path={plain}").code == 0
    before, colors, found = (rgb_to_lab(rgb_of(path))[:, 1:] for path in (plain, truth, output))
    assert (found - colors).norm(dim=1).mean() < 0.8 * (before - colors).norm(dim=1).mean()


def test_a_gray_reference_has_no_colours_to_give(cli, photo):
    done = cli("--mode=predict", "--model=irony2005", f"--image_path={photo}", f"--reference={photo}")
    assert (done.code, f"--reference={photo} is gray: name a photo in colour" in done.error) == (2, True)


def test_the_reference_is_found_in_a_folder(cli, photo, tmp_path):
    folder = tmp_path / "colours"
    folder.mkdir()
    Image.fromarray(skimage.data.astronaut()[:90, 160:280]).save(folder / "same.png")
    Image.fromarray(skimage.data.coffee()[100:190, 100:220]).save(folder / "other.png")
    outputs = [tmp_path / f"{name}.png" for name in ("given", "found")]
    common = ("--mode=predict", f"--image_path={photo}", "--model=irony2005")
    assert cli(*common, f"--reference={folder / 'same.png'}", f"--output_path={outputs[0]}").code == 0
    done = cli(*common, f"--reference_dir={folder}", f"--output_path={outputs[1]}")
    assert done.code == 0
    assert f"{photo} takes the colours of {folder / 'same.png'}; --reference=PHOTO names another" in done.err
    assert torch.equal(rgb_of(outputs[0]), rgb_of(outputs[1]))
    both = cli(*common, f"--reference_dir={folder}", f"--reference={folder / 'same.png'}")
    assert (both.code, "leave one out" in both.error) == (2, True)


@pytest.mark.parametrize("mode", ["train", "test", "export"])
def test_a_solver_is_for_predict_alone(cli, photos, tmp_path, mode):
    data = [f"--data_dir={photos}"] if mode != "export" else []
    done = cli(f"--mode={mode}", "--model=levin2004", *data, f"--run_dir={tmp_path / 'run'}")
    assert done.code == 2
    assert "--model=levin2004 has no weights" in done.error


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--hints={hints}", "--weights=model1"], "--hints is for photos and folders"),
        (["--reference_dir={hints}", "--weights=model1"], "--reference_dir is for photos and folders"),
        (["--reference={photo}", "--weights=model1"], "--reference: model1 takes none for clips"),
        (["--reference={photo}", "--model=irony2005"], "--model=irony2005 has no weights"),
    ],
)
def test_clips_are_not_solved(cli, photo, hints, tmp_path, flags, complaint):
    pytest.importorskip("av")
    clip = tmp_path / "clip.mp4"
    write_clip(clip, gray(pictures(2)))
    done = cli("--mode=predict", f"--image_path={clip}", *(f.format(photo=photo, hints=hints) for f in flags))
    assert done.code == 2
    assert complaint in done.error


def test_a_first_preview_is_nearly_the_whole():
    """Solved at a fourth of the pixels: the same colours but at the edges."""
    original = from_array(skimage.data.astronaut()[:200, 100:300])
    points = [{"x": 130, "y": 20, "color": RED}, {"x": 60, "y": 150, "color": "#3232c8", "radius": 4}]
    hints = parse_points(points, original.size)
    solved = [with_hints(original, hints=hints, max_pixels=pixels) for pixels in (100**2, 200**2)]
    assert [each.ab.shape[-2:] for each in solved] == [(100, 100), (200, 200)]
    first, whole = (
        rgb_to_lab(torch.from_numpy(apply_chroma(original, each, upsample="guided", saturation=1).pixels)
                   .permute(2, 0, 1)[None].float() / 255)[:, 1:]
        for each in solved
    )  # fmt: skip
    assert (first - whole).norm(dim=1).median() < 8  # of colours that are 100 units apart


def test_the_map_of_confidence_knows_the_hints(cli, tmp_path):
    """A model that takes hints is shown them for the map too: here, in true colours, it is surer by them."""
    photo, hints = tmp_path / "cat.png", tmp_path / "hints.json"
    pixels = skimage.data.chelsea()[:300, :400]
    Image.fromarray(pixels).convert("L").save(photo)
    places = [(x, y) for x in range(50, 200, 30) for y in range(50, 300, 50)]
    colors = ["#{:02x}{:02x}{:02x}".format(*pixels[y, x]) for x, y in places]
    points = [{"x": x, "y": y, "color": c, "radius": 10} for (x, y), c in zip(places, colors, strict=True)]
    hints.write_text(json.dumps(points))
    maps = []
    for name, flags in (("plain", ()), ("given", (f"--hints={hints}",))):
        sure = tmp_path / f"{name} sure.png"
        argv = [f"--image_path={photo}", f"--output_path={tmp_path / name}.png", f"--save_confidence={sure}"]
        done = cli("--mode=predict", "--model=unet_hints", "--device=cpu", *argv, *flags)
        assert done.code == 0, done.err
        maps.append(np.asarray(Image.open(sure)).astype(float))
    assert np.mean([maps[1][y, x] - maps[0][y, x] for x, y in places]) > 5


@pytest.mark.parametrize("kind", ["points", "strokes"])
def test_hints_of_the_mirror_image(kind):
    hints = Hints((12, 8), (Point(2.0, 3.0, RED, 1.0), Point(11.0, 0.0, "#3232c8")))
    if kind == "strokes":
        strokes = np.zeros((8, 12, 4), np.uint8)
        strokes[3, 2] = strokes[0, 7:9] = (200, 50, 50, 255)
        hints = Hints((12, 8), strokes=strokes)
    assert torch.equal(hints.mirrored().at(8, 12), hints.at(8, 12).flip(-1))
    assert hints.at(8, 12)[:, 2].sum() > 0
