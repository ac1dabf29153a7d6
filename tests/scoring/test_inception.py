"""The field's features of pictures: how their weights come, and what is said where they do not."""

import json
import sys
import types
from pathlib import Path

import pytest
import torch
from torch import nn

from core.extras import installing
from core.files import sha256
from core.runs import BEST
from scoring import inception


class Tiny(nn.Module):
    """In place of the network of torchmetrics: the mean colour of 8-bit pictures, through its weights."""

    def __init__(self, name, features_list, path, antialias):
        super().__init__()
        assert (features_list, antialias) == (["2048"], False)
        self.weight = nn.Parameter(torch.load(path, weights_only=True)["weight"])

    def forward(self, x):
        assert x.dtype == torch.uint8
        return x.float().mean(dim=(2, 3)) @ self.weight


@pytest.fixture
def cache(monkeypatch, tmp_path):
    """Where downloads go."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def served(monkeypatch, tmp_path, cache):
    """Weights of a tiny network, at an address."""
    path = tmp_path / "there" / "tiny.pth"
    path.parent.mkdir()
    torch.save({"weight": torch.eye(3)}, path)
    monkeypatch.setattr(inception, "URL", path.as_uri())
    monkeypatch.setattr(inception, "_network", lambda: Tiny)
    return path


def test_downloaded_once(served, cache):
    features = inception.InceptionFeatures()
    assert [path.name for path in cache.iterdir()] == ["tiny.pth"]
    assert features.sha256 == sha256(served)[:16]
    served.unlink()
    again = inception.InceptionFeatures()
    rgb = torch.rand(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    assert torch.equal(again(rgb), features(rgb))
    assert again(rgb).tolist() == pytest.approx((255 * rgb).round().mean(dim=(2, 3)), rel=1e-5)
    assert not any(p.requires_grad for p in features.parameters())


def argv_of(photos, tmp_path, trained):
    flags = [f"--data_dir={photos}", f"--run_dir={tmp_path / 'run'}", "--split=all", "--device=cpu"]
    return ["--mode=test", f"--weights={trained('model1') / BEST}", *flags]


def test_in_the_test_mode(cli, photos, trained, tmp_path, served):
    outcome = cli(*argv_of(photos, tmp_path, trained), "--set_scores=inception")
    assert outcome.code == 0, outcome.err
    card = json.loads((tmp_path / "run" / "metrics_all.json").read_text())["sets"]
    assert card["features"] == {"network": "Inception-v3 of the FID", "sha256": sha256(served)[:16]}
    assert "Inception-v3" in card["definitions"]["frechet"]
    assert "not those of the Inception" not in card["definitions"]["frechet"]
    assert "features of Inception-v3 of the FID" in outcome.out


def test_weights_that_cannot_be_had(cli, photos, trained, tmp_path, served, cache):
    served.unlink()
    outcome = cli(*argv_of(photos, tmp_path, trained), "--set_scores=inception")
    assert outcome.code == 2
    assert f"--set_scores=inception: cannot get the weights from {served.as_uri()}" in outcome.error
    assert f"put that file into {cache}, or take --set_scores" in outcome.error
    assert "Traceback" not in outcome.err


class Evil:
    def __reduce__(self):
        return Path.touch, (Path(sys.argv[0]),)


@pytest.mark.parametrize("content", [b"nothing of the kind", Evil()])
def test_weights_that_are_none(cli, photos, trained, tmp_path, served, content):
    if isinstance(content, bytes):
        served.write_bytes(content)
    else:
        torch.save(content, served)
    outcome = cli(*argv_of(photos, tmp_path, trained), "--set_scores=inception")
    assert outcome.code == 2
    assert "tiny.pth is damaged: delete it" in outcome.error


@pytest.mark.parametrize("missing", ["torch_fidelity", "torchmetrics.image.fid"])
def test_packages_that_are_missing(cli, photos, trained, tmp_path, cache, monkeypatch, missing):
    for name in ("torch_fidelity", "torchmetrics", "torchmetrics.image", "torchmetrics.image.fid"):
        module = types.ModuleType(name)
        module.NoTrainInceptionV3 = Tiny
        monkeypatch.setitem(sys.modules, name, None if name == missing else module)
    outcome = cli(*argv_of(photos, tmp_path, trained), "--set_scores=inception")
    assert outcome.code == 2
    assert "--set_scores=inception needs torchmetrics and torch-fidelity" in outcome.error
    assert installing("fid") in outcome.error


def test_a_switch_as_before(cli):
    from main import parse

    for flag, word in (("--set_scores", "efficientnet"), ("--set_scores=true", "efficientnet")):
        assert parse(["--mode=test", flag]).set_scores == word
    assert parse(["--mode=test", "--set_scores=false"]).set_scores is None
    outcome = cli("--mode=test", "--set_scores=vgg")
    assert outcome.code == 2
    assert "--set_scores=vgg: must be one of efficientnet, inception" in outcome.error
