"""Several processes train, test and fail as one."""

import json
import os
import shutil
import sys
from dataclasses import replace

import pytest
import torch
from conftest import fill, training_of
from processes import free_port, join_job, run_forked, start, torchrun
from timm.layers import BatchNormAct2d, SyncBatchNormAct

from config import Config
from core import distributed
from core.errors import UserError
from core.files import read_csv
from core.runs import BEST, HISTORY, LAST, METRICS
from data.batch import Batch
from data.manifest import Manifest
from engine import trainer
from engine.batch_norm import synchronize_batch_norm
from engine.step import Stepper
from models.losses import build_criterion
from models.registry import build_model, build_objective

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there")


def history(run_dir):
    return read_csv(run_dir / HISTORY)


def test_alone():
    assert distributed.world() == distributed.World()
    assert distributed.gather(5) == [5]
    assert distributed.share([1, 2, 3]) == [1, 2, 3]


@pytest.mark.parametrize(("num", "size"), [(0, 2), (1, 3), (7, 2), (8, 3), (100, 8)])
def test_shares_are_the_whole(monkeypatch, num, size):
    parts = []
    for rank in range(size):
        monkeypatch.setattr(distributed, "world", lambda rank=rank: distributed.World(rank, size))
        parts.append(list(distributed.share(range(num))))
    assert [i for part in parts for i in part] == list(range(num))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def gradients(batch, train_mode, num_parts, name="model1", settings=None):
    """Gradients and running statistics after one batch, in float64."""
    torch.manual_seed(0)
    model = build_model(name, **settings or {}).double()
    if distributed.world().size > 1:
        synchronize_batch_norm(model, torch.device("cpu"))
    classes = () if batch.labels is None else ("a field", "street")
    _, stepper = training_of(name, model, loss="mse:1,l1:0.5", num_parts=num_parts, classes=classes)
    model.train(train_mode)
    with torch.no_grad():  # not the initial ones
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.1, 0.1)
                module.running_var.uniform_(0.5, 2)
    own = list(distributed.share(range(len(batch))))
    labels, seeds = (None if x is None else x[own] for x in (batch.labels, batch.seeds))
    part = Batch(batch.L[own], batch.ab[own], tuple(batch.names[i] for i in own), labels, seeds)
    loss = torch.stack(list(stepper.backward(part, len(batch)).values())).sum()
    loss = distributed.sum_over_processes(loss) / distributed.world().size
    found = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    return loss, found | dict(model.named_buffers())


def photos_of(num, size):
    """A batch of noise, in float64."""
    generator = torch.Generator().manual_seed(1)
    L = 100 * torch.rand(num, 1, size, size, generator=generator, dtype=torch.float64)
    ab = 100 * torch.rand(num, 2, size, size, generator=generator, dtype=torch.float64) - 50
    return Batch(L, ab, tuple(map(str, range(num))))


