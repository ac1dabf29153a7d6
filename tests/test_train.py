"""Training: what a run writes, what it keeps, where it stops."""

import csv
import itertools
import json
import os
import shutil
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import skimage.color
import skimage.metrics
import torch
from conftest import SETTINGS, fill, flags_of
from PIL import Image
from safetensors.torch import load_file

import train
from checkpoint.file import load_weights
from core.locks import try_lock, unlock
from core.runs import BEST, CONFIG, HISTORY, LAST, LOSS_PLOT, MANIFEST, METRICS, PACK, REJECTED
from data.batch import Batch
from engine import trainer
from main import parse
from models.base import ColorizationModel
from models.inputs import Inputs
from models.objective import Objective

MAIN = Path(train.__file__).with_name("main.py")


def arguments(photos, run_dir, *more):
    return ["--mode=train", f"--data_dir={photos}", f"--run_dir={run_dir}", *SETTINGS, *more]


def history(run_dir):
    with open(run_dir / HISTORY, newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_writes_what_it_should(trained, trainee):
    run_dir = trained(trainee)
    written = {path.name for path in run_dir.iterdir()}
    expected = {CONFIG, MANIFEST, REJECTED, HISTORY, LOSS_PLOT, BEST, LAST, METRICS, PACK}
    events = {name for name in written if name.startswith("events.out.tfevents")}
    assert expected | {"per_image.csv", "examples.png"} | events == written
    assert events
    rows = history(run_dir)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    for name in ("train_loss", "val_loss", "val_psnr", "val_psnr_gray", "chroma_ratio"):
        assert float(rows[0][name]) > 0
    assert ("gamma" in rows[0]) == (trainee == "model1")
    config = json.loads((run_dir / CONFIG).read_text())
    assert config["batch_size"] == 4
    assert config["facts"]["num_listed"] == 16


def test_the_split_is_written_and_covers_all(trained, photos):
    with open(trained("model1") / MANIFEST, newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["split"] for row in rows} == {"train", "val", "test"}
    assert len({row["name"] for row in rows}) == len(rows) == 16
    assert {row["label"] for row in rows} == {"class0", "class1"}


def test_an_existing_run_is_not_trained_over(cli, photos, tmp_path):
    run_dir = tmp_path / "run"
    assert cli(*arguments(photos, run_dir, "--epochs=1")).code == 0
    kept = [run_dir / name for name in ("my notes.txt", "metrics_mine.json")]
    scores = [run_dir / name for name in ("metrics_published.json", "per_image_val_ctest10k.csv")]
    for path in (*kept, *scores):
        path.write_text("as it was")
    before = (run_dir / LAST).read_bytes()
    outcome = cli(*arguments(photos, run_dir))
    assert outcome.code == 2
    assert "--overwrite" in outcome.error
    assert (run_dir / LAST).read_bytes() == before
    assert cli(*arguments(photos, run_dir, "--epochs=1", "--seed=7", "--overwrite")).code == 0
    assert (run_dir / LAST).read_bytes() != before
    assert len(list(run_dir.glob("events.out.tfevents.*"))) == 1
    assert all(path.read_text() == "as it was" for path in kept)
    assert not any(path.exists() for path in scores)  # of weights that are no more


def test_scores_of_other_weights_do_not_stay_when_a_run_goes_on(cli, photos, tmp_path):
    assert cli(*arguments(photos, tmp_path / "run", "--epochs=1")).code == 0
    old = tmp_path / "run" / "metrics_published.json"
    old.write_text("of the weights of one epoch")
    argv = ["--mode=train", f"--run_dir={tmp_path / 'run'}", "--resume"]
    assert cli(*argv, "--epochs=1").code == 0  # is finished: nothing changes
    assert old.exists()
    assert cli(*argv, "--epochs=2").code == 0
    assert not old.exists()


def test_a_run_does_not_go_on_with_the_photos_of_another_folder(cli, trained, tmp_path):
    """--split=all is no advice here: it is for the modes that score."""
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    Image.new("RGB", (32, 32), "red").save(tmp_path / "other.png")
    flags = [f"--run_dir={run_dir}", f"--data_dir={tmp_path}"]
    outcome = cli("--mode=train", *flags, "--resume", "--epochs=3")
    assert outcome.code == 2
    assert outcome.error.endswith("give the folder that the run was trained on with --data_dir")
    assert "or score every photo of this one with --split=all" in cli("--mode=test", *flags).error


def test_a_failed_overwrite_loses_nothing(cli, photos, tmp_path):
    run_dir = tmp_path / "run"
    assert cli(*arguments(photos, run_dir, "--epochs=1")).code == 0
    before = {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()}
    outcome = cli(*arguments(tmp_path / "no such folder", run_dir, "--overwrite"))
    assert outcome.code == 2
    assert {path: path.read_bytes() for path in run_dir.rglob("*") if path.is_file()} == before


def test_best_weights_without_the_rest_are_a_run_too(cli, photos, trained, tmp_path):
    (tmp_path / BEST).write_bytes((trained("model1") / BEST).read_bytes())
    outcome = cli(*arguments(photos, tmp_path))
    assert outcome.code == 2
    assert "--overwrite" in outcome.error


def test_a_run_does_not_start_from_weights_that_it_replaces(cli, photos, trained, tmp_path):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    flags = [f"--init_weights={run_dir}", f"--run_dir={run_dir}", "--overwrite"]
    outcome = cli("--mode=train", f"--data_dir={photos}", *flags)
    assert outcome.code == 2
    assert "--overwrite would delete" in outcome.error
    assert (run_dir / BEST).exists()


def test_two_trainings_in_one_folder(cli, photos, trained, tmp_path):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    before = (run_dir / CONFIG).read_bytes()
    held = try_lock(run_dir)
    outcome = cli("--mode=train", f"--data_dir={photos}", f"--run_dir={run_dir}", "--overwrite", *SETTINGS)
    unlock(held)
    assert outcome.code == 2
    assert "another training is under way in" in outcome.error
    assert (run_dir / CONFIG).read_bytes() == before


def test_scores_are_no_run_to_go_on_with(cli, photos, tmp_path):
    (tmp_path / "metrics.json").write_text("{}")
    outcome = cli("--mode=train", f"--data_dir={photos}", f"--run_dir={tmp_path}", *SETTINGS)
    assert outcome.code == 2
    assert "--resume" not in outcome.error


def test_pictures_of_a_test_are_no_photos(cli, trained, tmp_path):
    folder = fill(tmp_path / "photos", 7)
    shutil.copy(next(folder.rglob("*.png")), folder / "examples.png")  # somebody's own
    weights = shutil.copy(trained("model1") / BEST, tmp_path)
    argv = [f"--data_dir={folder}", "--split=all", f"--weights={weights}"]
    assert cli("--mode=test", *argv, f"--run_dir={folder / 'scores'}").code == 0
    assert (folder / "scores" / "examples.png").exists()
    outcome = cli("--mode=train", f"--data_dir={folder}", f"--run_dir={tmp_path / 'run'}", "--dry_run")
    assert "8 photos listed" in outcome.out


def test_files_of_somebody_else_are_not_cleared(cli, photos, tmp_path):
    (tmp_path / CONFIG).write_text('{"theirs": 1}')
    outcome = cli(*arguments(photos, tmp_path))
    assert outcome.code == 2
    assert "--overwrite" in outcome.error
    assert (tmp_path / CONFIG).read_text() == '{"theirs": 1}'
    assert "is the folder of the photos" in cli(*arguments(photos, photos)).error


def test_history_of_the_best_epoch_by_hand(trained, photos):
    """What history.csv says of the best epoch, computed again from its weights, photo by photo."""
    run_dir = trained("model1")
    best = min(history(run_dir), key=lambda row: float(row["val_loss"]))
    model = load_weights(run_dir / BEST).model
    with open(run_dir / MANIFEST, newline="") as file:
        names = [row["name"] for row in csv.DictReader(file) if row["split"] == "val"]
    losses, psnr, floor, chroma = [], [], [], []
    for name in names:
        with Image.open(photos / name) as image:
            rgb = np.asarray(image.convert("RGB").resize((32, 32), Image.Resampling.BILINEAR)) / 255
        lab = skimage.color.rgb2lab(rgb)
        with torch.no_grad():
            ab = model.predict(Inputs(torch.from_numpy(lab[..., :1]).permute(2, 0, 1)[None].float()))
        ab = ab[0].permute(1, 2, 0).double().numpy()
        losses.append((((ab - lab[..., 1:]) / 128) ** 2).mean())
        chroma.append([np.hypot(*np.moveaxis(x, -1, 0)).mean() for x in (ab, lab[..., 1:])])
        for values, scores in ((ab, psnr), (0 * ab, floor)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                colored = skimage.color.lab2rgb(np.concatenate((lab[..., :1], values), axis=2))
            scores.append(skimage.metrics.peak_signal_noise_ratio(rgb, colored, data_range=1))
    # The network of a training may compute in bfloat16: 3 digits.
    assert float(best["val_loss"]) == pytest.approx(np.mean(losses), rel=0.02)
    assert float(best["val_psnr"]) == pytest.approx(np.mean(psnr), abs=0.1)
    assert float(best["val_psnr_gray"]) == pytest.approx(np.mean(floor), abs=0.01)
    ratio = np.divide(*np.mean(chroma, axis=0))
    assert float(best["chroma_ratio"]) == pytest.approx(ratio, rel=0.02)


@pytest.mark.skipif(sys.platform != "linux", reason="names are Unicode there")
def test_names_that_are_not_unicode(cli, tmp_path):
    folder = fill(tmp_path / "photos")
    for i, path in enumerate(sorted(folder.rglob("*.png"))):
        path.rename(path.with_name(os.fsdecode(b"caf\xe9 %d.png" % i)))
    outcome = cli(*arguments(folder, tmp_path / "run", "--epochs=1", "--split_ratio=0.4,0.3,0.3"))
    assert outcome.code == 0


def test_weights_are_not_for_training(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path, "--weights=x.safetensors"))
    assert outcome.code == 2
    assert "--resume" in outcome.error


def test_a_model_without_weights_starts_from_none(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path, "--model=levin2004", "--init_weights=unet"))
    assert outcome.code == 2
    assert "--model=levin2004 has no weights" in outcome.error


