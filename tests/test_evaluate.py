"""The test mode on real files: scores that scikit-image agrees with, for the right photos."""

import csv
import json
import shutil

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch
from conftest import SETTINGS, crops, fill
from PIL import Image

from checkpoint.file import load_weights
from core.runs import BEST, MANIFEST, PACK, REJECTED
from data.color import lab_to_rgb
from models.inputs import Inputs
from scoring.scorecard import FLOORS, METRIC_NAMES


def read(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def run_dir(trained, trainee, tmp_path):
    """A copy of a trained run that a test may write into."""
    return shutil.copytree(trained(trainee), tmp_path / "run")


def test_layout_of_the_results(run_dir, photos, trainee):
    card = json.loads((run_dir / "metrics.json").read_text())
    assert set(METRIC_NAMES) <= set(card)
    assert set(card["floors"]) == set(FLOORS)
    assert card["model"] == trainee
    assert card["num_photos"] == 2
    assert card["manifest"]["split"] == "test"
    assert len(card["weights"]["sha256"]) == len(card["manifest"]["sha256"]) == 64
    assert card["definitions"]["ssim"]
    rows = read(run_dir / "per_image.csv")
    tested = {row["name"] for row in read(run_dir / MANIFEST) if row["split"] == "test"}
    assert {row["name"] for row in rows} == tested
    for name in METRIC_NAMES:
        assert float(card[name]["mean"]) == pytest.approx(np.mean([float(row[name]) for row in rows]))
    assert (run_dir / "examples.png").exists()


def test_scores_match_skimage(run_dir, photos):
    """From the files on: decode, resize, predict, convert and score again with scikit-image."""
    model = load_weights(run_dir / BEST).model
    for row in read(run_dir / "per_image.csv"):
        with Image.open(photos / row["name"]) as image:
            small = image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)
        truth = np.asarray(small) / 255
        L = skimage.color.rgb2lab(truth)[..., :1]
        with torch.no_grad():
            ab = model.predict(Inputs(torch.from_numpy(L).permute(2, 0, 1)[None].float()))
        lab = np.concatenate((L, ab[0].permute(1, 2, 0).numpy()), axis=2)
        pred = lab_to_rgb(torch.from_numpy(lab).permute(2, 0, 1)[None])[0].permute(1, 2, 0).numpy()
        expected = skimage.metrics.mean_squared_error(truth, pred)
        assert float(row["mse"]) == pytest.approx(expected, rel=2e-3)
        expected = skimage.metrics.peak_signal_noise_ratio(truth, pred, data_range=1)
        assert float(row["psnr"]) == pytest.approx(expected, rel=1e-4)
        options = {"gaussian_weights": True, "use_sample_covariance": False, "channel_axis": -1}
        expected = skimage.metrics.structural_similarity(truth, pred, data_range=1, **options)
        assert float(row["ssim"]) == pytest.approx(expected, abs=2e-4)
        pair = skimage.color.rgb2lab(truth), skimage.color.rgb2lab(pred)
        assert float(row["delta_e_76"]) == pytest.approx(skimage.color.deltaE_cie76(*pair).mean(), abs=0.02)
        expected = skimage.color.deltaE_ciede2000(*pair).mean()
        assert float(row["delta_e_2000"]) == pytest.approx(expected, abs=0.02)


def test_gray_floor_needs_no_model(run_dir, photos):
    for row in read(run_dir / "per_image.csv"):
        with Image.open(photos / row["name"]) as image:
            truth = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)) / 255
        lab = skimage.color.rgb2lab(truth)
        lab[..., 1:] = 0
        gray = skimage.color.lab2rgb(lab)
        expected = skimage.metrics.peak_signal_noise_ratio(truth, gray, data_range=1)
        assert float(row["gray_psnr"]) == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("split", ["train", "val"])
def test_scores_of_other_splits_stay_apart(cli, run_dir, split):
    before = (run_dir / "metrics.json").read_bytes()
    outcome = cli("--mode=test", f"--run_dir={run_dir}", f"--split={split}", "--device=cpu")
    assert outcome.code == 0
    assert (run_dir / "metrics.json").read_bytes() == before
    card = json.loads((run_dir / f"metrics_{split}.json").read_text())
    assert card["num_photos"] == {"train": 11, "val": 3}[split]
    assert (run_dir / f"per_image_{split}.csv").exists()
    assert (run_dir / f"examples_{split}.png").exists()


