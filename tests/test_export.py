"""The file for other runtimes: the same colours at any size, and it says what it is."""

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from conftest import crops, small_model
from PIL import Image

import export
from checkpoint.file import load_weights, save_weights
from checkpoint.shipped import DEFAULT, FOLDER
from core.extras import installing
from inference.colorizer import Colorizer
from main import main
from models.inputs import Inputs
from models.registry import build_model

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")

NAMES = ("model1", "unet")
MORE = [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in ("iizuka2016", "coltran2021"))]
"""Those whose layers are not all among those of others: an export takes ten seconds, and checks itself."""


SETTINGS = {"unet": {"encoder_scale": 1.43}}
"""As it ships: sizes are computed that the file must find for any photo."""


@pytest.fixture(scope="session")
def exported(tmp_path_factory):
    """(weights, ONNX file) of a model, made once for all tests: small and untrained, but for the first."""
    files = {}

    def make(name):
        if name not in files:
            folder = tmp_path_factory.mktemp("onnx")
            weights, output = FOLDER / f"{name}.safetensors", folder / f"{name}.onnx"
            if name != NAMES[0]:
                torch.manual_seed(0)
                weights = folder / "untrained.safetensors"
                model = small_model(name, **SETTINGS.get(name, {}))
                save_weights(weights, name, model, {"image_size": 64, "terms": "none"})
            Image.fromarray(crops(1)[0]).save(folder / "photo.png")
            argv = ["--mode=export", f"--weights={weights}", f"--output_path={output}"]
            assert main([*argv, f"--image_path={folder}"]) == 0
            assert {path.suffix for path in folder.iterdir()} <= {".onnx", ".png", ".safetensors"}
            files[name] = weights, output
        return files[name]

    return make


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "old.jpg"
    Image.fromarray(skimage.data.chelsea()).save(path)
    return path


