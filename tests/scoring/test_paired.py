"""Intervals of differences: worked by hand, and as SciPy has them."""

import numpy as np
import pytest
from scipy import stats

from scoring.paired import COMPARED, estimate, of_floor
from scoring.scorecard import FLOORS, METRIC_NAMES


def scores_of(num, seed, shift=0.0):
    """Scores of a predictor whose photos differ far more from each other than it does from another."""
    photos, own = np.random.default_rng(0), np.random.default_rng(seed)
    truth = photos.uniform(5, 30, num)
    columns = {
        name: photos.normal(20, 5, num) + own.normal(shift, 0.3, num)
        for name in METRIC_NAMES
        if name != "mse"
    }
    columns |= {"mse": photos.uniform(0, 0.1, num), "truth_chroma": truth}
    columns |= {"chroma": truth * own.uniform(0.3, 0.9, num), "truth_colorfulness": photos.normal(30, 5, num)}
    columns |= {f"{floor}_{name}": photos.normal(15, 5, num) for floor in FLOORS for name in METRIC_NAMES}
    return {name: values.tolist() for name, values in columns.items()}


def test_by_hand():
    """Of two photos one resample in four is twice the first, one twice the second, the rest are both."""
    same = {name: [1.0, 1.0] for name in METRIC_NAMES}
    truth = {"truth_colorfulness": [5.0, 5.0], "truth_chroma": [10.0, 30.0]}
    first = same | truth | {"psnr": [21.0, 32.0], "colorfulness": [2.0, 9.0], "chroma": [5.0, 12.0]}
    second = same | truth | {"psnr": [20.0, 30.0], "colorfulness": [3.0, 4.0], "chroma": [3.0, 3.0]}
    found = estimate(first, minus=second, seed=0)
    assert found["psnr"] == {"mean": 1.5, "low": 1.0, "high": 2.0, "differs": False}  # of two photos
    assert found["ssim"] == {"mean": 0.0, "low": 0.0, "high": 0.0, "differs": False}
    # |2 - 5| - |3 - 5| = 1 and |9 - 5| - |4 - 5| = 3
    assert found["colorfulness_gap"] == {"mean": 2.0, "low": 1.0, "high": 3.0, "differs": False}
    # (17 - 6) / 40; of each photo alone 2 / 10 and 9 / 30
    assert found["chroma_ratio"]["mean"] == pytest.approx(0.275)
    assert found["chroma_ratio"]["low"] == pytest.approx(0.2)
    assert found["chroma_ratio"]["high"] == pytest.approx(0.3)
    turned = estimate(second, minus=first, seed=0)
    assert turned["psnr"] == {"mean": -1.5, "low": -2.0, "high": -1.0, "differs": False}


def test_a_constant_lead_is_certain_whatever_the_photos_are():
    first = scores_of(50, seed=1)
    second = first | {"psnr": [value - 0.5 for value in first["psnr"]]}
    found = estimate(first, minus=second, seed=3)["psnr"]
    assert (found["low"], found["high"]) == (pytest.approx(0.5), pytest.approx(0.5))
    alone = [estimate(scores, seed=3)["psnr"] for scores in (second, first)]
    assert alone[0]["high"] > alone[1]["low"]  # apart, the two cannot be told from each other


@pytest.mark.parametrize(("num", "differs"), [(1, False), (5, False), (6, True)])
def test_few_photos_tell_nothing(num, differs):
    """That N signs agree by chance has a probability of 2 / 2^N, which is below 5 % from 6 on."""
    first = scores_of(num, seed=1)
    second = first | {"psnr": [value - 0.5 for value in first["psnr"]]}
    found = estimate(first, minus=second, seed=3)["psnr"]
    assert found["low"] > 0
    assert found["differs"] is differs


def test_as_scipy_has_it():
    first, second = scores_of(120, seed=1, shift=0.1), scores_of(120, seed=2)
    found = estimate(first, minus=second, seed=0)

    def check(name, statistic, *columns):
        expected = stats.bootstrap(
            columns, statistic, paired=True, vectorized=True, method="percentile", n_resamples=20_000, rng=1
        ).confidence_interval
        width = expected.high - expected.low
        assert found[name]["mean"] == pytest.approx(float(statistic(*map(np.asarray, columns))))
        assert found[name]["low"] == pytest.approx(expected.low, abs=0.06 * width)
        assert found[name]["high"] == pytest.approx(expected.high, abs=0.06 * width)

    def lead(a, b, axis=-1):
        return a.mean(axis=axis) - b.mean(axis=axis)

    def ratio_lead(a, b, truth, axis=-1):
        return lead(a, b, axis) / truth.mean(axis=axis)

    for name in ("psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness"):
        check(name, lead, first[name], second[name])
    check("chroma_ratio", ratio_lead, first["chroma"], second["chroma"], first["truth_chroma"])


def test_a_model_and_itself():
    scores = scores_of(40, seed=1)
    for value in estimate(scores, minus=scores, seed=0).values():
        assert value == {"mean": 0.0, "low": 0.0, "high": 0.0, "differs": False}


def test_floors():
    scores = scores_of(30, seed=1)
    gray = of_floor(scores, "gray")
    found = estimate(scores, minus=gray, seed=0)
    assert set(found) == set(COMPARED)
    assert found["chroma_ratio"]["mean"] == pytest.approx(
        np.mean(scores["chroma"]) / np.mean(scores["truth_chroma"])
    )
    assert "chroma_ratio" not in estimate(of_floor(scores, "half_chroma"), seed=0)
