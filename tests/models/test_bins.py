"""Bins of colour, against the published table and loops in NumPy."""

import numpy as np
import pytest
import torch

from data.color import rgb_to_lab
from models.bins import (
    NUM_BINS,
    SoftEncoder,
    published_bins,
    rebalance,
    small_colors,
    smooth_frequencies,
    soft_encode,
)

# Row by row as in the file of points of the authors: a*, first b*, last b*, number of bins.
ROWS = [
    (-90, 50, 90, 5),
    (-80, 20, 90, 8),
    (-70, 0, 90, 10),
    (-60, -20, 90, 12),
    (-50, -30, 100, 14),
    (-40, -40, 100, 15),
    (-30, -50, 100, 16),
    (-20, -50, 100, 16),
    (-10, -60, 100, 17),
    (0, -70, 100, 18),
    (10, -80, 90, 18),
    (20, -80, 90, 18),
    (30, -90, 90, 19),
    (40, -100, 90, 20),
    (50, -100, 80, 19),
    (60, -110, 80, 20),
    (70, -110, 80, 20),
    (80, -110, 70, 19),
    (90, -110, 70, 19),
    (100, -90, 0, 10),
]


def test_the_bins_are_the_published_ones_in_their_order():
    found = published_bins().tolist()
    assert len(found) == NUM_BINS == 313
    assert sum(num for *_, num in ROWS) == 313
    assert found == sorted(found)
    for a, first, last, num in ROWS:
        row = [b for a_found, b in found if a_found == a]
        assert (row[0], row[-1], len(row)) == (first, last, num)
        assert set(np.diff(row)) == {10}


def test_no_colour_of_srgb_is_far_from_a_bin():
    """The list leaves out a few bins that the gamut hardly enters: none is further than the next one."""
    line = torch.linspace(0, 1, 24)
    rgb = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).reshape(1, 3, 24, -1)
    ab = rgb_to_lab(rgb)[0, 1:].flatten(1).T
    assert torch.cdist(ab, published_bins()).amin(dim=1).max() < 10


def test_soft_encoding_by_a_loop():
    centers = published_bins()
    ab = torch.tensor([[0.0, 0.0], [13.0, -4.0], [98.2, 67.0], [-86.1, 83.0], [79.0, -107.8]])
    index, share = soft_encode(ab, centers)
    for row, color in enumerate(ab.double().numpy()):
        distance = np.hypot(*(centers.double().numpy() - color).T)
        nearest = np.sort(distance)[:5]
        assert distance[index[row].numpy()] == pytest.approx(nearest, abs=1e-4)
        expected = np.exp(-(nearest**2) / 50)
        assert share[row].numpy() == pytest.approx(expected / expected.sum(), abs=1e-5)


def test_rebalancing_by_hand():
    """Two bins 10 units apart: a Gaussian of sigma 5 gives the neighbour exp(-2) of one's own."""
    centers = torch.tensor([[0.0, 0.0], [0.0, 10.0]])
    weights = rebalance(torch.tensor([9, 1]), centers).tolist()
    k = np.exp(-2) / (1 + np.exp(-2))
    p = np.array([0.9 * (1 - k) + 0.1 * k, 0.9 * k + 0.1 * (1 - k)])
    expected = 1 / (p / 2 + 1 / 4)
    assert weights == pytest.approx(expected / (expected @ p), rel=1e-6)
    assert weights[1] > weights[0]


def test_the_table_is_soft_encoding_of_whole_units():
    centers = published_bins()
    ab = torch.rand(500, 2, generator=torch.Generator().manual_seed(0)) * 220 - 110
    index, share = SoftEncoder()(ab)
    expected_index, expected_share = soft_encode(ab.round(), centers)
    assert torch.equal(index[:, 0], expected_index[:, 0])
    assert torch.allclose(share, expected_share, atol=1e-6)


def test_smoothed_frequencies_lose_no_pixel():
    """At the edge of the gamut too, where a bin has few neighbours to give to."""
    counts = torch.zeros(NUM_BINS, dtype=torch.int64)
    counts[[0, 100, 312]] = torch.tensor([5, 3, 2])
    frequencies = smooth_frequencies(counts, published_bins())
    assert frequencies.sum().item() == pytest.approx(1, abs=1e-12)
    assert frequencies.topk(3).indices.tolist() == [0, 100, 312]
    # Over the grid exp(-d^2 / 50) sums to a product of two sums; the other two bins are far away.
    kept = np.exp(-2 * np.arange(-9, 10.0) ** 2).sum() ** -2
    assert frequencies[100].item() == pytest.approx(0.3 * kept, rel=1e-3)


def test_small_colors_are_means_of_the_padded_photo():
    ab = torch.arange(2 * 2 * 5 * 9, dtype=torch.float32).reshape(2, 2, 5, 9)
    found = small_colors(ab, 8).reshape(2, 2, 4, 2)  # 8x16 pixels
    rows, columns = np.minimum(np.arange(8), 4), np.minimum(np.arange(16), 8)
    padded = ab.numpy()[:, :, rows][..., columns]
    for n, y, x in np.ndindex(2, 2, 4):
        mean = padded[n, :, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4].mean(axis=(1, 2))
        assert found[n, y, x].numpy() == pytest.approx(mean)