def test_the_run_says_model_size_and_folder(cli, run_dir, trainee):
    """No flag but the run: the rest comes from its weights and its configuration."""
    before = json.loads((run_dir / "metrics.json").read_text())
    outcome = cli("--mode=test", f"--run_dir={run_dir}")
    assert outcome.code == 0
    assert f"best.safetensors ({trainee})" in outcome.out
    after = json.loads((run_dir / "metrics.json").read_text())
    assert after["image_size"] == 32
    assert after["psnr"]["mean"] == pytest.approx(before["psnr"]["mean"], rel=1e-6)
    outcome = cli("--mode=test", f"--run_dir={run_dir}", "--image_size=48")
    assert json.loads((run_dir / "metrics.json").read_text())["image_size"] == 48


def test_all_needs_no_manifest(cli, trained, tmp_path):
    folder = fill(tmp_path / "photos", 7)
    (folder / "broken.jpg").write_bytes(b"x")
    weights = shutil.copy(trained("model1") / BEST, tmp_path)  # without the run, which saw such photos
    run_dir = tmp_path / "new" / "run"
    argv = ["--mode=test", f"--data_dir={folder}", f"--run_dir={run_dir}", f"--weights={weights}"]
    outcome = cli(*argv, "--split=all", "--max_rejected=0.2")
    assert outcome.code == 0
    card = json.loads((run_dir / "metrics.json").read_text())
    assert (card["num_photos"], card["manifest"]["split"]) == (7, "all")
    assert [row["name"] for row in read(run_dir / "rejected_all.csv")] == ["broken.jpg"]
    assert not (run_dir / MANIFEST).exists()


def test_scores_of_photos_trained_on_never_stand_in_for_the_test(cli, trained, photos, tmp_path):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    before = (run_dir / "metrics.json").read_bytes()
    outcome = cli("--mode=test", f"--run_dir={run_dir}", "--split=all")
    assert outcome.code == 0
    assert "14 of these photos are in the training or validation split of" in outcome.err
    assert (run_dir / "metrics.json").read_bytes() == before
    assert json.loads((run_dir / "metrics_all.json").read_text())["num_photos"] == 16


def test_scores_of_a_whole_folder_do_not_replace_those_of_the_run(cli, trained, tmp_path):
    """The run never saw these photos, but they are not its test photos either."""
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    before = (run_dir / "metrics.json").read_bytes()
    others = tmp_path / "others"
    others.mkdir()
    for i, crop in enumerate(crops(20)[-4:]):
        Image.fromarray(crop).save(others / f"{i}.png")
    assert cli("--mode=test", f"--run_dir={run_dir}", f"--data_dir={others}", "--split=all").code == 0
    assert (run_dir / "metrics.json").read_bytes() == before
    assert json.loads((run_dir / "metrics_all.json").read_text())["num_photos"] == 4


def test_a_split_is_drawn_where_there_is_none(cli, trained, photos, tmp_path):
    weights = trained("model1") / BEST
    argv = ["--mode=test", f"--data_dir={photos}", f"--run_dir={tmp_path}", f"--weights={weights}"]
    outcome = cli(*argv)
    assert outcome.code == 0
    assert "drawing the split of seed 42" in outcome.out
    assert "another split" not in outcome.err
    assert (tmp_path / MANIFEST).read_bytes() == (trained("model1") / MANIFEST).read_bytes()
    assert (tmp_path / REJECTED).exists()
    (tmp_path / MANIFEST).unlink()
    assert "another split" in cli(*argv, "--seed=7").err


def test_a_lost_manifest_is_drawn_again_as_it_was(cli, photos, tmp_path):
    run_dir = tmp_path / "run"
    argv = ["--mode=train", f"--data_dir={photos}", f"--run_dir={run_dir}", *SETTINGS, "--epochs=1"]
    assert cli(*argv, "--seed=7").code == 0
    before = (run_dir / MANIFEST).read_bytes()
    (run_dir / MANIFEST).unlink()
    assert cli("--mode=test", f"--run_dir={run_dir}").code == 0
    assert (run_dir / MANIFEST).read_bytes() == before
    (run_dir / MANIFEST).unlink()
    folder = shutil.copytree(photos, tmp_path / "photos")
    next(folder.rglob("*.png")).unlink()
    outcome = cli("--mode=test", f"--run_dir={run_dir}", f"--data_dir={folder}")
    assert outcome.code == 2
    assert "is lost" in outcome.error


