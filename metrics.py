"""Metrics of colored photos against true ones: pure functions, one value per photo.

The definitions match the published table (see README); each is tested against scikit-image or
published reference values.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

PSNR_CAP = 100.0
"""dB. Identical pictures have an infinite PSNR, which would make every mean infinite."""

_SSIM_SIGMA, _SSIM_RADIUS = 1.5, 5


def mse(pred: Tensor, target: Tensor) -> Tensor:
    """Mean squared error.

    Args:
        pred, target: (N, 3, H, W), floating, sRGB-coded, in [0, 1].
    Returns:
        (N,), 0 is perfect.
    Raises:
        ValueError: shapes differ or are not (N, 3, H, W).
    """
    _check(pred, target)
    return (pred - target).square().mean(dim=(1, 2, 3))


def psnr(pred: Tensor, target: Tensor) -> Tensor:
    """Peak signal-to-noise ratio, 10 log10(1 / MSE), at most `PSNR_CAP`.

    Args:
        pred, target: (N, 3, H, W), floating, sRGB-coded, in [0, 1].
    Returns:
        (N,), dB, higher is better.
    Raises:
        ValueError: shapes differ or are not (N, 3, H, W).
    """
    return (-10 * mse(pred, target).log10()).clamp_max(PSNR_CAP)


def ssim(pred: Tensor, target: Tensor) -> Tensor:
    """Structural similarity with an 11 x 11 Gaussian window of sigma 1.5 and data range 1.

    Population covariance; mean over the channels and over the area where the window fits.

    Args:
        pred, target: (N, 3, H, W), floating, sRGB-coded, in [0, 1], H and W at least 11.
    Returns:
        (N,), 1 is perfect.
    Raises:
        ValueError: shapes differ, are not (N, 3, H, W), or are smaller than the window.
    Source: Wang et al. 2004, eq. 13, K1 = 0.01, K2 = 0.03.
    """
    _check(pred, target)
    return ssim_to(target)(pred)


def ssim_to(target: Tensor) -> Callable[[Tensor], Tensor]:
    """Return `ssim` as a function of `pred` for a fixed target, whose moments are computed once."""
    if min(target.shape[-2:]) <= 2 * _SSIM_RADIUS:
        raise ValueError(f"SSIM needs photos of at least 11 x 11 pixels, got {tuple(target.shape)}")
    y, yy = _blur(target), _blur(target.square())
    c1, c2 = 0.01**2, 0.03**2

    def compare(pred: Tensor) -> Tensor:
        _check(pred, target)
        x, xx, xy = _blur(pred), _blur(pred.square()), _blur(pred * target)
        mean_products, mean_squares = x * y, x.square() + y.square()
        numerator = (2 * mean_products + c1) * (2 * (xy - mean_products) + c2)
        denominator = (mean_squares + c1) * (xx + yy - mean_squares + c2)
        return (numerator / denominator).mean(dim=(1, 2, 3))

    return compare


def delta_e_76(pred_lab: Tensor, target_lab: Tensor) -> Tensor:
    """CIE 1976 colour difference, mean over pixels.

    Args:
        pred_lab, target_lab: (N, 3, H, W), floating, CIELAB.
    Returns:
        (N,), CIELAB units, 0 is perfect.
    Raises:
        ValueError: shapes differ or are not (N, 3, H, W).
    Source: CIE 15:2004, eq. 8.20.
    """
    _check(pred_lab, target_lab)
    return (pred_lab - target_lab).square().sum(dim=1).sqrt().mean(dim=(1, 2))


def delta_e_2000(pred_lab: Tensor, target_lab: Tensor) -> Tensor:
    """CIEDE2000 colour difference (kL = kC = kH = 1), mean over pixels.

    Args:
        pred_lab, target_lab: (N, 3, H, W), floating, CIELAB.
    Returns:
        (N,), 0 is perfect.
    Raises:
        ValueError: shapes differ or are not (N, 3, H, W).
    Note: for reporting; its gradient is not finite at neutral colours.
    Source: Sharma, Wu, Dalal 2005, eqs. 2-22.
    """
    _check(pred_lab, target_lab)
    (L1, a1, b1), (L2, a2, b2) = pred_lab.unbind(1), target_lab.unbind(1)
    C_mean = (torch.hypot(a1, b1) + torch.hypot(a2, b2)) / 2
    G = 0.5 * (1 - _saturating(C_mean))
    a1, a2 = (1 + G) * a1, (1 + G) * a2
    C1, C2 = torch.hypot(a1, b1), torch.hypot(a2, b2)
    h1, h2 = torch.atan2(b1, a1) % math.tau, torch.atan2(b2, a2) % math.tau

    # Hue is undefined if either colour is neutral: the difference is then 0, and the mean is the sum.
    chromatic = (C1 * C2 != 0).to(C1.dtype)
    dh, h_sum = h2 - h1, h1 + h2
    far = (dh.abs() > math.pi).to(dh.dtype)
    dh = (dh - math.tau * far * dh.sign()) * chromatic
    # Mean along the shorter arc; multiples of 360 degrees matter only for d_theta, which removes them.
    h_mean = h_sum * (1 - chromatic / 2) + math.pi * far * chromatic

    dL, dC = L2 - L1, C2 - C1
    dH = 2 * (C1 * C2).sqrt() * (dh / 2).sin()
    L_mean, C_mean = (L1 + L2) / 2, (C1 + C2) / 2
    T = (
        1
        - 0.17 * (h_mean - math.radians(30)).cos()
        + 0.24 * (2 * h_mean).cos()
        + 0.32 * (3 * h_mean + math.radians(6)).cos()
        - 0.20 * (4 * h_mean - math.radians(63)).cos()
    )
    S_L = 1 + 0.015 * (L_mean - 50) ** 2 / (20 + (L_mean - 50) ** 2).sqrt()
    S_C = 1 + 0.045 * C_mean
    S_H = 1 + 0.015 * C_mean * T
    d_theta = math.radians(30) * (-(((h_mean.rad2deg() % 360 - 275) / 25) ** 2)).exp()
    R_T = -(2 * d_theta).sin() * 2 * _saturating(C_mean)
    L_term, C_term, H_term = dL / S_L, dC / S_C, dH / S_H
    squared = L_term**2 + C_term**2 + H_term**2 + R_T * C_term * H_term
    return squared.clamp_min(0).sqrt().mean(dim=(1, 2))


def colorfulness(rgb: Tensor) -> Tensor:
    """Colourfulness M3 of Hasler and Suesstrunk, of the signed opponent channels.

    Args:
        rgb: (N, 3, H, W), floating, sRGB-coded, in [0, 1].
    Returns:
        (N,), on the scale of 8-bit values: 0 for gray, about 40 for an ordinary photo.
    Raises:
        ValueError: the shape is not (N, 3, H, W).
    Note: the gradient is finite everywhere, gray included.
    Source: Hasler and Suesstrunk 2003, section 7.
    """
    _check(rgb, rgb)
    red, green, blue = (255 * rgb).unbind(1)
    opponents = torch.stack((red - green, (red + green) / 2 - blue), dim=1).flatten(2)
    mean = opponents.mean(dim=2)
    variance = opponents.sub_(mean[:, :, None]).square_().mean(dim=2)
    # Clamped above 0, where sqrt has an infinite gradient; that of the norm is 0 there.
    deviation = variance.sum(dim=1).clamp_min(torch.finfo(rgb.dtype).tiny).sqrt()
    return deviation + 0.3 * mean.norm(dim=1)


def _check(pred: Tensor, target: Tensor) -> None:
    if pred.shape != target.shape:
        raise ValueError(f"shapes differ: {tuple(pred.shape)} and {tuple(target.shape)}")
    if pred.ndim != 4 or pred.shape[1] != 3:
        raise ValueError(f"expected (N, 3, H, W), got {tuple(pred.shape)}")
    if not pred.is_floating_point():
        raise ValueError(f"expected a floating dtype, got {pred.dtype}")


def _blur(image: Tensor) -> Tensor:
    """Separable Gaussian of (N, C, H, W) over the area where the window fits.

    Sums shifted copies instead of convolving: cuDNN may round to TF32, and the differences of
    nearly equal moments in SSIM would lose two digits.
    """
    window = [math.exp(-0.5 * (k / _SSIM_SIGMA) ** 2) for k in range(_SSIM_RADIUS + 1)]
    total = window[0] + 2 * sum(window[1:])
    for dim in (-1, -2):
        size = image.shape[dim] - 2 * _SSIM_RADIUS
        blurred = image.narrow(dim, _SSIM_RADIUS, size) * (window[0] / total)
        for k in range(1, _SSIM_RADIUS + 1):
            for start in (_SSIM_RADIUS - k, _SSIM_RADIUS + k):
                blurred.add_(image.narrow(dim, start, size), alpha=window[k] / total)
        image = blurred
    return image


def _saturating(C: Tensor) -> Tensor:
    """sqrt(C^7 / (C^7 + 25^7)); C^7 overflows float32 only for C above 3.2e5."""
    C7 = C**7
    return (C7 / (C7 + 25.0**7)).sqrt()