def test_early_stopping(cli, photos, tmp_path, monkeypatch):
    losses = iter([0.5, 0.4, 0.45, 0.4, 0.41, 0.3])
    row = {"val_psnr": 20.0, "val_psnr_gray": 20.0, "chroma_ratio": 1.0}
    monkeypatch.setattr(trainer, "validate", lambda *_: {"val_loss": next(losses), **row})
    outcome = cli(*arguments(photos, tmp_path / "run", "--epochs=50", "--patience=3"))
    assert outcome.code == 0
    # Best at 2; the equal loss at 4 is no gain; 3 epochs later it stops.
    assert [float(row["val_loss"]) for row in history(tmp_path / "run")] == [0.5, 0.4, 0.45, 0.4, 0.41]
    resume = ("--mode=train", f"--run_dir={tmp_path / 'run'}", "--resume")
    for flag in ("--epochs=50", "--epochs=60"):
        assert "5 epochs, best 2; a larger --patience goes further" in cli(*resume, flag).out
    assert "larger --epochs and --patience go further" in cli(*resume, "--epochs=5").out
    assert cli(*resume, "--epochs=6", "--patience=4").code == 0
    assert len(history(tmp_path / "run")) == 6
    assert "6 epochs, best 6; a larger --epochs goes further" in cli(*resume).out


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_not_finite(cli, photos, tmp_path, monkeypatch, where):
    """Step 2 of epoch 2 goes wrong: named, nothing updated from there on, epoch 1 kept."""
    usual, seen = Objective.losses, []

    def broken(self: Objective, model: ColorizationModel, batch: Batch):
        losses = usual(self, model, batch)
        if model.training:
            seen.append({k: v.clone() for k, v in model.named_parameters()})
            if len(seen) == 5 and where == "loss":
                losses["mse"] = losses["mse"] * float("nan")
            if len(seen) == 5 and where == "gradient":
                losses["mse"].register_hook(lambda g: g * float("inf"))
        return losses

    monkeypatch.setattr(Objective, "losses", broken)
    outcome = cli(*arguments(photos, tmp_path / "run"))
    assert outcome.code == 2
    assert "epoch 2, step 2 is not finite" in outcome.error
    assert len(seen) > 5
    for name, value in seen[4].items():
        assert torch.equal(value, seen[-1][name]), name
    assert len(torch.load(tmp_path / "run" / LAST, weights_only=True)["history"]) == 1


