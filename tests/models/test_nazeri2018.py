"""nazeri2018 against the authors' layers, and its step against two optimizers written out."""

import copy
import itertools
import logging

import pytest
import torch
import torch.nn.functional as F
from conftest import SETTINGS, flags_of, training_of
from safetensors.torch import load_file
from torch import nn

from checkpoint.file import load_weights
from core.files import read_csv, read_json
from core.runs import BEST, CONFIG, HISTORY, LAST
from data.batch import Batch
from data.color import rgb_to_lab
from engine.validation import validate
from models.registry import build_model

# Places365 in the authors' code: channels in and out of each 4x4 convolution.
ENCODER = [(1, 64), (64, 64), (64, 128), (128, 256), (256, 512), (512, 512), (512, 512), (512, 512)]
DECODER = [(512, 512), (1024, 512), (1024, 512), (1024, 256), (512, 128), (256, 64), (128, 64)]
DISCRIMINATOR = [(3, 64), (64, 128), (128, 256), (256, 512)]


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build_model("nazeri2018", preset="small").train()


@pytest.fixture
def batch():
    lab = rgb_to_lab(torch.rand(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    return Batch(lab[:, :1], lab[:, 1:], tuple("abcd"))


def training(model, num_parts=1):
    return training_of("nazeri2018", model, num_parts=num_parts)


def size_of(rows, norms):
    return sum(16 * c_in * c_out + c_out for c_in, c_out in rows) + sum(2 * c_out for _, c_out in norms)


def test_parameters_and_layers():
    model = build_model("nazeri2018").eval()
    generator = size_of([*ENCODER, *DECODER], [*ENCODER, *DECODER]) + 128 * 2 + 2
    assert sum(p.numel() for p in model.parameters()) == generator == 42_023_682
    for blocks, table in ((model.encoder, ENCODER), (model.decoder, DECODER)):
        found = [m for block in blocks for m in block if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d))]
        assert [(m.in_channels, m.out_channels) for m in found] == table
    shapes = []
    for block in (*model.encoder, *model.decoder):
        block.register_forward_hook(lambda _, __, y: shapes.append(tuple(y.shape[1:])))
    judge = training(model)[0].discriminator
    discriminator = size_of([*DISCRIMINATOR, (512, 1)], DISCRIMINATOR[1:])
    assert sum(p.numel() for p in judge.parameters()) == discriminator
    with torch.inference_mode():
        ab = model(torch.rand(1, 1, 256, 256) * 100)
        assert judge.logits(torch.rand(1, 1, 256, 256), ab).shape == (1, 1, 32, 32)
    sides = [256, 128, 64, 32, 16, 8, 4, 2]
    expected = [(c, side) for (_, c), side in zip(ENCODER, sides, strict=True)]
    expected += [(c, side) for (_, c), side in zip(DECODER, sides[-2::-1], strict=True)]
    assert shapes == [(c, side, side) for c, side in expected]
    assert ab.shape == (1, 2, 256, 256)


def test_two_optimizers_written_out(model, batch):
    """Three steps, to the same bits."""
    objective, stepper = training(model)
    other, discriminator = copy.deepcopy(model), copy.deepcopy(objective.discriminator)
    judge = torch.optim.Adam(discriminator.parameters(), lr=1e-4, betas=(0.5, 0.999), fused=True)
    painter = torch.optim.Adam(other.parameters(), lr=1e-3, betas=(0.5, 0.999), fused=True)
    bce = nn.BCEWithLogitsLoss()
    L, ab = batch.L / 50 - 1, batch.ab / 128
    for number in (1, 2, 3):
        found = stepper.step(number, batch, len(batch))
        real = discriminator(torch.cat((L, ab), 1))
        with torch.no_grad():
            pred = other(batch.L) / 128
        fake = discriminator(torch.cat((L, pred), 1))
        errors = [bce(real, torch.full_like(real, 0.9)), bce(fake, torch.zeros_like(fake))]
        judge.zero_grad()
        sum(errors).backward()
        judge.step()
        pred = other(batch.L) / 128
        fake = discriminator(torch.cat((L, pred), 1))
        errors += [100 * (pred - ab).abs().mean(), bce(fake, torch.ones_like(fake))]
        painter.zero_grad()
        sum(errors[2:]).backward()
        painter.step()
        names = ("discriminator_real", "discriminator_fake", "l1", "adversarial")
        expected = {name: error.item() * 4 for name, error in zip(names, errors, strict=True)}
        assert {name: loss.item() for name, loss in found.items()} == pytest.approx(expected, rel=1e-5)
    for found, expected in ((model, other), (objective.discriminator, discriminator)):
        for name, value in found.named_parameters():
            assert torch.allclose(value, expected.get_parameter(name), atol=1e-6), name


