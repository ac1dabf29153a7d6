"""The learning rate, by hand."""

import pytest

from engine.schedule import lr_factor


@pytest.mark.parametrize(
    ("schedule", "progress", "warmup", "expected"),
    [
        ("constant", 0.0, 0.0, 1),
        ("constant", 1.0, 0.0, 1),
        ("constant", 0.05, 0.1, 0.5),
        ("cosine", 0.0, 0.0, 1),
        ("cosine", 0.5, 0.0, 0.5),
        ("cosine", 1.0, 0.0, 0),
        ("cosine", 0.0, 0.2, 0),
        ("cosine", 0.2, 0.2, 1),
        ("cosine", 0.6, 0.2, 0.5),
        ("cosine", 0.5, 1.0, 0.5),
    ],
)
def test_by_hand(schedule, progress, warmup, expected):
    assert lr_factor(schedule, progress, warmup) == pytest.approx(expected, abs=1e-12)