def test_photo_that_turns_bad_in_training(cli, tmp_path, monkeypatch):
    folder = fill(tmp_path / "photos")
    draw = train.draw_split

    def draw_then_break_one(*args):
        manifest = draw(*args)
        manifest.of("train")[0].photo.path.write_bytes(b"broken")
        return manifest

    monkeypatch.setattr(train, "draw_split", draw_then_break_one)
    outcome = cli(*arguments(folder, tmp_path / "run", "--epochs=1"))
    assert outcome.code == 0
    assert "left out" in outcome.err


def test_training_set_smaller_than_a_batch(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "run", "--epochs=1", "--batch_size=256"))
    assert outcome.code == 0


@pytest.mark.parametrize("flag", ["--max_photos=1", "--split_ratio=1,0,0", "--batch_size=1"])
def test_too_few_photos_to_train(cli, photos, tmp_path, flag):
    outcome = cli(*arguments(photos, tmp_path / "run", flag))
    assert outcome.code == 2
    assert "at least 2 photos" in outcome.error


def test_weights_say_how_many_photos_they_were_trained_on(cli, photos, tmp_path):
    assert cli(*arguments(photos, tmp_path / "run", "--epochs=1", "--max_photos=3")).code == 0
    assert load_weights(tmp_path / "run" / BEST).info["num_photos"]["train"] == 3


