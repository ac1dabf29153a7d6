"""Floors and oracles, means and intervals."""

import numpy as np
import pytest
import torch

from data.batch import Batch
from data.color import rgb_to_lab
from scoring.scorecard import (
    FLOORS,
    METRIC_NAMES,
    bootstrap,
    print_capped,
    print_rows,
    print_table,
    score_batch,
    summarize,
)


@pytest.fixture
def batch():
    rgb = torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    lab = rgb_to_lab(rgb)
    return Batch(L=lab[:, :1], ab=lab[:, 1:], names=("a", "b", "c"))


def test_perfect_prediction_and_floors(batch):
    scores = score_batch(batch, batch.ab)
    assert scores["mse"].max() < 1e-9
    assert scores["delta_e_76"].max() < 0.01
    gray = score_batch(batch, torch.zeros_like(batch.ab))
    mean = batch.ab.mean(dim=(2, 3), keepdim=True).expand_as(batch.ab)
    for name in METRIC_NAMES:
        assert torch.equal(gray[name], scores[f"gray_{name}"])
        assert torch.equal(score_batch(batch, mean)[name], scores[f"mean_color_{name}"])
        assert torch.equal(score_batch(batch, batch.ab / 2)[name], scores[f"half_chroma_{name}"])
    assert scores["gray_colorfulness"].max() < 1e-3
    halved = {key: values.tolist() for key, values in score_batch(batch, batch.ab / 2).items()}
    assert summarize(halved, seed=0)["chroma_ratio"] == pytest.approx(0.5)
    assert torch.equal(
        scores["colorfulness"].round(decimals=2), scores["truth_colorfulness"].round(decimals=2)
    )


def test_half_chroma_of_a_photo_inside_the_gamut():
    """Half the chroma is half the distance, for every pixel: worked by hand."""
    lab = torch.tensor([60.0, 20.0, -10.0]).view(1, 3, 1, 1).expand(1, 3, 16, 16)
    batch = Batch(L=lab[:, :1], ab=lab[:, 1:], names=("a",))
    scores = score_batch(batch, batch.ab)
    distance = (20**2 + 10**2) ** 0.5
    assert scores["gray_delta_e_76"].item() == pytest.approx(distance, abs=1e-3)
    assert scores["half_chroma_delta_e_76"].item() == pytest.approx(distance / 2, abs=1e-3)
    assert scores["mean_color_delta_e_76"].item() == pytest.approx(0, abs=1e-3)


def test_clipped_colours_are_scored_as_shown(batch):
    """Far outside sRGB all that counts is the clipped colour."""
    far = torch.full_like(batch.ab, 500.0)
    assert score_batch(batch, far)["delta_e_76"].max() < 250


def test_bootstrap_matches_the_normal_interval():
    rng = np.random.default_rng(1)
    table = rng.normal(5, 2, size=(2, 400))
    low, high = bootstrap(table, seed=0)
    half = 1.96 * table.std(axis=1) / 20
    assert low == pytest.approx(table.mean(axis=1) - half, abs=0.02)
    assert high == pytest.approx(table.mean(axis=1) + half, abs=0.02)
    assert (bootstrap(table, seed=0)[0] == low).all()


def test_summary(batch, capsys):
    scores = {key: values.tolist() for key, values in score_batch(batch, batch.ab).items()}
    scores["psnr"] = [100.0, 100.0, 40.0]
    card = summarize(scores, seed=42)
    assert card["psnr"]["mean"] == pytest.approx(80)
    assert card["psnr"]["num_capped"] == 2
    assert set(card["floors"]) == set(FLOORS)
    for values in (card, *card["floors"].values()):
        for name in METRIC_NAMES:
            assert values[name]["low"] <= values[name]["mean"] <= values[name]["high"]
    print_table(card | {"model": "model1", "num_photos": 3, "manifest": {"split": "test"}})
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("model1", *FLOORS, "80.00"))
    assert "model1: 2 photos hit the PSNR cap" in printed
    assert "gray: " not in printed


def test_long_cells_stand_apart(capsys):
    score = {"mean": 1892.02, "low": 1470.83, "high": 2313.21}
    print_rows({"a": {"frechet": score, "kid": score}, "b": {"kid": {"mean": 2.0}}}, ("frechet", "kid"))
    head, first, second = capsys.readouterr().out.splitlines()
    assert first.endswith(" 1892.02 [1470.83, 2313.21]  1892.0200 [1470.8300, 2313.2100]")
    assert second.endswith(" 2.0000")
    assert len(head) == len(first) == len(second)


def test_one_capped_photo_is_a_photo(capsys):
    print_capped({"model1": {"psnr": {"num_capped": 1}}, "gray": {"psnr": {}}})
    assert capsys.readouterr().out == "model1: 1 photo hit the PSNR cap of 100 dB\n"


def test_a_capped_floor_and_too_few_photos_are_said(batch, capsys):
    """The mean colour of a photo of one colour is the photo: 100 dB, which make the mean of the floor."""
    plain = Batch(
        L=batch.L, ab=batch.ab.mean(dim=(2, 3), keepdim=True).expand_as(batch.ab), names=batch.names
    )
    scores = {key: values.tolist() for key, values in score_batch(plain, plain.ab / 2).items()}
    about = {"model": "model1", "manifest": {"split": "test"}}
    print_table(summarize(scores, seed=0) | about | {"num_photos": 3})
    printed = capsys.readouterr().out
    assert "mean_color: 3 photos hit the PSNR cap" in printed
    assert "model1: " not in printed
    assert "fewer than 6 photos: too few" in printed
    print_table(summarize({k: v * 2 for k, v in scores.items()}, seed=0) | about | {"num_photos": 6})
    assert "too few" not in capsys.readouterr().out
