"""Metrics against scikit-image, published pairs and cases worked by hand."""

import io

import numpy as np
import pytest
import skimage.color
import skimage.data
import skimage.metrics
import torch

import metrics
from data.color import rgb_to_lab


@pytest.fixture(scope="module")
def pair() -> tuple[torch.Tensor, torch.Tensor]:
    """(2, 3, 120, 90) float32 photos and the same with less colour and some noise."""
    crops = [skimage.data.astronaut()[60:180, 150:240], skimage.data.coffee()[100:220, 200:290]]
    target = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).float() / 255
    gray = target.mean(dim=1, keepdim=True)
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0))
    return (0.4 * target + 0.6 * gray + 0.02 * noise).clamp(0, 1), target


def as_numpy(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).double().numpy()


def test_mse_and_psnr_match_skimage(pair):
    for i, (pred, target) in enumerate(zip(*pair, strict=True)):
        args = as_numpy(target), as_numpy(pred)
        expected = skimage.metrics.mean_squared_error(*args)
        assert metrics.mse(*pair)[i].item() == pytest.approx(expected, rel=1e-4)
        expected = skimage.metrics.peak_signal_noise_ratio(*args, data_range=1)
        assert metrics.psnr(*pair)[i].item() == pytest.approx(expected, rel=1e-4)


def test_ssim_matches_skimage(pair):
    for i, (pred, target) in enumerate(zip(*pair, strict=True)):
        expected = skimage.metrics.structural_similarity(
            as_numpy(target),
            as_numpy(pred),
            data_range=1,
            gaussian_weights=True,
            use_sample_covariance=False,
            channel_axis=-1,
        )
        assert metrics.ssim(*pair)[i].item() == pytest.approx(expected, abs=1e-4)


def test_delta_e_matches_skimage(pair):
    lab = [rgb_to_lab(image.double()) for image in pair]
    for i, (pred, target) in enumerate(zip(*lab, strict=True)):
        args = as_numpy(target), as_numpy(pred)
        expected = skimage.color.deltaE_cie76(*args).mean()
        assert metrics.delta_e_76(*lab)[i].item() == pytest.approx(expected, abs=1e-9)
        expected = skimage.color.deltaE_ciede2000(*args).mean()
        assert metrics.delta_e_2000(*lab)[i].item() == pytest.approx(expected, abs=1e-6)


def test_delta_e_from_rgb_matches_skimage(pair):
    """Through our own float32 Lab, whose white is not scikit-image's."""
    lab = [rgb_to_lab(image) for image in pair]
    for i, images in enumerate(zip(*pair, strict=True)):
        expected = skimage.color.deltaE_cie76(*(skimage.color.rgb2lab(as_numpy(x)) for x in images))
        assert metrics.delta_e_76(*lab)[i].item() == pytest.approx(expected.mean(), abs=0.01)


def test_colorfulness_matches_numpy(pair):
    for i, image in enumerate(pair[1]):
        R, G, B = np.moveaxis(255 * as_numpy(image), -1, 0)
        rg, yb = R - G, 0.5 * (R + G) - B
        expected = np.hypot(rg.std(), yb.std()) + 0.3 * np.hypot(rg.mean(), yb.mean())
        assert metrics.colorfulness(pair[1])[i].item() == pytest.approx(expected, rel=1e-4)


def test_gradient_of_colorfulness_is_finite_at_gray():
    rgb = torch.full((2, 3, 4, 4), 0.5)
    rgb[1, 0, 0, 0] = 0.6
    rgb.requires_grad_()
    metrics.colorfulness(rgb).sum().backward()
    assert rgb.grad.isfinite().all()
    assert rgb.grad[1].abs().max() > 0


