"""Is the difference of two models real? Both are scored on the same photos, and compared photo by photo.

Photos differ far more from each other than models do on one photo. So the intervals of two means may
overlap widely where that of their difference leaves no doubt: photos are drawn in pairs.
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
    """Means over the photos with 95 % bootstrap intervals, of a predictor or of its lead over another.

    Args:
        scores: of a predictor.
        seed: of the bootstrap; one seed draws the same photos for every predictor.
        minus: scores of another on the same photos in the same order, to be taken off.
    Returns:
        Name of `COMPARED` -> mean, low, high, and of a difference also `differs`: whether 0 is outside, which
        fewer photos than `FEWEST` cannot tell. The
        chroma ratio, left out where `scores` have no chroma, is one of means, as in the scorecard.
    """
    rows = _rows(scores)
    if minus is not None:
        rows = {name: row - _rows(minus)[name] for name, row in rows.items()}
    table = np.stack([*rows.values(), np.asarray(scores["truth_chroma"], dtype=np.float64)])
    center, resampled = table.mean(axis=1), resampled_means(table, seed)
    if "chroma_ratio" in rows:  # the row above the true chroma
        for means in (center, resampled):
            means[..., -2] /= np.maximum(means[..., -1], 1e-9)
    low, high = interval(resampled)
    found = {}
    for name, *values in zip(rows, center, low, high, strict=False):  # the true chroma is no result
        found[name] = dict(zip(("mean", "low", "high"), map(float, values), strict=True))
        if minus is not None:
            leaves_out_0 = found[name]["low"] > 0 or found[name]["high"] < 0
            found[name]["differs"] = bool(leaves_out_0 and table.shape[1] >= FEWEST)
    return found


def of_floor(scores: Scores, floor: str) -> dict[str, Sequence[float]]:
    """The scores of a floor or an oracle, as if it were a model."""
    own = {name: scores[f"{floor}_{name}"] for name in METRIC_NAMES}
    truth = {name: scores[name] for name in ("truth_colorfulness", "truth_chroma")}
    chroma = {"chroma": [0.0] * len(own["psnr"])} if floor == "gray" else {}  # the oracles' is not kept
    return own | truth | chroma


def _rows(scores: Scores) -> dict[str, np.ndarray]:
    """Name of `COMPARED` -> a value for each photo; of the chroma ratio its numerator."""
    rows = {name: np.asarray(scores[name], dtype=np.float64) for name in METRIC_NAMES}
    rows["colorfulness_gap"] = np.abs(rows["colorfulness"] - np.asarray(scores["truth_colorfulness"]))
    if "chroma" in scores:
        rows["chroma_ratio"] = np.asarray(scores["chroma"], dtype=np.float64)
    return rows
