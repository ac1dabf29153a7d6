"""unet: its two heads by hand, what is frozen, and that a file of it holds everything."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from conftest import crops, small_model, training_of

from checkpoint.file import load_weights, save_weights
from data.batch import Batch
from data.color import rgb_to_lab
from models import timm_encoder
from models.bins import NUM_BINS, UNIFORM_SHARE, published_bins, rebalance, smooth_frequencies, soft_encode
from models.inputs import Inputs
from models.registry import build_model
from models.timm_encoder import TimmEncoder
from models.unet import Output
from models.unet_objective import BINS_WEIGHT

CENTERS = published_bins().double().numpy()


def unet(**settings):
    torch.manual_seed(0)
    return small_model("unet", **settings)


@pytest.fixture
def batch():
    rgb = torch.stack([torch.from_numpy(c).permute(2, 0, 1) for c in crops(4, size=32)]).float() / 255
    lab = rgb_to_lab(rgb)
    return Batch(lab[:, :1], lab[:, 1:], tuple("abcd"))


def train_steps(model, batch, num=1, lr=1e-3):
    _, stepper = training_of("unet", model.train(), lr=lr)
    for number in range(1, num + 1):
        stepper.step(number, batch, len(batch))


@pytest.mark.parametrize(
    ("heads", "terms"), [("mean", {"mse"}), ("bins", {"bins"}), ("both", {"mse", "bins"})]
)
def test_heads(heads, terms, batch):
    model = unet(heads=heads)
    out = model(batch.L)
    assert (out.ab is not None, out.logits is not None) == (heads != "bins", heads != "mean")
    for found, channels in ((out.ab, 2), (out.logits, NUM_BINS)):
        assert found is None or found.shape == (4, channels, 8, 8)
    objective, _ = training_of("unet", model)
    losses, ab = objective.validation(model, batch)
    assert losses.keys() == objective.losses(model, batch).keys() == terms
    assert torch.allclose(ab, model.predict(Inputs(batch.L)))


def test_cross_entropy_by_a_loop(batch):
    model = unet(heads="bins").eval()
    with torch.no_grad():
        loss = training_of("unet", model)[0].losses(model, batch)["bins"].item()
        log_p = model(batch.L).logits.double().log_softmax(dim=1).numpy()
    small = batch.ab.double().numpy().reshape(4, 2, 8, 4, 8, 4).mean(axis=(3, 5)).round()
    entropies = []
    for n, y, x in np.ndindex(4, 8, 8):
        distance = np.hypot(*(CENTERS - small[n, :, y, x]).T)
        order = np.argsort(distance, kind="stable")[:5]
        share = np.exp(-(distance[order] ** 2) / 50)
        entropies.append(-(share / share.sum()) @ log_p[n, order, y, x])
    assert loss == pytest.approx(BINS_WEIGHT * np.mean(entropies), rel=0.01)  # ties of whole units


def colors_of(model, logits):
    """(2,) of a photo of which every place has these (Q,) logits."""
    with torch.no_grad():
        flat = logits.float()[None, :, None, None].expand(1, -1, 2, 2)
        ab = model.colors(Output(None, flat), torch.zeros(1, 1, 8, 8))
    assert (ab - ab[..., :1, :1]).abs().max() < 1e-4
    return ab[0, :, 0, 0].double().numpy()


def test_without_vividness_the_expectation_of_the_distribution():
    logits = 3 * torch.randn(NUM_BINS, generator=torch.Generator().manual_seed(0))
    p = np.exp(logits.double().numpy())
    assert colors_of(unet(heads="bins"), logits) == pytest.approx(p @ CENTERS / p.sum(), abs=1e-3)


def test_temperature_goes_to_the_likeliest_bin():
    logits = torch.randn(NUM_BINS, generator=torch.Generator().manual_seed(0))
    found = colors_of(unet(heads="bins", temperature=0.01), logits)
    z = logits.double().numpy()
    p = np.exp((z - z.max()) / 0.01)
    assert found == pytest.approx(p @ CENTERS / p.sum(), abs=0.01)
    assert np.abs(found - CENTERS[z.argmax()]).max() < 5


def test_weights_put_in_afterwards_are_those_of_a_training_with_them():
    """Where the cross-entropy of classes that weigh w is least, learnt shares are those of p w."""
    generator = torch.Generator().manual_seed(0)
    p = (2 * torch.randn(NUM_BINS, generator=generator, dtype=torch.float64)).softmax(dim=0)
    counts = torch.randint(1, 10_000, (NUM_BINS,), generator=generator)
    w = rebalance(counts, published_bins()).double()
    learnt = (p.log() + w.log()).requires_grad_()
    (gradient,) = torch.autograd.grad(-(w * p * learnt.log_softmax(dim=0)).sum(), learnt)
    assert gradient.abs().max() < 1e-12
    model = unet(heads="bins", vividness=1.0)
    model.bin_frequencies.copy_(smooth_frequencies(counts, published_bins()))
    q = learnt.detach().softmax(dim=0).numpy()
    assert colors_of(model, p.log()) == pytest.approx(q @ CENTERS, abs=1e-3)


def test_vividness_by_hand():
    """Two bins, one of them rare: the odds change by the ratio of their weights to that power."""
    counts = torch.zeros(NUM_BINS, dtype=torch.int64)
    gray, red = (int(np.hypot(*(CENTERS - color).T).argmin()) for color in ((0, 0), (60, 40)))
    logits = torch.full((NUM_BINS,), -1e4)
    logits[[gray, red]] = torch.tensor([0.8, 0.2]).log()
    counts[[gray, red]] = torch.tensor([99, 1])
    f = smooth_frequencies(counts, published_bins()).numpy()
    weight = 1 / ((1 - UNIFORM_SHARE) * f + UNIFORM_SHARE / NUM_BINS)
    chroma = []
    for vividness in (0.0, 0.5, 1.0):
        model = unet(heads="bins", vividness=vividness)
        model.bin_frequencies.copy_(torch.from_numpy(f))
        odds = 0.25 * (weight[red] / weight[gray]) ** vividness
        expected = odds / (1 + odds) * CENTERS[red]
        found = colors_of(model, logits)
        assert found == pytest.approx(expected, rel=1e-3)
        chroma.append(np.hypot(*found))
    assert chroma == sorted(chroma)


def test_at_vividness_0_the_colours_are_those_of_their_own_head():
    model = unet().eval()
    L = 100 * torch.rand(1, 1, 32, 32)
    with torch.no_grad():
        ab = model(L).ab
        expected = torch.nn.functional.interpolate(ab, scale_factor=4, mode="bilinear")
        assert torch.equal(model.predict(Inputs(L)), expected)


def test_measuring_counts_the_nearest_bins():
    model = unet()
    colors = torch.tensor([[4.0, -3.0], [58.0, 41.0], [58.0, 41.0]])
    batch = Batch(torch.zeros(3, 1, 32, 32), colors[:, :, None, None].expand(-1, -1, 32, 32), tuple("abc"))
    training_of("unet", model)[0].fit_statistics(model, [batch, batch])
    counts = np.zeros(NUM_BINS)
    for color in colors.numpy():
        counts[np.hypot(*(CENTERS - color).T).argmin()] += 2 * 64
    expected = smooth_frequencies(torch.from_numpy(counts), published_bins())
    assert torch.allclose(model.bin_frequencies, expected.float(), atol=1e-7)
    assert soft_encode(colors, published_bins())[0][1, 0] == model.bin_frequencies.argmax()


@pytest.mark.parametrize("frozen", range(5))
def test_frozen_stages_stay_as_they_are(frozen, batch):
    model = unet(frozen_stages=frozen)
    before = copy.deepcopy(model.state_dict())
    kept = {id(p) for p in model.encoder.stage_parameters(frozen)}
    train_steps(model, batch)
    for name, parameter in model.named_parameters():
        assert (parameter.grad is None) == (id(parameter) in kept), name
        assert torch.equal(parameter, before[name]) == (id(parameter) in kept), name
    assert len(kept) == [0, 12, 18, 31, 44][frozen]
    for name, buffer in model.encoder.named_buffers(prefix="encoder"):
        assert name not in before or torch.equal(buffer, before[name]), name


def test_the_encoder_learns_at_a_rate_of_its_own(batch):
    """Adam's first step is the learning rate, whatever the gradient."""
    model = unet(frozen_stages=3, encoder_lr=0.25)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    train_steps(model, batch, lr=1e-2)
    moved = {name: (p - before[name]).abs().max().item() for name, p in model.named_parameters()}
    encoder = max(change for name, change in moved.items() if name.startswith("encoder."))
    others = max(change for name, change in moved.items() if not name.startswith("encoder."))
    assert (encoder, others) == (pytest.approx(0.25e-2, rel=1e-3), pytest.approx(1e-2, rel=1e-3))


