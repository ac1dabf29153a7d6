"""zhang2017 against the published layers written out; what hints do to a network and its training."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from conftest import small_model, training_of
from torch import nn

from checkpoint.file import load_weights
from data.batch import Batch
from data.simulated_hints import simulate_hints
from models.inputs import Inputs
from models.registry import build_model
from models.zhang2017 import bin_of

# Of the authors' release: block -> channels, dilation.
BLOCKS = {
    "model1": ((4, 64, 64), 1),
    "model2": ((64, 128, 128), 1),
    "model3": ((128, 256, 256, 256), 1),
    "model4": ((256, 512, 512, 512), 1),
    "model5": ((512, 512, 512, 512), 2),
    "model6": ((512, 512, 512, 512), 2),
    "model7": ((512, 512, 512, 512), 1),
    "model8": ((256, 256, 256), 1),
    "model9": ((128, 128), 1),
}


class Published(nn.Module):
    """The layers of the authors' release, with its names; `divisor` takes channels away."""

    def __init__(self, divisor=1):
        super().__init__()

        def thin(channels):
            return channels if channels == 4 else channels // divisor

        def conv(c_in, c_out, dilation=1):
            return nn.Conv2d(thin(c_in), thin(c_out), 3, 1, dilation, dilation)

        def up(c_in, c_out):
            return nn.Sequential(nn.ConvTranspose2d(thin(c_in), thin(c_out), 4, 2, 1))

        for name, (channels, dilation) in BLOCKS.items():
            layers = [nn.ReLU()] if name in ("model8", "model9") else []
            for c_in, c_out in itertools.pairwise(channels):
                layers += [conv(c_in, c_out, dilation), nn.ReLU()]
            self.add_module(name, nn.Sequential(*layers, nn.BatchNorm2d(thin(channels[-1]))))
        self.model8up, self.model9up, self.model10up = up(512, 256), up(256, 128), up(128, 128)
        self.model3short8 = nn.Sequential(conv(256, 256))
        self.model2short9 = nn.Sequential(conv(128, 128))
        self.model1short10 = nn.Sequential(conv(64, 128))
        self.model10 = nn.Sequential(nn.ReLU(), conv(128, 128), nn.LeakyReLU(0.2))
        self.model_class = nn.Sequential(nn.Conv2d(thin(256), 529, 1))
        self.model_out = nn.Sequential(nn.Conv2d(thin(128), 2, 1), nn.Tanh())

    def forward(self, L, ab, mask):
        x1 = self.model1(torch.cat(((L - 50) / 100, ab / 110, mask), dim=1))
        x2 = self.model2(x1[:, :, ::2, ::2])
        x3 = self.model3(x2[:, :, ::2, ::2])
        x7 = self.model7(self.model6(self.model5(self.model4(x3[:, :, ::2, ::2]))))
        x8 = self.model8(self.model8up(x7) + self.model3short8(x3))
        x9 = self.model9(self.model9up(x8) + self.model2short9(x2))
        return 110 * self.model_out(self.model10(self.model10up(x9) + self.model1short10(x1)))


def hinted(num=2, size=32):
    generator = torch.Generator().manual_seed(0)
    L, ab = (scale * torch.rand(num, c, size, size, generator=generator) for scale, c in ((100, 1), (50, 2)))
    return L, simulate_hints(ab, torch.arange(num) + 1)


def test_the_published_file_loads_and_gives_its_colours(tmp_path):
    torch.manual_seed(0)
    published = Published(divisor=4)
    L, hints = hinted()
    with torch.no_grad():
        for _ in range(3):
            published.train()(L, hints[:, :2], hints[:, 2:])
        published.eval()
        torch.save(published.state_dict(), tmp_path / "published.pth")
        weights = load_weights(tmp_path / "published.pth")
        assert (weights.name, weights.model.settings.preset) == ("zhang2017", "small")
        found = weights.model.eval().predict(Inputs(L, hints=hints))
        assert (found - published(L, hints[:, :2], hints[:, 2:])).abs().max() < 1e-3


def test_its_size_is_the_published_one():
    with torch.device("meta"):
        state, expected = build_model("zhang2017").state_dict(), Published().state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in expected.items()}


def test_the_grid_of_colours():
    """a* in the rows, b* in the columns, -110 first."""
    ab = torch.tensor([[-110.0, -110], [-110, -100], [0, 0], [14, -4], [110, 110], [200, 0]])
    expected = [0, 1, 11 * 23 + 11, 12 * 23 + 11, 22 * 23 + 22, 22 * 23 + 11]
    assert bin_of(ab.T[None, :, :, None])[0, :, 0].tolist() == expected


@pytest.mark.slow
def test_it_learns_to_take_hints():
    """Photos of one lightness, each of one colour: nothing but a hint can tell which."""
    torch.manual_seed(0)
    model = small_model("zhang2017").train()
    _, stepper = training_of("zhang2017", model, lr=3e-3)
    for number in range(1, 121):
        ab = (60 * torch.rand(8, 2, 1, 1) - 30).expand(-1, -1, 16, 16)
        L = torch.full((8, 1, 16, 16), 50.0)
        seeds = torch.arange(8) + 8 * number
        stepper.step(number, Batch(L, ab, tuple("abcdefgh"), seeds=seeds), 8)
    hints = torch.cat((ab, torch.ones_like(L)), dim=1)
    hints[..., :6, :] = hints[..., 10:, :] = 0
    with torch.no_grad():
        told, guessed = (F.mse_loss(model.predict(Inputs(L, hints=h)), ab) for h in (hints, None))
    assert told < 0.5 * guessed