def test_hand_worked():
    black, gray = torch.zeros(1, 3, 16, 16), torch.full((1, 3, 16, 16), 0.1)
    assert metrics.mse(gray, black).item() == pytest.approx(0.01)
    assert metrics.psnr(gray, black).item() == pytest.approx(20.0)
    # Constant pictures: only the luminance term is left, (2 * 0 + c1) / (0.1^2 + c1).
    assert metrics.ssim(gray, black).item() == pytest.approx(1e-4 / (0.01 + 1e-4), rel=1e-4)
    lab = torch.tensor([50.0, 3.0, 4.0]).view(1, 3, 1, 1)
    neutral = torch.tensor([50.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert metrics.delta_e_76(lab, neutral).item() == pytest.approx(5.0)
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 4, 4)
    assert metrics.colorfulness(red).item() == pytest.approx(0.3 * np.hypot(255, 127.5), rel=1e-5)
    assert metrics.colorfulness(gray).item() == pytest.approx(0, abs=1e-4)


def test_identical_pictures(pair):
    _, target = pair
    lab = rgb_to_lab(target)
    assert (metrics.mse(target, target) == 0).all()
    assert (metrics.psnr(target, target) == metrics.PSNR_CAP).all()
    assert metrics.ssim(target, target).tolist() == pytest.approx([1, 1], abs=1e-6)
    assert (metrics.delta_e_76(lab, lab) == 0).all()
    assert (metrics.delta_e_2000(lab, lab) == 0).all()


@pytest.mark.parametrize("name", ["mse", "psnr", "ssim", "delta_e_76", "delta_e_2000"])
def test_batch_is_its_singles(pair, name):
    metric = getattr(metrics, name)
    singles = [metric(p[None], t[None]).item() for p, t in zip(*pair, strict=True)]
    assert metric(*pair).tolist() == pytest.approx(singles, rel=1e-5)


@pytest.mark.parametrize("name", ["mse", "psnr", "ssim", "delta_e_76", "delta_e_2000"])
def test_wrong_shapes_raise(pair, name):
    metric, (pred, target) = getattr(metrics, name), pair
    for wrong in (target[:1], target[:, :1], target[0], target.byte()):
        with pytest.raises(ValueError, match=r"differ|expected"):
            metric(wrong if wrong.dtype == torch.uint8 else pred, wrong)


def test_ssim_needs_room_for_its_window():
    small = torch.zeros(1, 3, 10, 40)
    with pytest.raises(ValueError, match="11 x 11"):
        metrics.ssim(small, small)


# Sharma, Wu, Dalal 2005, table 1: L1 a1 b1, L2 a2 b2, CIEDE2000.
SHARMA = np.loadtxt(
    io.StringIO("""
    50 2.6772 -79.7751 50 0 -82.7485 2.0425
    50 3.1571 -77.2803 50 0 -82.7485 2.8615
    50 2.8361 -74.0200 50 0 -82.7485 3.4412
    50 -1.3802 -84.2814 50 0 -82.7485 1.0000
    50 -1.1848 -84.8006 50 0 -82.7485 1.0000
    50 -0.9009 -85.5211 50 0 -82.7485 1.0000
    50 0 0 50 -1 2 2.3669
    50 -1 2 50 0 0 2.3669
    50 2.4900 -0.0010 50 -2.4900 0.0009 7.1792
    50 2.4900 -0.0010 50 -2.4900 0.0010 7.1792
    50 2.4900 -0.0010 50 -2.4900 0.0011 7.2195
    50 2.4900 -0.0010 50 -2.4900 0.0012 7.2195
    50 -0.0010 2.4900 50 0.0009 -2.4900 4.8045
    50 -0.0010 2.4900 50 0.0010 -2.4900 4.8045
    50 -0.0010 2.4900 50 0.0011 -2.4900 4.7461
    50 2.5 0 50 0 -2.5 4.3065
    50 2.5 0 73 25 -18 27.1492
    50 2.5 0 61 -5 29 22.8977
    50 2.5 0 56 -27 -3 31.9030
    50 2.5 0 58 24 15 19.4535
    50 2.5 0 50 3.1736 0.5854 1.0000
    50 2.5 0 50 3.2972 0 1.0000
    50 2.5 0 50 1.8634 0.5757 1.0000
    50 2.5 0 50 3.2592 0.3350 1.0000
    60.2574 -34.0099 36.2677 60.4626 -34.1751 39.4387 1.2644
    63.0109 -31.0961 -5.8663 62.8187 -29.7946 -4.0864 1.2630
    61.2901 3.7196 -5.3901 61.4292 2.2480 -4.9620 1.8731
    35.0831 -44.1164 3.7933 35.0232 -40.0716 1.5901 1.8645
    22.7233 20.0904 -46.6940 23.0331 14.9730 -42.5619 2.0373
    36.4612 47.8580 18.3852 36.2715 50.5065 21.2231 1.4146
    90.8027 -2.0831 1.4410 91.1528 -1.6435 0.0447 1.4441
    90.9257 -0.5406 -0.9208 88.6381 -0.8985 -0.7239 1.5381
    6.7747 -0.2908 -2.4247 5.8714 -0.0985 -2.2286 0.6377
    2.0776 0.0795 -1.1350 0.9033 -0.0636 -0.5514 0.9082
    """)
)


@pytest.mark.parametrize("swapped", [False, True])
def test_delta_e_2000_on_published_pairs(swapped):
    first, second = (torch.from_numpy(SHARMA[:, i : i + 3]).view(34, 3, 1, 1) for i in (0, 3))
    if swapped:
        first, second = second, first
    ours = metrics.delta_e_2000(first, second).numpy()
    assert np.abs(ours - SHARMA[:, 6]).max() < 1e-4
