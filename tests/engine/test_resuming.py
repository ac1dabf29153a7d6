"""A training that was stopped or killed goes on to the same bits, and only with what it began with."""

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import SETTINGS, flags_of
from processes import start
from safetensors.torch import load_file

import main
import train
from config import RENAMED
from core.runs import BEST, CONFIG, HISTORY, LAST, MANIFEST
from engine import trainer

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


def test_same_seed_same_bits_and_resume_too(cli, photos, trained, tmp_path, trainee):
    assert cli(*arguments(photos, tmp_path, *flags_of(trainee), "--epochs=1")).code == 0
    assert cli("--mode=train", f"--run_dir={tmp_path}", "--resume", "--epochs=2").code == 0
    assert same(trained(trainee), tmp_path)
    assert [row["epoch"] for row in history(tmp_path)] == ["1", "2"]


AVERAGED = ["--epochs=3", "--schedule=cosine", "--warmup=1", "--ema=0.9"]


@pytest.fixture(scope="module")
def whole_run(photos, tmp_path_factory):
    """A training that nothing stopped. Read only."""
    run_dir = tmp_path_factory.mktemp("whole") / "run"
    assert main.main(arguments(photos, run_dir, *AVERAGED)) == 0
    return run_dir


def test_resumed_twice(cli, photos, tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*arguments(photos, whole, "--ema=0.9", "--epochs=3")).code == 0
    assert cli(*arguments(photos, parts, "--ema=0.9", "--epochs=1")).code == 0
    for epochs in (2, 3):
        assert cli("--mode=train", f"--run_dir={parts}", "--resume", f"--epochs={epochs}").code == 0
    assert same(whole, parts)


def train_and_die(argv, dies_at, dies_in):
    """In a process of its own."""
    save_best, save_state = train.Trainer.save_best, train.Trainer.save_state

    def die_if(self, place):
        if dies_at == place and len(self.history) == dies_in:
            os.kill(os.getpid(), signal.SIGKILL)

    def best(self, row):
        die_if(self, "before best")
        save_best(self, row)

    def state(self):
        die_if(self, "between best and last")
        save_state(self)
        die_if(self, "after last")

    train.Trainer.save_best, train.Trainer.save_state = best, state
    main.main(argv)


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL here")
@pytest.mark.parametrize(
    ("dies_at", "dies_in"), [("before best", 2), ("between best and last", 2), ("after last", 3)]
)
def test_killed_between_two_files(cli, photos, tmp_path, whole_run, dies_at, dies_in):
    """A child kills itself at an epoch's files; resuming ends as if nothing had happened."""
    killed = tmp_path / "killed"
    child = start(train_and_die, arguments(photos, killed, *AVERAGED), dies_at, dies_in)
    child.join()
    assert child.exitcode == -signal.SIGKILL
    assert cli("--mode=train", f"--run_dir={killed}", "--resume").code == 0
    assert same(whole_run, killed)
    assert len(history(killed)) == 3


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a child here")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal(photos, tmp_path, number):
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
    child.send_signal(number)
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
