"""The program that measures shots that come back measures right."""

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch

from benchmarks.studies.bench_returning import Seen, measure


def shot(photo, tint):
    """24 frames without motion; the last 12 in other colours by a model that is wrong."""
    lab = torch.from_numpy(skimage.color.rgb2lab(photo).astype(np.float32)).permute(2, 0, 1)[None]
    L, own = lab[:, :1], lab[:, 1:]
    off = torch.tensor(tint).view(1, 2, 1, 1)
    return [Seen(L, own, own)] * 12 + [Seen(L, own + off, own)] * 12


def test_colours_by_hand():
    """Wrong by (6, 8) when it comes back: 10 apart; pulled, it is where it was."""
    shots = [
        shot(skimage.data.chelsea()[:96, :96], [6.0, 8.0]),
        shot(skimage.data.coffee()[:96, :96], [0.0, 0.0]),
    ]
    found = measure(["cat", "cup"], shots)
    without, pulled = found["cat"]["without"], found["cat"]["with"]
    for key in ("first", "last", "error"):
        assert without[key] == pytest.approx(10, abs=1e-3)
        assert pulled[key] == pytest.approx(0, abs=0.05)
    assert without["pulled"] == {"before": False, "after": False}
    assert pulled["pulled"] == {"before": False, "after": True}
    assert found["cup"]["with"]["last"] == pytest.approx(0, abs=0.05)
