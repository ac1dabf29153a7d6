"""The page of results: what it says is what was scored."""

import pytest
import torch
from torch import nn

from benchmarks import results
from benchmarks.experiments import EXPERIMENTS
from benchmarks.ship_weights import mean_of
from data.batch import Batch
from data.color import rgb_to_lab
from files import read_json
from main import parse
from scorecard import score_batch, summarize


@pytest.fixture
def card():
    lab = rgb_to_lab(torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    batch = Batch(L=lab[:, :1], ab=lab[:, 1:], names=tuple("abcd"))
    scores = {key: values.tolist() for key, values in score_batch(batch, batch.ab / 4).items()}
    return summarize(scores, seed=0) | {"num_photos": 4, "image_size": 16, "weights": {"sha256": "x"}}


def test_table_by_hand(card):
    lines = results.table({"mine": results.trim(card)}).splitlines()
    rows = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in lines[2:6]}
    assert list(rows) == ["mine", "gray (floor)", "mean_color (oracle)", "half_chroma (oracle)"]
    gain = card["psnr"]["mean"] - card["floors"]["gray"]["psnr"]["mean"]
    mean, low, high = (card["psnr"][key] for key in ("mean", "low", "high"))
    assert rows["mine"][:2] == [f"{mean:.2f} [{low:.2f}, {high:.2f}]", f"{gain:+.2f}"]
    gap = card["colorfulness"]["mean"] - card["truth"]["colorfulness"]["mean"]
    assert rows["mine"][-2:] == [f"{gap:+.1f}", "0.25"]
    assert rows["gray (floor)"][1] == "+0.00"


def test_differences_are_those_to_the_first_row():
    metrics = ("psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness_gap")
    surely = {m: {"mean": -1.5, "low": -2, "high": -1, "differs": True} for m in metrics}
    maybe = {m: {"mean": 0.5, "low": -1, "high": 2, "differs": False} for m in metrics}
    pairs = [("b", "a", surely), ("c", "a", maybe), ("c", "b", surely)]
    compared = {"differences": [{"of": of, "minus": minus, **values} for of, minus, values in pairs]}
    lines = results._differences(compared, "a")[0].splitlines()[-2:]
    assert [line.split("|")[1:3] for line in lines] == [
        [" b ", " -1.50 [-2.00, -1.00]* "],
        [" c ", " +0.50 [-1.00, +2.00] "],
    ]


def test_the_page_is_the_one_that_the_files_give():
    assert results.PAGE.read_text(encoding="utf-8") == results.page()


def test_shipped_weights_are_those_that_were_scored():
    scored = read_json(results.RESULTS / "shipped.json")["rows"]
    sums = (results.shipped.FOLDER / results.shipped.SUMS).read_text(encoding="ascii")
    listed = {name: digest for digest, name in map(str.split, sums.splitlines())}
    for name, cards in scored.items():
        assert {card["weights_sha256"] for card in cards.values()} == {listed[f"{name}.safetensors"]}


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_training_of_an_experiment_is_a_valid_command(name):
    experiment = EXPERIMENTS[name]
    for own in experiment.rows.values():
        parse(["--mode=train", *experiment.common.split(), *own.split()])


def test_mean_of_weights_by_hand():
    models = [nn.BatchNorm2d(2), nn.BatchNorm2d(2)]
    for model, value in zip(models, (1.0, 4.0), strict=True):
        model.weight.data.fill_(value)
        model.running_var.fill_(2 * value)
    models[1].num_batches_tracked.fill_(7)
    mean = mean_of(models)
    assert mean.weight.tolist() == [2.5, 2.5]
    assert mean.running_var.tolist() == [5, 5]
    assert mean.num_batches_tracked == 7
