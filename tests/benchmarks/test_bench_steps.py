"""The program that measures numbers of steps takes as many as it says."""

import pytest
import skimage.data
import torch
from conftest import small_model
from PIL import Image

from benchmarks.studies import bench_steps
from checkpoint.file import save_weights
from inference.colorizer import Colorizer


def test_steps_of_every_row(tmp_path, monkeypatch):
    pytest.importorskip("diffusers")
    monkeypatch.setattr(bench_steps, "STEPS", (1, 3))
    torch.manual_seed(0)
    save_weights(tmp_path / "x.safetensors", "liu2023", small_model("liu2023"), {"image_size": 32})
    Image.fromarray(skimage.data.chelsea()[:64, :64]).save(tmp_path / "x.png")
    colorizer = Colorizer.load(tmp_path / "x.safetensors", device="cpu")
    passes = []
    colorizer.model.denoiser.register_forward_hook(lambda *_: passes.append(1))
    rows = bench_steps.measure(colorizer, [tmp_path / "x.png"])
    assert list(rows) == ["best guess", "dpm 1", "dpm 3", "ddim 1", "ddim 3"]
    assert rows["dpm 1"]["gain"] == rows["best guess"]["gain"] != rows["dpm 3"]["gain"]
    assert {"gain", "chroma", "milliseconds"} <= rows["ddim 3"].keys()
    warm_up, twice = 1, 2  # of each row at the photo, and at the photo moved
    assert len(passes) == warm_up + twice * (1 + 2 * (1 + 3))