@pytest.mark.parametrize(("scale", "side"), [(1.0, 64), (1.43, 96), (2.0, 128)])
def test_the_encoder_sees_the_photo_enlarged(scale, side, monkeypatch):
    model = unet(encoder_scale=scale).eval()
    seen = []
    monkeypatch.setattr(
        model.encoder, "forward", lambda x: seen.append(x) or TimmEncoder.forward(model.encoder, x)
    )
    out = model.outputs(Inputs(torch.rand(1, 1, 60, 64) * 100))
    assert [tuple(x.shape[-2:]) for x in seen] == [(side, side) if scale > 1 else (60, 64)]
    assert out.ab.shape[-2:] == out.logits.shape[-2:] == (16, 16)


def test_enlarged_by_hand(monkeypatch):
    """The heads are linear: as if a plain model saw the enlarged photo, and its colours were made smaller."""
    model = unet().eval()
    L = torch.rand(1, 1, 64, 96) * 100
    larger = torch.nn.functional.interpolate(L, size=(128, 192), mode="bilinear")
    # L* is no linear function of the gray value that is enlarged.
    monkeypatch.setattr("models.unet.gray_to_rgb", lambda L: L / 100)
    plain = model.outputs(Inputs(larger))
    model.settings = dataclasses.replace(model.settings, encoder_scale=2.0)
    for found, expected in zip(model.outputs(Inputs(L)), plain, strict=True):
        smaller = torch.nn.functional.interpolate(expected, size=(16, 24), mode="bilinear")
        torch.testing.assert_close(found, smaller, atol=1e-4, rtol=1e-4)