def test_parts_of_a_batch_give_its_gradients(model, batch):
    """Of a model whose batch norm does not look at the batch."""
    model.eval()
    found = []
    for num_parts in (1, 2):
        torch.manual_seed(0)
        objective, stepper = training(model, num_parts)
        objective.eval()
        for turn in (0, 1):
            stepper.backward(batch, len(batch), turn)
            both = nn.ModuleDict({"model": model, "objective": objective}).named_parameters()
            found.append({n: p.grad.clone() for n, p in both if p.grad is not None})
    for whole, parts in zip(found[:2], found[2:], strict=True):
        assert whole.keys() == parts.keys()
        assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)
    assert {name.partition(".")[0] for name in found[0]} == {"objective"}
    assert {name.partition(".")[0] for name in found[1]} == {"model"}


@pytest.mark.parametrize(
    ("real", "fake", "warning"),
    [
        (0.35, 0.04, "knows all predicted colours"),
        (0.45, 0.3, ""),
        (0.6, 0.6, ""),
        (0.69, 0.69, "no better than saying the same"),
    ],
)
def test_warning_of_collapse(model, real, fake, warning):
    said = training(model)[0].warn_of({"discriminator_real": real, "discriminator_fake": fake})
    assert (warning in said) if warning else not said


def test_a_blind_discriminator_is_at_the_limit(model):
    """Of answers that are the same for all colours, the best is warned of too: 0.45, half of 0.9."""
    answer = torch.logit(torch.tensor(0.45))
    real, fake = (
        F.binary_cross_entropy_with_logits(answer, torch.tensor(label)).item() for label in (0.9, 0.0)
    )
    assert training(model)[0].warn_of({"discriminator_real": real + 1e-6, "discriminator_fake": fake})


def test_the_balance_is_logged_and_the_discriminator_stays_with_the_training(trained):
    run_dir = trained("nazeri2018")
    for row in read_csv(run_dir / HISTORY):
        terms = ("l1", "adversarial", "discriminator_real", "discriminator_fake")
        assert sum(float(row[f"train_{t}"]) for t in terms) == pytest.approx(float(row["train_loss"]))
        assert float(row["lr"]) == 1e-3
    names = torch.load(run_dir / LAST, weights_only=True)["objective"].keys()
    assert any(name.startswith("discriminator.") for name in names)
    names = load_file(run_dir / BEST).keys()
    assert names == build_model("nazeri2018", preset="small").state_dict().keys()


def test_a_warning_reaches_the_user(cli, photos, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr("models.adversarial._TOLD_APART", 100.0)
    argv = ["--mode=train", *flags_of("nazeri2018"), f"--data_dir={photos}", f"--run_dir={tmp_path}"]
    with caplog.at_level(logging.WARNING):
        assert cli(*argv, *SETTINGS, "--epochs=2", "--ema=0.9", "--grad_accum=2").code == 0
    assert "epoch 1: the discriminator" not in caplog.text  # it is new
    assert "epoch 2: the discriminator knows all predicted colours" in caplog.text


def test_the_last_epoch_is_kept_and_patience_ends_nothing(cli, photos, tmp_path, monkeypatch):
    """Its colours become likelier, not closer to the true ones."""
    losses = itertools.count(1.0)
    monkeypatch.setattr("engine.trainer.validate", lambda *args: validate(*args) | {"val_loss": next(losses)})
    for name, kept in (("nazeri2018", 3), ("zhang2016", 1)):
        run_dir = tmp_path / name
        argv = ["--mode=train", *flags_of(name), f"--data_dir={photos}", f"--run_dir={run_dir}"]
        assert cli(*argv, *SETTINGS, "--epochs=3", "--patience=1").code == 0
        assert load_weights(run_dir / BEST).info["validation"]["epoch"] == kept


@pytest.mark.parametrize("name", ["nazeri2018", "zhang2016"])
def test_a_loss_of_its_own(cli, photos, tmp_path, name):
    argv = ["--mode=train", *flags_of(name), f"--data_dir={photos}", f"--run_dir={tmp_path}"]
    outcome = cli(*argv, "--loss=l1")
    assert outcome.code == 2
    assert f"--loss: {name} is trained with a loss of its own: leave it out" in outcome.error


@pytest.mark.parametrize("name", ["nazeri2018", "zhang2016"])
def test_a_file_of_weights_says_so(trained, name):
    run_dir = trained(name)
    assert read_json(run_dir / CONFIG)["loss"] == "own"
    assert load_weights(run_dir / BEST).info["training"]["loss"] == "own"