def test_no_test_split(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "run", "--epochs=1", "--split_ratio=0.8,0.2,0"))
    assert outcome.code == 0
    assert "not tested" in outcome.out
    assert "is finished" in cli("--mode=train", f"--run_dir={tmp_path / 'run'}", "--resume").out


def test_dry_run_writes_nothing(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "run", "--preset=paper", "--dry_run"))
    assert outcome.code == 0
    assert '"batch_size": 4' in outcome.out
    assert "train 11, val 3, test 2" in outcome.out
    assert "3,137,763 parameters" in outcome.out
    assert not os.path.exists(tmp_path / "run")


def test_dry_run_downloads_nothing(cli, photos, tmp_path, monkeypatch):
    monkeypatch.setattr("models.resnet_baseline._download", pytest.fail)
    outcome = cli(*arguments(photos, tmp_path / "run", "--model=model2", "--dry_run"))
    assert outcome.code == 0
    assert "encoder_weights" in outcome.out


def test_both_precisions_train_alike(cli, photos, tmp_path):
    """The same photos in the same order: bfloat16 rounds to 3 digits, and the result keeps 2 of them."""
    ends = {}
    for precision in ("float32", "bfloat16"):
        run_dir = tmp_path / precision
        argv = arguments(photos, run_dir, "--epochs=8", "--lr=0.0003", f"--precision={precision}")
        assert cli(*argv).code == 0
        ends[precision] = {name: float(value) for name, value in history(run_dir)[-1].items()}
    for name, tolerance in {"train_loss": 0.02, "val_loss": 0.02, "chroma_ratio": 0.05}.items():
        assert ends["bfloat16"][name] == pytest.approx(ends["float32"][name], rel=tolerance), name
    assert ends["bfloat16"]["val_psnr"] == pytest.approx(ends["float32"]["val_psnr"], abs=0.1)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_parts_of_a_batch(cli, photos, tmp_path, parts):
    assert cli(*arguments(photos, tmp_path / "run", "--epochs=1", f"--grad_accum={parts}")).code == 0