def test_a_file_holds_everything(tmp_path, monkeypatch):
    model = unet(encoder_weights="imagenet").eval()
    model.bin_frequencies.uniform_(0, 1)
    save_weights(tmp_path / "x.safetensors", "unet", model, {})

    def forbidden(*args):
        raise AssertionError("asked for what the file holds")

    monkeypatch.setattr(TimmEncoder, "load_imagenet", forbidden)
    monkeypatch.setattr(timm_encoder, "packaged_weights", forbidden)
    L = 100 * torch.rand(1, 1, 40, 50)
    with torch.no_grad():
        loaded = load_weights(tmp_path / "x.safetensors").model
        assert torch.equal(loaded.predict(Inputs(L)), model.predict(Inputs(L)))
        vivid = load_weights(tmp_path / "x.safetensors", settings={"vividness": 1.0}).model
        assert not torch.equal(vivid.predict(Inputs(L)), model.predict(Inputs(L)))
        assert torch.equal(vivid.bin_frequencies, model.bin_frequencies)


def test_a_new_training_takes_the_weights_that_are_asked_for(tmp_path):
    source = unet().encoder.net.state_dict()
    torch.save(source, tmp_path / "encoder.pth")
    torch.manual_seed(1)
    model = small_model("unet", encoder_weights=str(tmp_path / "encoder.pth"))
    assert not torch.equal(model.encoder.net.conv_stem.weight, source["conv_stem.weight"])
    model.load_pretrained()
    assert all(torch.equal(value, source[name]) for name, value in model.encoder.net.state_dict().items())


def test_a_file_in_half_precision_is_small():
    with torch.device("meta"):
        state = build_model("unet").state_dict()
    assert sum(2 * value.numel() if value.is_floating_point() else 8 for value in state.values()) < 14e6
