"""OpenCV's flow is asked and read as the program's own is."""

import numpy as np
import pytest
import skimage.data
import torch
import torch.nn.functional as F

from benchmarks.studies import bench_flow
from video.flow import warp


def test_without_opencv_a_line_says_what_to_install(monkeypatch):
    def fail(name):
        raise ImportError(name)

    monkeypatch.setattr(bench_flow.importlib, "import_module", fail)
    with pytest.raises(SystemExit, match="pip install opencv-python-headless"):
        bench_flow.flows()


def test_a_known_shift():
    """In size and sign, by every method, the coarsest of which is off by a third of a pixel."""
    pytest.importorskip("cv2")
    photo = torch.from_numpy(skimage.data.astronaut().mean(2).astype(np.float32))[None, None] / 2.55
    before = F.interpolate(photo, (224, 224), mode="bilinear", antialias=True)
    shift = torch.tensor([4.0, -2.0]).view(1, 2, 1, 1)
    now = warp(before, shift.expand(1, 2, 224, 224))
    for flow in bench_flow.flows().values():
        error = (flow(now, before) - shift).norm(dim=1)[..., 32:-32, 32:-32]
        assert error.median() < 0.6
