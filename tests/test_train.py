"""Training: resumes to the same bits, survives being killed, stops where it must."""

import csv
import itertools
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

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
from config import RENAMED
from core.runs import BEST, CONFIG, HISTORY, LAST, LOSS_PLOT, MANIFEST, METRICS, PACK, REJECTED
from data.batch import Batch
from engine import trainer
from models.base import ColorizationModel
from models.inputs import Inputs
from models.objective import Objective

MAIN = Path(train.__file__).with_name("main.py")


def arguments(photos, run_dir, *more):
    return ["--mode=train", f"--data_dir={photos}", f"--run_dir={run_dir}", *SETTINGS, *more]


def history(run_dir):
    with open(run_dir / HISTORY, newline="") as file:
        return list(csv.DictReader(file))


def same(a, b):
    """Whether two runs hold the same bits: weights, optimizer, history but for the speed."""
    first, second = (torch.load(run / LAST, weights_only=True) for run in (a, b))
    for state in (first, second):
        for row in state["history"]:
            del row["images_per_s"]
    assert first["history"] == second["history"]
    for key in first["model"]:
        assert torch.equal(first["model"][key], second["model"][key]), key
    moments = [state["optimizer"]["state"] for state in (first, second)]
    for index in moments[0]:
        for name, value in moments[0][index].items():
            assert torch.equal(value, moments[1][index][name])
    averages = [state["average"] for state in (first, second)]
    assert (averages[0] is None) == (averages[1] is None)
    if averages[0]:
        assert averages[0]["num_updates"] == averages[1]["num_updates"] > 0
        for key, value in averages[0]["model"].items():
            assert torch.equal(value, averages[1]["model"][key]), key
    best = [load_file(run / BEST) for run in (a, b)]
    assert all(torch.equal(value, best[1][name]) for name, value in best[0].items())
    return True


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


def test_same_seed_same_bits_and_resume_too(cli, photos, tmp_path, trainee):
    extra = flags_of(trainee)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*arguments(photos, whole, *extra, "--epochs=4")).code == 0
    assert cli(*arguments(photos, parts, *extra, "--epochs=1")).code == 0
    for epochs in (2, 4):
        assert cli("--mode=train", f"--run_dir={parts}", "--resume", f"--epochs={epochs}").code == 0
    assert same(whole, parts)
    assert [row["epoch"] for row in history(parts)] == ["1", "2", "3", "4"]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")
@pytest.mark.parametrize("dies_in", [2, 3])
@pytest.mark.parametrize("dies_at", ["before best", "between best and last", "after last"])
def test_killed_between_two_files(cli, photos, tmp_path, dies_at, dies_in):
    """A child kills itself at an epoch's files; resuming ends as if nothing had happened."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    more = ["--epochs=3"]
    if dies_in == 3:
        more += ["--schedule=cosine", "--warmup=1", "--ema=0.9"]
    assert cli(*arguments(photos, whole, *more)).code == 0
    code = f"""
import os, signal, sys
sys.path.insert(0, {str(MAIN.parent)!r})
import main, train
def die(*_): os.kill(os.getpid(), signal.SIGKILL)
save_best, save_state = train.Trainer.save_best, train.Trainer.save_state
def now(self): return len(self.history) == {dies_in}
def best(self, row):
    if now(self) and {dies_at == "before best"}: die()
    save_best(self, row)
def state(self):
    if now(self) and {dies_at == "between best and last"}: die()
    save_state(self)
    if now(self): die()