@pytest.mark.parametrize("model_name", MORE)
@pytest.mark.parametrize(("num", "height", "width"), [(1, 64, 64), (3, 33, 71), (1, 1, 1), (2, 31, 224)])
def test_same_colours_at_any_size(exported, model_name, num, height, width):
    weights, path = exported(model_name)
    L = 100 * torch.rand(num, 1, height, width, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = load_weights(weights).model.predict(Inputs(L)).numpy()
    (ab,) = onnxruntime.InferenceSession(path).run(["ab"], {"L": L.numpy()})
    assert ab.shape == (num, 2, height, width)
    assert ab.dtype == np.float32
    assert np.abs(ab - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("model_name", MORE)
def test_the_file_says_what_it_is(exported, model_name):
    weights, path = exported(model_name)
    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    said = {item.key: item.value for item in proto.metadata_props}
    stored = load_weights(weights)
    assert said["model"] == model_name
    assert json.loads(said["settings"]) == vars(stored.model.settings)
    assert int(said["image_size"]) == stored.info["image_size"]
    assert said["weights_sha256"] == stored.sha256
    assert said["terms"] == stored.info["terms"]
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    }
    assert shapes == {"L": ["batch", 1, "height", "width"], "ab": ["batch", 2, "height", "width"]}
    assert b".py" not in path.read_bytes()  # no source line of the machine that made it


def test_the_readme_colors_a_photo_without_torch(exported, photo, monkeypatch):
    weights, path = exported(NAMES[0])
    page = (Path(export.__file__).parent / "docs" / "export.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert "torch" not in code
    monkeypatch.chdir(photo.parent)
    exec(code.replace(f"{NAMES[0]}.onnx", path.as_posix()), {})
    with Image.open("old_colorized.png") as picture:
        colored = np.asarray(picture)
    expected = Colorizer.load(weights, upsample="bilinear", device="cpu")(photo)
    assert colored.shape == expected.shape == (300, 451, 3)
    # Two implementations resize and convert; gray is four times as far.
    difference = np.abs(colored.astype(float) - expected).mean()
    gray = np.abs(expected - expected.mean(axis=2, keepdims=True)).mean()
    assert difference < min(1.5, gray / 4)


def test_other_colours_are_not_written(cli, exported, photo, tmp_path, monkeypatch):
    """An ONNX file of weights that are not those of PyTorch, as a broken exporter would make it."""
    name = NAMES[0]
    data = exported(name)[1].read_bytes()
    torch.manual_seed(1)
    save_weights(tmp_path / "other.safetensors", name, build_model(name, preset="small"), {})
    monkeypatch.setattr(export, "to_onnx", lambda *_: data)
    argv = [f"--weights={tmp_path / 'other.safetensors'}", f"--output_path={tmp_path / 'x.onnx'}"]
    outcome = cli("--mode=export", *argv, f"--image_path={photo}", "--image_size=64")
    assert outcome.code == 2
    assert re.search(r"x.onnx is not written: .* differ from PyTorch's by up to \d", outcome.error)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["old.jpg", "other.safetensors"]


def test_no_number_is_no_match(exported):
    weights, path = exported(NAMES[0])
    model = load_weights(weights).model
    with torch.no_grad():
        next(model.parameters()).fill_(float("nan"))
    difference = export.largest_difference(model, path.read_bytes(), [torch.full((1, 1, 32, 32), 50.0)])
    assert not difference <= export.TOLERANCE


def test_photos_are_seen_at_several_sizes_and_none_is_left_out(photo):
    paths = [photo] * 3
    batches = list(export._views(paths, 64, 10**9))
    assert {tuple(L.shape[2:]) for L in batches} == {(64, 64), (64, 97), (130, 97), (45, 31)}
    assert {len(L) for L in batches} >= {1, 2, 3, 5}
    assert sum(len(L) for L in batches if L.shape[2:] == (64, 64)) == 3


@pytest.mark.parametrize("name", export._PACKAGES)
def test_a_missing_package_is_named(cli, monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    outcome = cli("--mode=export")
    assert outcome.code == 2
    assert f"--mode=export needs {name}" in outcome.error
    assert outcome.error.endswith(installing("export"))


def test_mistakes(cli, tmp_path, monkeypatch):
    """Found before the model is converted, which takes seconds."""
    monkeypatch.setattr(export, "to_onnx", pytest.fail)
    monkeypatch.chdir(tmp_path)
    outcome = cli("--mode=export", "--dry_run")
    assert (outcome.code, outcome.out.splitlines()[-1]) == (0, f"would write {DEFAULT}.onnx")
    (tmp_path / "there.onnx").write_text("kept")
    (tmp_path / "empty").mkdir()
    (tmp_path / "x.jpg").touch()
    for argv, message in {
        "--recursive": "--recursive is for a folder: name it with --image_path",
        "--recursive --image_path=x.jpg": "--recursive is for folders, and x.jpg is a photo: leave it out",
        "--output_path=there.onnx": "there.onnx exists: add --overwrite",
        "--output_path=x.pb": "must end with .onnx",
        "--format=png": "--format=png is for pictures: leave it out",
        "--image_path=empty": "holds no photo",
        "--image_path=none.jpg": "none.jpg does not exist",
        "--weights=none": "does not exist",
        "--format=tflite": "must be one of onnx",
    }.items():
        outcome = cli("--mode=export", *argv.split())
        assert outcome.code == 2, argv
        assert message in outcome.error
    assert (tmp_path / "there.onnx").read_text() == "kept"
    assert {path.name for path in tmp_path.iterdir()} == {"there.onnx", "empty", "x.jpg"}


def test_a_model_too_large_for_one_file(cli, photo, monkeypatch):
    monkeypatch.chdir(photo.parent)
    monkeypatch.setattr(export, "_LARGEST", 1_000_000)
    outcome = cli("--mode=export", f"--image_path={photo}")
    assert outcome.code == 2
    assert "GB of weights" in outcome.error
