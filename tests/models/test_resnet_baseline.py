"""The baseline: where its encoder comes from, and that nothing replaces it silently."""

from urllib.error import URLError

import pytest
import torch
import torch.hub
from torch import nn
from torchvision.models import resnet18

from checkpoint.pretrained import IMAGENET_MEAN, IMAGENET_STD
from core.errors import UserError
from models.registry import build_model


@pytest.fixture(scope="module")
def resnet():
    torch.manual_seed(1)
    return resnet18()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty download cache of torch.hub."""
    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path / "checkpoints" / "resnet18-f37072fd.pth"


def reference_forward(model, resnet, L, normalize):
    """The published baseline, spelled out."""
    encoder = nn.Sequential(*list(resnet.eval().children())[:-2])
    x = (L / 100).repeat(1, 3, 1, 1)
    if normalize:
        x = (x - torch.tensor(IMAGENET_MEAN).view(3, 1, 1)) / torch.tensor(IMAGENET_STD).view(3, 1, 1)
    return model.decoder(encoder(x)) * 128


@torch.no_grad()
@pytest.mark.parametrize("normalize", [True, False])
def test_encoder_from_a_file(resnet, tmp_path, normalize):
    torch.save(resnet.state_dict(), tmp_path / "resnet18.pth")
    path = str(tmp_path / "resnet18.pth")
    model = build_model("model2", encoder_weights=path, normalize_input=normalize)
    model.load_pretrained()
    L = torch.rand(2, 1, 64, 64) * 100
    expected = reference_forward(model, resnet, L, normalize)
    assert (model.eval()(L) - expected).abs().max() < 1e-3


def test_keys_of_the_reference_weights(resnet):
    keys = build_model("model2").state_dict().keys()
    encoder = nn.Sequential(*list(resnet.children())[:-2]).state_dict().keys()
    decoder = {f"decoder.{i}.{part}" for i in (0, 2, 4, 6, 8) for part in ("weight", "bias")}
    assert keys == {f"encoder.{key}" for key in encoder} | decoder


def test_frozen_in_training_mode_too():
    model = build_model("model2").train()
    assert model.decoder.training
    assert not any(module.training for module in model.encoder.modules())
    assert not any(p.requires_grad for p in model.encoder.parameters())


def test_imagenet_weights_come_from_the_cache(resnet, cache):
    torch.save(resnet.state_dict(), cache)
    model = build_model("model2")
    model.load_pretrained()
    assert torch.equal(model.encoder[0].weight, resnet.conv1.weight)


def test_no_download_no_silent_fallback(cache, monkeypatch):
    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(UserError, match=r"no route to host.*https.*--encoder_weights=PATH"):
        build_model("model2").load_pretrained()


def test_damaged_cache(cache):
    cache.write_bytes(b"<html>404</html>")
    with pytest.raises(UserError, match="ImageNet weights"):
        build_model("model2").load_pretrained()


def test_file_of_something_else(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="does not fit resnet18"):
        build_model("model2", encoder_weights=str(tmp_path / "x.pth")).load_pretrained()
    with pytest.raises(UserError, match="does not exist"):
        build_model("model2", encoder_weights=str(tmp_path / "y.pth")).load_pretrained()
