"""The weights that ship: found by name, listed with their sums, whole, and telling what they are."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from checkpoint import shipped
from checkpoint.file import load_weights, save_weights
from checkpoint.shipped import find_weights
from core.errors import UserError
from core.files import sha256
from models.registry import build_model

FILES = sorted(shipped.FOLDER.glob("*.safetensors"))
SUMS = (shipped.FOLDER / shipped.SUMS).read_text(encoding="ascii")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of shipped weights with one good file."""
    folder = tmp_path / "shipped"
    folder.mkdir()
    save_weights(folder / "model1.safetensors", "model1", build_model("model1"), {})
    (folder / shipped.SUMS).write_text(f"{sha256(folder / 'model1.safetensors')}  model1.safetensors\n")
    monkeypatch.setattr(shipped, "FOLDER", folder)
    return folder


def test_which_weights_are_used(folder, tmp_path, monkeypatch):
    best, named = tmp_path / "best.safetensors", tmp_path / "named.pth"
    with pytest.raises(UserError, match=r"no weights for model2.*--mode=train.*--weights"):
        find_weights(None, best, "model2")
    assert find_weights(None, best, "model1") == folder / "model1.safetensors"
    best.touch()
    assert find_weights(None, best, "model1") == best
    assert find_weights(named, best, "model1") == named
    assert find_weights(Path("model1"), best, "model2") == folder / "model1.safetensors"
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model1").mkdir()  # such as that of a run
    assert find_weights(Path("model1"), best, "model2") == folder / "model1.safetensors"
    assert find_weights(Path("model9"), best, "model1") == Path("model9")
    (tmp_path / "run").mkdir()
    assert find_weights(Path("run"), best, "model1") == Path("run/best.safetensors")


def test_another_file_in_place_of_a_shipped_one(folder):
    assert load_weights(folder / "model1.safetensors").name == "model1"
    save_weights(folder / "model1.safetensors", "model1", build_model("model1"), {"image_size": 64})
    with pytest.raises(UserError, match=r"model1.safetensors are not those of .*git checkout"):
        load_weights(folder / "model1.safetensors")
    save_weights(folder / "mine.safetensors", "model1", build_model("model1"), {})
    assert load_weights(folder / "mine.safetensors").name == "model1"


def test_every_shipped_file_is_listed_and_none_is_missing():
    listed = dict(reversed(line.split()) for line in SUMS.splitlines())
    assert listed == {path.name: sha256(path) for path in FILES}
    assert "model1.safetensors" in listed


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_shipped_files_describe_themselves(path):
    assert path.stat().st_size < 13e6
    weights = load_weights(path)
    info = weights.info
    assert weights.name == path.stem.removesuffix("_vivid")
    assert info["image_size"] == 224
    assert "research" in info["terms"]
    assert info["data"]
    # With a + where the source differed from it; docs/weights.md says in what.
    assert re.fullmatch(r"[0-9a-f]{40}\+?", info["versions"]["commit"])
    assert info["metrics"]["model"]["psnr"] > info["metrics"]["gray"]["psnr"]


def test_found_by_name_from_any_folder(tmp_path):
    code = "from predict import Colorizer; print(Colorizer.load('model1').settings['image_size'])"
    root = Path(shipped.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(root)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "224"
