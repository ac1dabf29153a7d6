"""The discriminator of patches, and what unet learns from it."""

import math

import pytest
import torch
from conftest import SETTINGS, training_of
from safetensors.torch import load_file
from torch import nn

from checkpoint.file import load_weights, save_weights
from core.files import read_csv
from core.runs import BEST, HISTORY, LAST
from data.batch import Batch
from data.color import rgb_to_lab
from models.adversarial import PatchDiscriminator
from models.registry import build_model
from models.unet_objective import UNetObjective

TINY = {"preset": "small", "encoder": "test_efficientnet", "encoder_weights": "random"}


def unet(**settings):
    torch.manual_seed(0)
    return build_model("unet", **TINY, **settings).train()


@pytest.fixture(scope="module")
def batch():
    lab = rgb_to_lab(torch.rand(4, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    return Batch(lab[:, :1], lab[:, 1:], tuple("abcd"))


def training(model, num_parts=1):
    return training_of("unet", model, loss="delta_e", num_parts=num_parts)


@pytest.mark.parametrize(("num_down", "patch"), [(3, 70), (2, 34)])
def test_a_logit_is_of_a_patch(num_down, patch):
    torch.manual_seed(0)
    net = PatchDiscriminator(4, num_down=num_down, spectral=True)
    L, ab = torch.rand(1, 1, 128, 128), torch.rand(1, 2, 128, 128, requires_grad=True)
    logits = net.logits(L, ab)
    side = 128 // 2**num_down
    assert logits.shape == (1, 1, side, side)
    logits[0, 0, side // 2, side // 2].backward()
    seen = ab.grad[0].abs().sum(dim=0) > 0
    assert [int(seen.any(dim=dim).sum()) for dim in (0, 1)] == [patch, patch]


def test_losses_of_an_undecided_one_by_hand(batch):
    net = PatchDiscriminator(4)
    nn.init.zeros_(net[-1].weight)
    nn.init.zeros_(net[-1].bias)
    found = net.discriminator_losses(batch.L, batch.ab, 0 * batch.ab)
    found["generator"] = net.generator_loss(batch.L, batch.ab)
    assert [loss.item() for loss in found.values()] == pytest.approx([math.log(2)] * 3)


def test_spectral_norms_become_one(batch):
    net = PatchDiscriminator(4, num_down=2, spectral=True)
    for _ in range(20):
        net.logits(batch.L, batch.ab)
    for conv in (module for module in net.modules() if isinstance(module, nn.Conv2d)):
        assert torch.linalg.matrix_norm(conv.weight.flatten(1), ord=2).item() == pytest.approx(1, rel=0.1)


def test_predicted_colours_learn_from_their_own_loss_alone(batch):
    net = PatchDiscriminator(4, num_down=2, spectral=True)
    ab = (0.5 * batch.ab).requires_grad_()
    sum(net.discriminator_losses(batch.L, batch.ab, ab).values()).backward()
    assert ab.grad is None
    net.generator_loss(batch.L, ab).backward()
    assert ab.grad.abs().max() > 0


def test_nazeri2018_and_unet_share_it():
    nazeri, _ = training_of("nazeri2018", build_model("nazeri2018", preset="small"))
    objective, _ = training(unet(adversarial=0.1))
    assert type(nazeri.discriminator) is type(objective.discriminator) is PatchDiscriminator


@pytest.mark.parametrize("heads", ["mean", "bins", "both"])
def test_every_update_moves_its_own_parameters_alone(batch, heads):
    model = unet(adversarial=0.1, head_start=0, heads=heads)
    objective, stepper = training(model)
    judge = {id(p) for p in objective.discriminator.parameters()}
    for turn, update in enumerate(stepper.updates):
        found = stepper.backward(batch, len(batch), turn)
        own = {id(p) for p in update.parameters}
        both = [*model.parameters(), *objective.parameters()]
        assert all((p.grad is not None) == (id(p) in own) for p in both)
        assert own == judge if turn == 0 else not own & judge
        assert ("adversarial" in found) == (turn == 1)


def test_the_discriminator_has_a_head_start(batch):
    """Until then the U-Net's gradients are those of a training without it."""
    alone = unet()
    training(alone)[1].backward(batch, len(batch))
    expected = {name: p.grad for name, p in alone.named_parameters() if p.grad is not None}
    model = unet(adversarial=0.1, head_start=2)
    _, stepper = training(model)
    same, adversarial = [], []
    for _ in range(2):
        stepper.backward(batch, len(batch), 0)
        adversarial.append(stepper.backward(batch, len(batch), 1)["adversarial"].item())
        found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
        same.append(all(torch.allclose(found[name], value, atol=1e-7) for name, value in expected.items()))
    assert same == [True, False]
    assert adversarial[0] == 0 < adversarial[1]


def test_parts_of_a_batch_give_its_gradients(batch):
    """Of a model whose batch norm, and spectral norm, do not look at the batch."""
    found = []
    for num_parts in (1, 2):
        model = unet(adversarial=0.1, head_start=0).eval()
        objective, stepper = training(model, num_parts)
        objective.eval()
        for turn in (0, 1):
            stepper.backward(batch, len(batch), turn)
            both = nn.ModuleList((model, objective)).named_parameters()
            found.append({n: p.grad.clone() for n, p in both if p.grad is not None})
        assert objective.num_judged == num_parts
    for whole, parts in zip(found[:2], found[2:], strict=True):
        assert whole.keys() == parts.keys()
        assert all(torch.allclose(whole[name], parts[name], atol=1e-5) for name in whole)


def test_weights_know_nothing_of_it(tmp_path):
    model = unet(adversarial=0.1)
    save_weights(tmp_path / "x.safetensors", "unet", model, {})
    assert load_file(tmp_path / "x.safetensors").keys() == unet().state_dict().keys()
    weights = load_weights(tmp_path / "x.safetensors")
    assert UNetObjective.keeps(weights.model.settings) == "last"
    plain = load_weights(tmp_path / "x.safetensors", settings={"adversarial": 0.0})
    assert UNetObjective.keeps(plain.model.settings) == "best"


@pytest.mark.slow
def test_a_training_goes_on_to_the_same_bits_and_keeps_the_last_epoch(cli, photos, tmp_path):
    flags = [f"--{name}={value}" for name, value in TINY.items()]
    flags += [
        "--frozen_stages=0",
        "--adversarial=0.1",
        "--head_start=4",
        "--loss=delta_e:1,colorfulness:1",
        "--ema=0.9",
    ]
    argv = ["--mode=train", "--model=unet", *flags, f"--data_dir={photos}", *SETTINGS, "--patience=1"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*argv, f"--run_dir={whole}", "--epochs=3").code == 0
    assert cli(*argv, f"--run_dir={parts}", "--epochs=1").code == 0
    assert cli("--mode=train", f"--run_dir={parts}", "--resume", "--epochs=3").code == 0
    assert (whole / BEST).read_bytes() == (parts / BEST).read_bytes()
    states = [torch.load(run / LAST, weights_only=True) for run in (whole, parts)]
    for part in ("model", "objective"):
        assert all(torch.equal(value, states[1][part][name]) for name, value in states[0][part].items())
    assert any(name.startswith("discriminator.") for name in states[0]["objective"])
    rows = read_csv(whole / HISTORY)
    assert load_weights(whole / BEST).info["validation"]["epoch"] == len(rows) == 3
    assert float(rows[-1]["train_adversarial"]) > 0
