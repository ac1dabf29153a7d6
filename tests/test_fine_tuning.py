"""Training from given weights, with the encoder frozen or not."""

import json
import shutil

import pytest
import torch
from conftest import SETTINGS, small_model
from safetensors.torch import load_file

from checkpoint.file import load_weights, save_weights
from core.errors import UserError
from core.files import sha256
from core.runs import BEST, CONFIG, LAST


def arguments(photos, run_dir, init, *extra):
    settings = [s for s in SETTINGS if not s.startswith("--image_size")]
    return [
        "--mode=train",
        f"--data_dir={photos}",
        f"--run_dir={run_dir}",
        f"--init_weights={init}",
        *settings,
        *extra,
    ]


def config_of(run_dir):
    return json.loads((run_dir / CONFIG).read_text())


def test_starts_where_the_weights_are(cli, photos, trained, tmp_path, trainee):
    """A step too small to be seen leaves the weights as they came; all but the statistics of batch norm."""
    init = trained(trainee) / BEST
    outcome = cli(*arguments(photos, tmp_path / "run", init, "--lr=1e-30", "--epochs=1"))
    assert outcome.code == 0
    assert f"starting from: {init} ({trainee})" in outcome.out
    before, after = load_file(init), load_file(tmp_path / "run" / BEST)
    for name, value in before.items():
        if "running" not in name and "num_batches" not in name:
            assert torch.equal(value, after[name]), name


def test_model_size_and_learning_rate_follow_from_the_weights(cli, photos, trained, tmp_path):
    init = trained("model2") / BEST
    assert cli(*arguments(photos, tmp_path / "run", init, "--epochs=1")).code == 0
    config = config_of(tmp_path / "run")
    assert (config["model"], config["image_size"], config["lr"]) == ("model2", 32, 1e-4)
    assert load_weights(tmp_path / "run" / BEST).name == "model2"


def test_flags_win_over_the_weights(cli, photos, trained, tmp_path):
    flags = ("--lr=0.01", "--image_size=64", "--gamma_mode=signed", "--epochs=1")
    assert cli(*arguments(photos, tmp_path / "run", trained("model1") / BEST, *flags)).code == 0
    config = config_of(tmp_path / "run")
    assert (config["lr"], config["image_size"]) == (0.01, 64)
    assert load_weights(tmp_path / "run" / BEST).model.settings.gamma_mode == "signed"


def test_frozen_encoder_stays_as_it_is(cli, photos, trained, tmp_path):
    init = trained("model1") / BEST
    flags = ("--freeze_encoder", "--ema=0.9", "--lr=0.01")
    assert cli(*arguments(photos, tmp_path / "run", init, *flags)).code == 0
    before, after = load_file(init), load_file(tmp_path / "run" / BEST)
    moved = {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert moved == {"decoder", "gamma_correction"}


@pytest.mark.parametrize("flags", [(), ("--freeze_encoder",)])
def test_resumed_without_the_weights_it_came_from(cli, photos, trained, tmp_path, flags):
    init = tmp_path / "init.safetensors"
    shutil.copy(trained("model1") / BEST, init)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert cli(*arguments(photos, whole, init, *flags)).code == 0
    assert cli(*arguments(photos, parts, init, *flags, "--epochs=1")).code == 0
    digest = sha256(init)
    init.unlink()
    assert cli("--mode=train", f"--run_dir={parts}", "--resume", "--epochs=2").code == 0
    for run_dir in (whole, parts):
        assert load_weights(run_dir / BEST).info["initial_weights"]["sha256"] == digest
    first, second = (torch.load(run / LAST, weights_only=True)["model"] for run in (whole, parts))
    assert all(torch.equal(value, second[name]) for name, value in first.items())


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--init_weights=none.pth",), "does not exist"),
        (("--model=model2",), "are of model1, not of model2"),
        (("--encoder_weights=random",), "--encoder_weights is not a setting of model1"),
    ],
)
def test_what_cannot_be_started_from(cli, photos, trained, tmp_path, flags, message):
    outcome = cli(*arguments(photos, tmp_path / "run", trained("model1") / BEST, *flags))
    assert outcome.code == 2
    assert message in outcome.error
    assert not (tmp_path / "run").exists()


def test_may_start_from_the_model_that_it_extends(cli, photos, tmp_path):
    """What the file lacks stays as it was built; to predict with, the same file is refused."""
    init, unet = tmp_path / "unet.safetensors", small_model("unet")
    save_weights(init, "unet", unet, {})
    flags = ("--model=unet_hints", "--lr=1e-30", "--epochs=1")
    outcome = cli(*arguments(photos, tmp_path / "run", init, *flags))
    assert outcome.code == 0, outcome.err
    after = load_weights(tmp_path / "run" / BEST)
    assert after.name == "unet_hints"
    for name, value in unet.named_parameters():
        torch.testing.assert_close(after.model.get_parameter(name), value, rtol=1e-6, atol=1e-20)
    assert all(weight.abs().max() < 1e-20 for weight in after.model.hints.parameters())
    with pytest.raises(UserError, match="are of unet, not of unet_hints"):
        load_weights(init, name="unet_hints")
