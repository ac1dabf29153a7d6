"""The programs that measure confidence and upsampling measure right."""

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image

from benchmarks.studies import bench_confidence, bench_upsample
from inference.colorizer import Colorizer
from media.picture import from_array


def test_correlation_by_hand():
    """Error falls as confidence rises: -1, whatever the curve. The other way round: 1."""
    sure = np.linspace(0, 1, 40).reshape(8, 5)
    error = np.exp(-3 * sure)
    found = bench_confidence.correlation(sure, error)
    assert found["pixels"]["mean"] == found["photos"]["mean"] == pytest.approx(-1)
    assert bench_confidence.correlation(sure, sure)["pixels"]["mean"] == pytest.approx(1)
    parts = bench_confidence.by_confidence(sure, error)
    assert len(parts) == 5
    assert parts[0]["delta_e_76"] == pytest.approx(error.ravel()[:8].mean())
    assert parts[-1]["confidence"] == pytest.approx(sure.ravel()[-8:].mean())


def test_a_photo_of_a_models_size_loses_nothing():
    """There is nothing to carry: what is left is the rounding to 8 bits."""
    original = from_array(skimage.data.chelsea()[:224, :224])
    scores = bench_upsample.score(original, {"x": bench_upsample.true_chroma(original, 224)})
    assert scores["x"]["bilinear"]["delta_e_76"] < 0.01
    assert scores["x"]["guided"]["delta_e_76"] < 0.01


def test_observed_pixels_are_those_of_the_photo(vivid, tmp_path):
    path = tmp_path / "x.png"
    Image.fromarray(skimage.data.chelsea()[:64, :64]).save(path)
    colorizer = Colorizer.load(vivid, device="cpu")
    sure, error = bench_confidence.observe(colorizer, path, np.random.default_rng(0))
    assert sure.shape == error.shape == (bench_confidence.PIXELS_PER_PHOTO,)
    original = from_array(skimage.data.chelsea()[:64, :64])
    whole = bench_upsample.to_lab(original.pixels) - bench_upsample.to_lab(colorizer.color(original).pixels)
    delta_e = torch.linalg.vector_norm(whole, dim=1)
    assert error.mean() == pytest.approx(delta_e.mean().item(), rel=0.2)
    assert error.max() <= delta_e.max()