def test_changes_of_the_folder_are_said(cli, trained, photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    argv = ("--mode=test", f"--run_dir={run_dir}", f"--data_dir={folder}")
    assert "has changed" not in cli(*argv).err
    names = [row["name"] for row in read(run_dir / MANIFEST) if row["split"] == "test"]
    shutil.copy(folder / names[0], folder / "new.png")
    assert "lists 17 photos (then 16), 0 of the manifest are gone, 0 of" in cli(*argv).err
    shutil.copy(folder / names[0], folder / names[1])
    assert "1 of the test photos have other contents" in cli(*argv).err
    shutil.copy(photos / names[1], folder / names[1])
    (folder / names[0]).unlink()
    outcome = cli(*argv)
    assert "1 of the manifest are gone" in outcome.err
    assert json.loads((run_dir / "metrics.json").read_text())["num_photos"] == 1


def test_photos_that_turned_bad(cli, trained, photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run", ignore=shutil.ignore_patterns(PACK))
    for row in read(run_dir / MANIFEST):
        if row["split"] == "test":
            (folder / row["name"]).write_bytes(b"broken")
    outcome = cli("--mode=test", f"--run_dir={run_dir}", f"--data_dir={folder}")
    assert outcome.code == 2
    assert "none of the photos" in outcome.error


def test_changed_photos_are_not_scored_as_they_were(cli, trained, photos, tmp_path):
    folder = shutil.copytree(photos, tmp_path / "photos")
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    names = [row["name"] for row in read(run_dir / MANIFEST) if row["split"] == "test"]
    shutil.copy(folder / names[1], folder / names[0])
    outcome = cli("--mode=test", f"--run_dir={run_dir}", f"--data_dir={folder}")
    assert outcome.code == 0
    assert "1 of the test photos have other contents and are left out" in outcome.error
    assert [row["name"] for row in read(run_dir / "per_image.csv")] == names[1:]


def test_without_a_training_a_folder_is_scored_as_it_is_now(cli, trained, photos, tmp_path):
    weights = shutil.copy(trained("model1") / BEST, tmp_path)
    folder = tmp_path / "photos"
    scored = []
    for num in (6, 9):
        fill(folder, num)
        argv = [
            "--mode=test",
            f"--data_dir={folder}",
            f"--weights={weights}",
            f"--run_dir={tmp_path / 'run'}",
        ]
        assert cli(*argv, "--split_ratio=0,0,1").code == 0
        scored.append(len(read(tmp_path / "run" / "per_image.csv")))
    assert scored == [6, 9]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--split_ratio=0,0,1"], "contradicts the run"),
        (["--subset_size=3"], "contradicts the run"),
        (["--split=all", "--subset_size=3"], "--split=all takes every photo"),
    ],
)
def test_another_split_than_the_one_of_the_run(cli, run_dir, flags, message):
    outcome = cli("--mode=test", f"--run_dir={run_dir}", *flags)
    assert outcome.code == 2
    assert message in outcome.error


def test_a_damaged_manifest(cli, trained, photos, tmp_path):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    (run_dir / MANIFEST).write_text("garbage\nx\n")
    for flags in (["--mode=test", "--split=all"], ["--mode=train", "--resume"]):
        outcome = cli(*flags, f"--run_dir={run_dir}", f"--data_dir={photos}")
        assert outcome.code == 2
        assert "is not a manifest" in outcome.error


def test_limit_and_dry_run(cli, run_dir):
    before = (run_dir / "metrics.json").read_bytes()
    outcome = cli("--mode=test", f"--run_dir={run_dir}", "--max_photos=1", "--dry_run")
    assert outcome.code == 0
    assert "test: 1 photos" in outcome.out
    assert (run_dir / "metrics.json").read_bytes() == before


def test_scores_of_few_photos_do_not_replace_those_of_more(cli, run_dir):
    files = [run_dir / name for name in ("metrics.json", "per_image.csv", "examples.png")]
    before = [path.read_bytes() for path in files]
    argv = ("--mode=test", f"--run_dir={run_dir}")
    outcome = cli(*argv, "--max_photos=1")
    assert outcome.code == 2
    assert f"{files[0]} holds the scores of 2 photos" in outcome.error
    assert "add --overwrite, or leave --max_photos out" in outcome.error
    assert [path.read_bytes() for path in files] == before
    for flags, num in ((["--max_photos=1", "--overwrite"], 1), (["--max_photos=1"], 1), ([], 2)):
        assert cli(*argv, *flags).code == 0
        assert json.loads(files[0].read_text())["num_photos"] == num


def test_sample_from_any_folder(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    extra = [s for s in SETTINGS if "epochs" not in s]
    assert cli("--mode=train", "--data_dir=sample", "--epochs=1", *extra).code == 0
    assert (tmp_path / "runs" / "model1" / "metrics.json").exists()
