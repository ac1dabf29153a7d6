"""Is the difference of two models significant? Paired bootstrap over scores on the same photos.

Scores vary far more between photos than between models on one photo. So the intervals of two means may
overlap widely although that of their paired difference excludes 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from scoring.scorecard import FEWEST, METRIC_NAMES, interval, resampled_means

COMPARED = (*METRIC_NAMES, "colorfulness_gap", "chroma_ratio")
DEFINITIONS = {
    "colorfulness_gap": "absolute difference of the colourfulness to that of the truth, per photo",
    "differences": "of minus the other, photo by photo, with a 95 % percentile bootstrap interval over "
    "photos, the same resamples for every metric and pair; differs: the interval leaves out 0, "
    f"and there are {FEWEST} photos or more. Each interval stands for itself: of twenty differences that are "
    "none, one will seem to be one",
}

Scores = Mapping[str, Sequence[float]]
"""Columns of `scorecard.score_batch`: one value per photo."""


def estimate(scores: Scores, *, seed: int, minus: Scores | None = None) -> dict[str, dict[str, float]]:
    """Compute means over photos with 95 % bootstrap intervals, of a predictor or its difference to another.

    Args:
        scores: of a predictor.
        seed: of the bootstrap; one seed draws the same photos for every predictor.
        minus: scores of another predictor on the same photos in the same order, to subtract.
    Returns:
        Name of `COMPARED` -> mean, low, high, and for a difference also `differs`: whether the interval
        excludes 0; False for fewer photos than `FEWEST`. The chroma ratio is one of means, as in the
        scorecard; it is left out if `scores` have no chroma.
    """
    rows = _rows(scores)
    if minus is not None:
        rows = {name: row - _rows(minus)[name] for name, row in rows.items()}
    table = np.stack([*rows.values(), np.asarray(scores["truth_chroma"], dtype=np.float64)])
    center, resampled = table.mean(axis=1), resampled_means(table, seed)
    if "chroma_ratio" in rows:  # its row is divided by the true chroma, the last row
        for means in (center, resampled):
            means[..., -2] /= np.maximum(means[..., -1], 1e-9)
    low, high = interval(resampled)
    found = {}
    for name, *values in zip(rows, center, low, high, strict=False):  # drops the last row, the true chroma
        found[name] = dict(zip(("mean", "low", "high"), map(float, values), strict=True))
        if minus is not None:
            leaves_out_0 = found[name]["low"] > 0 or found[name]["high"] < 0
            found[name]["differs"] = bool(leaves_out_0 and table.shape[1] >= FEWEST)
    return found


def of_floor(scores: Scores, floor: str) -> dict[str, Sequence[float]]:
    """Return the scores of a floor or an oracle under the names of a model's."""
    own = {name: scores[f"{floor}_{name}"] for name in METRIC_NAMES}
    truth = {name: scores[name] for name in ("truth_colorfulness", "truth_chroma")}
    chroma = {"chroma": [0.0] * len(own["psnr"])} if floor == "gray" else {}  # the oracles' is not stored
    return own | truth | chroma


def _rows(scores: Scores) -> dict[str, np.ndarray]:
    """Name of `COMPARED` -> one value per photo; for the chroma ratio, its numerator."""
    rows = {name: np.asarray(scores[name], dtype=np.float64) for name in METRIC_NAMES}
    rows["colorfulness_gap"] = np.abs(rows["colorfulness"] - np.asarray(scores["truth_colorfulness"]))
    if "chroma" in scores:
        rows["chroma_ratio"] = np.asarray(scores["chroma"], dtype=np.float64)
    return rows