# An uneven batch of 7, so that the shares must weigh by their photos.
PARTS = [(False, 1), (False, 2), (True, 1), (True, 2)]
UNET = {"preset": "small", "encoder": "test_efficientnet", "frozen_stages": 2}
LIU = {"preset": "small", "encoder": "test_efficientnet"}
WITH_WORDS = replace(photos_of(5, 32), labels=torch.tensor([0, 1, -1, 0, 1]), seeds=torch.arange(5))
NOISE = 5 * torch.randn(5, 3, 6, 6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def everything():
    """What is compared between one process and two, in one go: a process takes seconds to begin."""
    found = {f"gradients {parts}": gradients(photos_of(7, 64), *parts) for parts in PARTS}
    found["norms"] = through_batch_norm(NOISE)
    found["norms of unet"] = gradients(photos_of(5, 32), True, 1, "unet", UNET)
    found["noise of liu2023"] = gradients(WITH_WORDS, True, 2, "liu2023", LIU)
    return found | {name: after_two_steps(photos_of(5, 32), name) for name in ADVERSARIAL}


def one_of_two(rank, port, folder):
    os.environ.update(join_job(rank, 2, port))
    with distributed.session(torch.device("cpu")):
        torch.save(everything(), folder / f"{rank}.pt")


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """`everything`, of each of two processes."""
    folder = tmp_path_factory.mktemp("of_two")
    port = free_port()
    children = [start(one_of_two, rank, port, folder) for rank in range(2)]
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


@pytest.mark.parametrize("parts", PARTS)
def test_two_processes_give_the_gradients_of_one(of_two, parts):
    train_mode, num_parts = parts
    if train_mode and num_parts > 1:  # batch norm sees parts: another result, but all get there
        return
    loss, expected = gradients(photos_of(7, 64), train_mode, 1)
    for found_loss, found in (each[f"gradients {parts}"] for each in of_two):
        assert (found_loss - loss).abs() < 1e-12
        for name, value in expected.items():
            assert (found[name] - value).abs().max() < 1e-10, name


def through_batch_norm(x):
    """Outputs, gradients and statistics of two batch norms of timm, one without an activation; in float64."""
    torch.manual_seed(0)
    norms = [BatchNormAct2d(3, act_layer=torch.nn.ReLU6), BatchNormAct2d(3, apply_act=False)]
    model = torch.nn.Sequential(norms[0], torch.nn.Conv2d(3, 3, 3), norms[1]).double().train()
    if distributed.world().size > 1:
        synchronize_batch_norm(model, torch.device("cpu"))
    own = list(distributed.share(range(len(x))))
    y = model(x[own])
    y.square().mul(torch.linspace(0, 1, y[0].numel(), dtype=y.dtype).view_as(y[0])).sum().backward()
    gradients = {name: distributed.sum_over_processes(p.grad) for name, p in model.named_parameters()}
    return own, y.detach(), gradients | dict(model.named_buffers())


def test_batch_norm_of_timm_over_two_processes(of_two):
    """It has an activation of its own. That of a pretrained encoder is in evaluation mode always."""
    _, y, expected = through_batch_norm(NOISE)
    loss, expected_of_unet = gradients(photos_of(5, 32), True, 1, "unet", UNET)
    for each in of_two:
        (own, found_y, found), (found_loss, of_unet) = each["norms"], each["norms of unet"]
        assert (found_y - y[own]).abs().max() < 1e-10
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert (found[name] - value).abs().max() < 1e-9, name
        assert (found_loss - loss).abs() < 1e-9
        assert of_unet.keys() == expected_of_unet.keys()
        for name, value in expected_of_unet.items():
            assert torch.allclose(of_unet[name].double(), value.double(), rtol=1e-6, atol=1e-9), name
        counts = {name: v.item() for name, v in of_unet.items() if name.endswith("num_batches_tracked")}
        assert {n for name, n in counts.items() if name.startswith("encoder.")} == {0}
        assert {n for name, n in counts.items() if not name.startswith("encoder.")} == {1}


def test_noise_times_and_words_of_a_photo_are_the_same_in_any_process(of_two):
    """Those of its seed: two processes, of two parts each, find the gradients of one."""
    loss, expected = gradients(WITH_WORDS, True, 1, "liu2023", LIU)
    for found_loss, found in (each["noise of liu2023"] for each in of_two):
        assert (found_loss - loss).abs() < 1e-9
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.allclose(found[name].double(), value.double(), rtol=1e-5, atol=1e-7), name


@torch.no_grad()
def test_the_converter_for_gpus_keeps_activations_parameters_and_outputs():
    """In evaluation mode its layers compute on the CPU too."""
    torch.manual_seed(0)
    model = build_model("unet", preset="small", encoder="test_efficientnet").eval()
    L = 100 * torch.rand(1, 1, 32, 32)
    expected, keys = model(L).ab, list(model.state_dict())
    parameters = {name: id(p) for name, p in model.named_parameters()}
    kinds = [type(m) for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
    synchronize_batch_norm(model, torch.device("cuda"))
    found = [type(m) for m in model.modules() if isinstance(m, torch.nn.SyncBatchNorm)]
    same = {torch.nn.BatchNorm2d: torch.nn.SyncBatchNorm, BatchNormAct2d: SyncBatchNormAct}
    assert found == [same[kind] for kind in kinds]
    assert len(set(found)) == 2
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in model.modules())
    assert list(model.state_dict()) == keys
    assert {name: id(p) for name, p in model.named_parameters()} == parameters
    assert torch.equal(model(L).ab, expected)


ADVERSARIAL = {
    "nazeri2018": {},
    "unet": {
        "encoder": "test_efficientnet",
        "encoder_weights": "random",
        "heads": "mean",
        "adversarial": 0.1,
        "head_start": 2,
    },
}


def after_two_steps(batch, name):
    """Weights after two steps, each of two updates, and the losses of the second; in float64."""
    torch.manual_seed(0)
    model = build_model(name, preset="small", **ADVERSARIAL[name])
    objective = build_objective(name, model, build_criterion("mse"))
    for module in (model.double().train(), objective.double()):
        if distributed.world().size > 1:
            synchronize_batch_norm(module, torch.device("cpu"))
    options = {"lr": 1e-3, "device": torch.device("cpu"), "dtype": torch.float32}
    stepper = Stepper(model, objective, **options)
    own = list(distributed.share(range(len(batch))))
    part = Batch(batch.L[own], batch.ab[own], tuple(batch.names[i] for i in own))
    for number in (1, 2):
        found = stepper.step(number, part, len(batch))
    losses = {name: distributed.sum_over_processes(loss) for name, loss in found.items()}
    both = torch.nn.ModuleList((model, objective)).named_parameters()
    return losses, {name: p.detach() for name, p in both}


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_two_processes_make_the_updates_of_one(of_two, name):
    losses, weights = after_two_steps(photos_of(5, 32), name)
    for found_losses, found in (each[name] for each in of_two):
        for term, value in losses.items():
            assert found_losses[term].item() == pytest.approx(value.item(), rel=1e-8), term
        for key, value in weights.items():
            assert (found[key] - value).abs().max() < 1e-6, key


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    return fill(tmp_path_factory.mktemp("many"), 43)


def arguments(photos, run_dir, *more):
    settings = ["--preset=small", "--image_size=64", "--batch_size=8", "--epochs=4", "--lr=0.0003"]
    settings += ["--device=cpu", "--precision=float32"]
    return ["--mode=train", f"--data_dir={photos}", f"--run_dir={run_dir}", *settings, *more]


@pytest.fixture(scope="module")
def two(many, tmp_path_factory):
    """A run of two processes. Read only."""
    run_dir = tmp_path_factory.mktemp("two") / "run"
    done = run_forked(*arguments(many, run_dir), processes=2)
    assert done.code == 0, done.err
    assert done.out.count("epoch 4/4") == 1
    return run_dir


def test_a_training_of_two_ends_as_that_of_one(cli, many, two, tmp_path):
    assert cli(*arguments(many, tmp_path)).code == 0
    for name in ("train_loss", "val_loss", "val_psnr_gray", "chroma_ratio"):
        expected = [float(row[name]) for row in history(tmp_path)]
        assert [float(row[name]) for row in history(two)] == pytest.approx(expected, rel=0.02), name
    tables = [read_csv(run / "per_image.csv") for run in (tmp_path, two)]
    assert [row["name"] for row in tables[0]] == [row["name"] for row in tables[1]]
    for one, other in zip(*tables, strict=True):
        assert float(one["gray_psnr"]) == pytest.approx(float(other["gray_psnr"]), abs=1e-4)


def test_testing_with_three_processes_scores_each_photo_once(cli, many, two, tmp_path):
    """43 photos do not divide by three."""
    weights = shutil.copy(two / BEST, tmp_path)  # without the run, which saw these photos
    argv = ["--mode=test", f"--data_dir={many}", "--split=all", f"--weights={weights}", "--device=cpu"]
    assert cli(*argv, f"--run_dir={tmp_path / 'one'}").code == 0
    done = run_forked(*argv, f"--run_dir={tmp_path / 'three'}", processes=3)
    assert done.code == 0, done.err
    one, three = (json.loads((tmp_path / name / METRICS).read_text()) for name in ("one", "three"))
    assert one["num_photos"] == three["num_photos"] == 43
    assert three["psnr"]["mean"] == pytest.approx(one["psnr"]["mean"], abs=1e-4)
    assert three["delta_e_2000"]["low"] == pytest.approx(one["delta_e_2000"]["low"], abs=1e-4)


def test_one_process_goes_on_with_the_run_of_two(cli, two, tmp_path):
    run_dir = shutil.copytree(two, tmp_path / "run")
    assert cli("--mode=train", f"--run_dir={run_dir}", "--resume", "--epochs=5").code == 0
    assert len(history(run_dir)) == 5


def test_all_stop_early(many, tmp_path):
    done = run_forked(*arguments(many, tmp_path, "--epochs=50", "--patience=1", "--lr=0.05"), processes=2)
    assert done.code == 0, done.err
    assert len(history(tmp_path)) < 50
    assert (tmp_path / METRICS).exists()


def test_a_mistake_is_told_once(tmp_path):
    """By way of what torchrun keeps for its processes, which outlives each of them."""
    done = torchrun(*arguments(tmp_path / "nowhere", tmp_path / "run"))
    assert done.returncode != 0
    assert done.stderr.count("error: --data_dir=") == 1
    assert "Traceback" not in done.stderr.partition("error: ")[2].partition("\n")[0]


def test_too_small_a_batch(monkeypatch):
    """Found before anything is packed, whatever the photos are."""
    monkeypatch.setattr(trainer, "world", lambda: distributed.World(0, 2))
    with pytest.raises(UserError, match="at least 2 photos in a training step of each process: 4 or more"):
        trainer._check_sizes(Config(mode="train", batch_size=3), Manifest((), ""))


@pytest.mark.slow
def test_a_process_that_dies_ends_the_job(many, two, tmp_path):
    """Resumed by two, it ends as if nothing had happened."""
    script = tmp_path / "dying.py"
    script.write_text("""
import os, signal, sys
import main, train
epoch = train.Trainer.run_epoch
def dying(self, number):
    if number == 3 and os.environ["RANK"] == "1":
        os.kill(os.getpid(), signal.SIGKILL)
    return epoch(self, number)
train.Trainer.run_epoch = dying
sys.exit(main.main(sys.argv[1:]))
""")
    run_dir = tmp_path / "run"
    done = torchrun(*arguments(many, run_dir), script=script)
    assert done.returncode != 0
    assert "another process of this job has ended" in done.stderr or "Signal 9" in done.stderr
    # Nobody gets to epoch 3 before epoch 1 is saved.
    assert len(torch.load(run_dir / LAST, weights_only=True)["history"]) >= 1
    assert torchrun("--mode=train", f"--run_dir={run_dir}", "--resume").returncode == 0
    assert len(history(run_dir)) == 4
    first, second = (torch.load(path / LAST, weights_only=True) for path in (two, run_dir))
    for name, value in first["model"].items():
        assert torch.equal(value, second["model"][name]), name