train.Trainer.save_best, train.Trainer.save_state = best, state
main.main({arguments(photos, killed, *more)!r})
"""
    child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert child.returncode == -signal.SIGKILL, child.stderr
    assert cli("--mode=train", f"--run_dir={killed}", "--resume").code == 0
    assert same(whole, killed)
    assert len(history(killed)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child here")
def test_ctrl_c(photos, tmp_path):
    command = [
        sys.executable,
        str(MAIN),
        *arguments(photos, tmp_path / "run", "--epochs=1000", "--patience=1000"),
    ]
    # What a shell starts in the background inherits that Ctrl-C is ignored: these tests, perhaps.
    child = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 120
    while not (tmp_path / "run" / HISTORY).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in err
    assert "--resume" in err
    state = torch.load(tmp_path / "run" / LAST, weights_only=True)
    assert len(state["history"]) >= 1


def test_resuming_a_finished_run(cli, trained):
    outcome = cli("--mode=train", f"--run_dir={trained('model1')}", "--resume")
    assert outcome.code == 0
    assert "is finished" in outcome.out


def test_nothing_to_resume(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "none", "--resume"))
    assert outcome.code == 2
    assert "nothing to resume" in outcome.error


def test_resuming_a_run_of_former_names(cli, photos, tmp_path):
    """Its configuration was written when settings had other names."""
    run_dir = tmp_path / "run"
    assert cli(*arguments(photos, run_dir, "--epochs=1", "--ema=0.5", "--max_photos=4")).code == 0
    values = json.loads((run_dir / CONFIG).read_text())
    former = {new: old for old, new in RENAMED.items()}
    (run_dir / CONFIG).write_text(json.dumps({former.get(k, k): v for k, v in values.items()}))
    outcome = cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=2", "--ema=0.9")
    assert "--ema=0.9 contradicts the run" in outcome.error
    assert cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=2").code == 0
    stored = json.loads((run_dir / CONFIG).read_text())
    assert (stored["ema"], stored["max_photos"], stored["epochs"]) == (0.5, 4, 2)
    assert not set(stored) & set(RENAMED)


@pytest.mark.parametrize("flag", ["--batch_size=8", "--seed=7", "--gamma_mode=signed", "--model=model2"])
def test_resume_with_other_settings(cli, trained, flag):
    outcome = cli("--mode=train", f"--run_dir={trained('model1')}", "--resume", "--epochs=5", flag)
    assert outcome.code == 2
    assert outcome.error.startswith(f"error: {flag.partition('=')[0]}=")
    assert "contradicts the run" in outcome.error


def test_an_existing_run_is_not_trained_over(cli, photos, tmp_path):
    run_dir = tmp_path / "run"
    assert cli(*arguments(photos, run_dir, "--epochs=1")).code == 0
    (run_dir / "my notes.txt").write_text("keep me")
    before = (run_dir / LAST).read_bytes()
    outcome = cli(*arguments(photos, run_dir))
    assert outcome.code == 2
    assert "--overwrite" in outcome.error
    assert (run_dir / LAST).read_bytes() == before
    assert cli(*arguments(photos, run_dir, "--epochs=1", "--seed=7", "--overwrite")).code == 0
    assert (run_dir / LAST).read_bytes() != before
    assert len(list(run_dir.glob("events.out.tfevents.*"))) == 1
    assert (run_dir / "my notes.txt").read_text() == "keep me"


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


def test_files_of_somebody_else_are_not_cleared(cli, photos, tmp_path):
    (tmp_path / CONFIG).write_text('{"theirs": 1}')
    outcome = cli(*arguments(photos, tmp_path))
    assert outcome.code == 2
    assert "--overwrite" in outcome.error
    assert (tmp_path / CONFIG).read_text() == '{"theirs": 1}'
    assert "is the folder of the photos" in cli(*arguments(photos, photos)).error


def test_killed_before_the_first_checkpoint(cli, photos, trained, tmp_path):
    """A manifest and a configuration are all there is: training starts anew without a question."""
    for name in (MANIFEST, CONFIG):
        (tmp_path / name).write_bytes((trained("model1") / name).read_bytes())
    (tmp_path / ".colorizer-0123456789abcdef.tmp").write_bytes(b"half a file")
    assert cli(*arguments(photos, tmp_path, "--epochs=1")).code == 0
    assert not list(tmp_path.glob(".*.tmp"))


@pytest.mark.parametrize("text", ["[1]", "5", "{}", '{"model_settings": {}, "facts": {}}', "{"])
def test_damaged_configuration(cli, trained, tmp_path, text):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    (run_dir / CONFIG).write_text(text)
    outcome = cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=5")
    assert outcome.code == 2
    values = json.loads((trained("model1") / CONFIG).read_text())
    for name in ("seed", "lr", "batch_size", "split_ratio", "device", "loss", "max_photos", "image_size"):
        (run_dir / CONFIG).write_text(json.dumps(values | {name: {"a": 1}}))
        outcome = cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=5")
        assert outcome.code == 2, name


def test_checkpoint_of_the_other_model(cli, trained, tmp_path):
    run_dir = shutil.copytree(trained("model1"), tmp_path / "run")
    state = torch.load(trained("model2") / LAST, weights_only=True)
    state["manifest_sha256"] = torch.load(run_dir / LAST, weights_only=True)["manifest_sha256"]
    torch.save(state, run_dir / LAST)
    outcome = cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=5")
    assert outcome.code == 2
    assert "does not fit model1" in outcome.error


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


def test_early_stopping(cli, photos, tmp_path, monkeypatch):
    losses = iter([0.5, 0.4, 0.45, 0.4, 0.41, 0.3])
    row = {"val_psnr": 20.0, "val_psnr_gray": 20.0, "chroma_ratio": 1.0}
    monkeypatch.setattr(trainer, "validate", lambda *_: {"val_loss": next(losses), **row})
    outcome = cli(*arguments(photos, tmp_path / "run", "--epochs=50", "--patience=3"))
    assert outcome.code == 0
    # Best at 2; the equal loss at 4 is no gain; 3 epochs later it stops.
    assert [float(row["val_loss"]) for row in history(tmp_path / "run")] == [0.5, 0.4, 0.45, 0.4, 0.41]
    finished = cli("--mode=train", f"--run_dir={tmp_path / 'run'}", "--resume")
    assert "best 2" in finished.out


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


def test_no_test_split(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "run", "--epochs=1", "--split_ratio=0.8,0.2,0"))
    assert outcome.code == 0
    assert "not tested" in outcome.out
    assert "is finished" in cli("--mode=train", f"--run_dir={tmp_path / 'run'}", "--resume").out


def test_dry_run_writes_nothing(cli, photos, tmp_path):
    outcome = cli(*arguments(photos, tmp_path / "run", "--dry_run"))
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


def test_learning_rate_of_a_run(cli, photos, tmp_path):
    argv = arguments(photos, tmp_path, "--epochs=4", "--schedule=cosine", "--lr=0.002", "--patience=9")
    assert cli(*argv).code == 0
    rates = [float(row["lr"]) for row in history(tmp_path)]
    assert all(later < earlier for earlier, later in itertools.pairwise(rates))
    # 11 photos in steps of 4, 4 and 3: the last step starts after 8 of 11 photos of the last epoch.
    assert rates[-1] == pytest.approx(0.001 * (1 + np.cos(np.pi * (3 + 8 / 11) / 4)))


@pytest.mark.parametrize("from_weights", [False, True])
def test_stopped_while_packing(cli, photos, trained, tmp_path, monkeypatch, from_weights):
    """The split and the configuration are there already, and --resume ends as if nothing had happened."""
    more = [f"--init_weights={trained('model1') / BEST}"] if from_weights else []
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert cli(*arguments(photos, whole, *more)).code == 0
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "make_loader", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert cli(*arguments(photos, stopped, *more)).code == 130
    assert {path.name for path in stopped.iterdir()} >= {CONFIG, MANIFEST}
    monkeypatch.setattr(train, "draw_split", None)  # every photo would be looked at again
    assert cli("--mode=train", f"--run_dir={stopped}", "--resume").code == 0
    assert same(whole, stopped)


@pytest.mark.parametrize("model_name", ["zhang2016", "nazeri2018"])
def test_states_of_before_objectives_had_their_own(cli, trained, tmp_path, model_name):
    """Then what only a training needs was a part of the model."""
    new, old = (shutil.copytree(trained(model_name), tmp_path / name) for name in ("new", "old"))
    state = torch.load(old / LAST, weights_only=True)
    state["model"] |= state.pop("objective")
    torch.save(state, old / LAST)
    for run_dir in (new, old):
        assert cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=3").code == 0
    assert same(new, old)
