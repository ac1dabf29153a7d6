"""The program that measures flicker measures right."""

import pytest
import torch

from benchmarks.studies import bench_video


def test_flicker_by_hand():
    """Colours (3, 4) away from those of the frame before, in one of two visible pixels."""
    ab_before = torch.zeros(1, 2, 1, 3)
    ab = ab_before.clone()
    ab[0, :, 0, 1] = torch.tensor([3.0, 4.0])
    ab[0, :, 0, 2] = 50
    visible = torch.tensor([[[True, True, False]]])
    still = torch.zeros(1, 2, 1, 3)
    assert bench_video.flicker(ab, ab_before, still, visible) == pytest.approx(2.5)


def test_flicker_follows_the_motion():
    """Colours that move one to the right along with the picture have not changed."""
    ab_before = torch.randn(1, 2, 4, 6, generator=torch.Generator().manual_seed(0))
    flow = torch.zeros(1, 2, 4, 6)
    flow[:, 0] = -1
    ab = ab_before.roll(1, dims=3)
    visible = torch.ones(1, 4, 6, dtype=torch.bool)
    visible[..., 0] = False
    assert bench_video.flicker(ab, ab_before, flow, visible) == pytest.approx(0, abs=1e-5)
