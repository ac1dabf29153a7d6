"""The GAE against a reference written from its description, and the traps of its gamma."""

import pytest
import torch
from torch import nn

from models.gamma import GAMMA_MIN, GammaCorrection
from models.registry import build_model


class ReferenceGamma(nn.Module):
    def __init__(self):
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(1))

    def forward(self, x):
        return torch.pow((x + 1) / 2, self.gamma) * 2 - 1


class ReferenceGAE(nn.Module):
    """The published layers, spelled out, with the keys of the reference weights."""

    def __init__(self):
        super().__init__()
        c = (1, 32, 64, 128, 256, 512)
        encoder, decoder = [], []
        for i in range(5):
            encoder += [nn.Conv2d(c[i], c[i + 1], 3, 2, 1), nn.BatchNorm2d(c[i + 1]), nn.ReLU()]
        for c_in, c_out in ((512, 256), (256, 128), (128, 64), (64, 32), (32, 2)):
            decoder += [nn.ConvTranspose2d(c_in, c_out, 3, 2, 1, output_padding=1), nn.ReLU()]
        decoder[-1] = nn.Tanh()
        self.encoder, self.decoder = nn.Sequential(*encoder), nn.Sequential(*decoder)
        self.gamma_correction = ReferenceGamma()

    def forward(self, x):
        return self.gamma_correction(self.decoder(self.encoder(x)))


@pytest.fixture
def reference():
    """Random reference weights with statistics and a gamma that are not the initial ones."""
    torch.manual_seed(0)
    model = ReferenceGAE()
    with torch.no_grad():
        for _ in range(3):
            model.train()(torch.rand(4, 1, 64, 64))
        model.gamma_correction.gamma.fill_(0.8)
        model.decoder[8].weight.mul_(1000)  # reaches the ends of tanh
    return model.eval()


def test_parameters_and_layers():
    model = build_model("model1")
    assert sum(p.numel() for p in model.parameters()) == 3_137_763
    shapes = {}
    for name, module in model.named_modules():
        module.register_forward_hook(lambda _, __, y, name=name: shapes.update({name: tuple(y.shape[1:])}))
    model(torch.rand(2, 1, 224, 224) * 100)
    sides = [shapes[f"encoder.{i}"] for i in (2, 5, 8, 11, 14)]
    assert sides == [(32, 112, 112), (64, 56, 56), (128, 28, 28), (256, 14, 14), (512, 7, 7)]
    sides = [shapes[f"decoder.{i}"] for i in (0, 2, 4, 6, 8)]
    assert sides == [(256, 14, 14), (128, 28, 28), (64, 56, 56), (32, 112, 112), (2, 224, 224)]


def test_reference_keys(reference):
    assert build_model("model1").state_dict().keys() == reference.state_dict().keys()


@torch.no_grad()
def test_reference_weights_give_the_same_colours(reference):
    model = build_model("model1").eval()
    state = reference.state_dict()
    state["gamma_correction.gamma"] = state["gamma_correction.gamma"].reshape(())
    model.load_state_dict(state)
    L = torch.rand(2, 1, 96, 64) * 100
    expected = reference(L / 100) * 128
    assert expected.min() == -128
    assert (expected.abs() < 120).any()
    assert (model(L) - expected).abs().max() < 1e-3


@torch.no_grad()
@pytest.mark.parametrize("gamma", [0.3, 1.0, 2.5])
def test_published_gamma(gamma):
    module = GammaCorrection("power")
    module.gamma.fill_(gamma)
    x = torch.linspace(-1, 1, 1001)
    assert torch.allclose(module(x), ((x + 1) / 2) ** gamma * 2 - 1, atol=1e-6)


@torch.no_grad()
def test_only_the_signed_gamma_keeps_gray_gray():
    casts = {}
    for mode in ("power", "signed"):
        model = build_model("model1", gamma_mode=mode)
        model.gamma_correction.gamma.fill_(1.2)
        casts[mode] = model.report()["gamma_cast"]
        assert model.report()["gamma"] == pytest.approx(1.2)
    assert casts["power"] == pytest.approx(128 * (2 * 0.5**1.2 - 1), abs=1e-4)
    assert casts["signed"] == 0
    module = GammaCorrection("signed")
    module.gamma.fill_(2.0)
    assert module(torch.tensor([-0.5, 0.5])).tolist() == [-0.25, 0.25]


@pytest.mark.parametrize("mode", ["power", "signed"])
@pytest.mark.parametrize("gamma", [GAMMA_MIN, 0.5, 1.0, 2.0])
def test_finite_at_the_ends_and_at_zero(mode, gamma):
    module = GammaCorrection(mode)
    with torch.no_grad():
        module.gamma.fill_(gamma)
    x = torch.tensor([-1.0, -1 + 6e-8, -1e-9, 0.0, 1e-9, 1 - 6e-8, 1.0], requires_grad=True)
    y = module(x)
    assert y.isfinite().all()
    assert y.abs().max() <= 1
    assert y[0].item() == -1
    assert y[-1].item() == 1
    y.sum().backward()
    assert x.grad.isfinite().all()
    assert module.gamma.grad.isfinite()


def test_gamma_stays_positive():
    model = build_model("model1")
    optimizer = torch.optim.SGD([model.gamma_correction.gamma], lr=10)
    for _ in range(3):
        model.gamma_correction.gamma.grad = torch.ones(())
        optimizer.step()
        model.clamp_()
    assert model.gamma_correction.gamma.item() == pytest.approx(GAMMA_MIN)