def test_what_is_kept_is_the_average(cli, photos, tmp_path):
    assert cli(*arguments(photos, tmp_path, "--epochs=1", "--ema=0.5")).code == 0
    state = torch.load(tmp_path / LAST, weights_only=True)
    best = load_file(tmp_path / BEST)
    for name, value in state["average"]["model"].items():
        assert torch.equal(value, best[name]), name
    assert not torch.equal(best["decoder.0.weight"], state["model"]["decoder.0.weight"])


def test_a_rise_as_long_as_the_training(cli, photos, tmp_path):
    argv = ["--mode=train", f"--data_dir={photos}", f"--run_dir={tmp_path}"]
    outcome = cli(*argv, "--warmup=2", "--epochs=2")
    assert outcome.code == 2
    assert "--warmup=2: must be shorter than the training, --epochs=2" in outcome.error
    config = parse(["--mode=train", "--recipe=best", "--epochs=1"])
    rates = [trainer.Trainer.lr_at(SimpleNamespace(config=config), done) for done in (0.25, 0.5, 1)]
    assert rates == pytest.approx([config.lr / 2, config.lr, 0])


def test_learning_rate_of_a_run(cli, photos, tmp_path):
    argv = arguments(photos, tmp_path, "--epochs=4", "--schedule=cosine", "--lr=0.002", "--patience=9")
    assert cli(*argv).code == 0
    rates = [float(row["lr"]) for row in history(tmp_path)]
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    # 11 photos in steps of 4, 4 and 3: the last step starts after 8 of 11 photos of the last epoch.
    assert rates[-1] == pytest.approx(0.001 * (1 + np.cos(np.pi * (3 + 8 / 11) / 4)))


@pytest.mark.parametrize(
    ("flags", "complaint"),
    [
        (["--heads=bins", "--loss=l1"], "--loss: --heads=bins has a loss of its own: leave it out"),
        (["--frozen_stages=4", "--encoder_lr=0.5"], "--encoder_lr: no stage of the encoder is trained"),
        (["--head_start=3"], "--head_start: there is no discriminator: add --adversarial"),
        (["--vgg_weights=x.pth"], "--vgg_weights: --loss has no term perceptual"),
        (["--freeze_encoder"], "--frozen_stages: --freeze_encoder keeps the whole encoder as it is"),
    ],
)
def test_a_flag_without_effect(cli, photos, tmp_path, flags, complaint):
    outcome = cli(*arguments(photos, tmp_path / "run", *flags_of("unet"), *flags, "--dry_run"))
    assert outcome.code == 2
    assert complaint in outcome.error


def test_the_bins_alone_are_trained_with_their_own_loss(cli, photos, tmp_path):
    flags = [*flags_of("unet"), "--heads=bins", "--recipe=best", "--warmup=0", "--epochs=1"]
    outcome = cli(*arguments(photos, tmp_path, *flags))
    assert outcome.code == 0, outcome.err
    path = tmp_path / CONFIG
    assert json.loads(path.read_text())["loss"] == "own"
    path.write_text(path.read_text().replace('"loss": "own"', '"loss": "l1"'))  # as runs of before have it
    argv = ["--mode=train", f"--run_dir={tmp_path}", "--resume", "--loss=l1", "--epochs=2"]
    assert cli(*argv).code == 0


@pytest.mark.parametrize("flags", [["--frozen_stages=4"], ["--frozen_stages=1"]])
def test_a_random_encoder_is_not_frozen(cli, photos, tmp_path, flags):
    outcome = cli(*arguments(photos, tmp_path / "run", *flags_of("unet"), *flags))
    assert outcome.code == 2
    assert "--encoder_weights=random" in outcome.error
    assert "add --frozen_stages=0" in outcome.error
    assert not (tmp_path / "run" / CONFIG).exists()
