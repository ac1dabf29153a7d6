"""What a GPU must not change: colours, scores, and that a training runs."""

import json

import pytest
import skimage.data
import torch
from conftest import SETTINGS

import metrics
from checkpoint.file import load_weights
from data.color import lab_to_rgb, rgb_to_lab
from inference.colorizer import Colorizer

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture
def pair():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(4, 3, 64, 64, generator=generator)
    return (target + 0.05 * torch.randn(target.shape, generator=generator)).clamp(0, 1), target


def test_colours_are_the_same(pair):
    _, rgb = pair
    lab = rgb_to_lab(rgb.cuda())
    assert (lab.cpu() - rgb_to_lab(rgb)).abs().max() < 1e-3
    assert (lab_to_rgb(lab).cpu() - rgb).abs().max() < 2e-5


@pytest.mark.parametrize("name", ["mse", "psnr", "ssim"])
def test_scores_are_the_same(pair, name):
    metric = getattr(metrics, name)
    on_gpu = metric(*(image.cuda() for image in pair)).cpu()
    assert on_gpu.tolist() == pytest.approx(metric(*pair).tolist(), rel=1e-4)


@pytest.mark.parametrize("flag", ["--on_device=yes", "--on_device=no", "--compile", "--grad_accum=2"])
def test_training(cli, photos, tmp_path, flag):
    settings = [s for s in SETTINGS if "device" not in s]
    argv = ["--mode=train", f"--data_dir={photos}", f"--run_dir={tmp_path}", "--device=cuda"]
    assert cli(*argv, *settings, flag).code == 0
    assert json.loads((tmp_path / "metrics.json").read_text())["num_photos"] == 2


def test_several_colorizers_of_one_model(vivid):
    """As of several render sizes: the second finds the model on the GPU already."""
    loaded = load_weights(vivid)
    photo = skimage.data.chelsea()[:96, :128]
    first, second = (Colorizer(loaded, device="cuda")(photo) for _ in range(2))
    assert (first == second).all()
    expected = Colorizer.load(vivid, device="cpu")(photo)
    assert abs(first.astype(int) - expected).mean() < 1
