"""sRGB <-> linear RGB <-> CIE XYZ <-> CIELAB on tensors of any device.

Only elementwise arithmetic: some hardware rounds matrix products to TF32 or bfloat16 by default, which
would shift colours visibly.

Every curve here is linear below a knee and a power above it. It is computed as the power of
max(x, knee) plus the line of min(x, knee) - knee: one of the two is constant on either side, so values
and gradients are finite everywhere, and `torch.where`, slow on a CPU, is not needed. In-place operations
modify only tensors created here, and none that autograd saves.

Sources: IEC 61966-2-1 (sRGB curve); ITU-R BT.709 primaries with D65, to six digits; CIE 15:2004
section 8.2.1 (CIELAB), with the exact fractions of the CIE for its two constants.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

L_SCALE = 100.0
"""L* of white: L / L_SCALE is in [0, 1]."""
AB_SCALE = 128.0
"""ab / AB_SCALE is inside [-1, 1] for every colour of sRGB (-107.9 .. 98.2)."""

RGB_TO_XYZ = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
# The white point of the matrix itself, not the rounded one of the tables (0.95047, 1, 1.08883), with
# which a neutral gray would get a b* of 0.005.
WHITE = tuple(sum(row) for row in RGB_TO_XYZ)

EPSILON = 216 / 24389
KAPPA = 24389 / 27

# Divided by the white, so that both directions work on relative X/Xn, Y/Yn, Z/Zn.
_FORWARD = [[value / white for value in row] for row, white in zip(RGB_TO_XYZ, WHITE, strict=True)]
_INVERSE = torch.tensor(_FORWARD, dtype=torch.float64).inverse().tolist()

# Where line and power of the sRGB curve meet, coded and linear. The standard rounds these to 0.04045
# and 0.0031308, where the two differ by up to 1e-8; with the exact values the curve has no step.
_SRGB_KNEE = 0.0404482362771082
_LINEAR_KNEE = _SRGB_KNEE / 12.92

# Values converted at a time on a CPU, so that the output of one operation is still cached for the next.
_CACHED_VALUES = 2**19

# Bisection steps of the chroma fit: 2^-14 of the largest ab is below 0.01 units.
_FIT_STEPS = 14


def srgb_to_linear(rgb: Tensor) -> Tensor:
    """Convert sRGB codes to linear light.

    Args:
        rgb: any shape, float32/64, sRGB-coded, in [0, 1]; values outside follow the same formula.
    Returns:
        Same shape and dtype: linear light.
    Source: IEC 61966-2-1.
    """
    curve = _power(rgb.clamp_min(_SRGB_KNEE).add_(0.055).div_(1.055), 2.4)
    return curve.add(rgb.clamp_max(_SRGB_KNEE).sub_(_SRGB_KNEE), alpha=1 / 12.92)


def linear_to_srgb(rgb_linear: Tensor) -> Tensor:
    """Convert linear light to sRGB codes; the inverse of `srgb_to_linear`.

    Args:
        rgb_linear: any shape, float32/64, linear light; not clipped.
    Returns:
        Same shape and dtype, sRGB-coded.
    """
    curve = _power(rgb_linear.clamp_min(_LINEAR_KNEE), 1 / 2.4).mul(1.055).sub_(0.055)
    return curve.add_(rgb_linear.clamp_max(_LINEAR_KNEE).sub_(_LINEAR_KNEE), alpha=12.92)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIELAB.

    Args:
        rgb: (..., 3, H, W), float32/64, sRGB-coded, in [0, 1]; not clipped.
    Returns:
        (..., 3, H, W), same dtype and device: L* in [0, 100]; a*, b* unbounded (sRGB gamut:
        a -86.2..98.2, b -107.9..94.5), D65, 2-degree. Gray gives |ab| < 1e-4 (float32).
    Raises:
        ValueError: the channel axis is not 3, or the dtype is not float32/64.
    Note: gradients are finite everywhere, black included.
    Source: CIE 15:2004, eqs. 8.3-8.11.
    """
    _check(rgb, 3)
    return _in_parts(_rgb_to_lab, rgb)


def lightness(rgb: Tensor) -> Tensor:
    """Compute only the L* of `rgb_to_lab`, in half the time; in a quarter for gray.

    Args:
        rgb: (..., 3, H, W), or (..., 1, H, W) for gray; float32/64, sRGB-coded, in [0, 1]; not clipped.
    Returns:
        (..., 1, H, W), same dtype and device: L* in [0, 100].
    Raises:
        ValueError: the channel axis is neither 1 nor 3, or the dtype is not float32/64.
    """
    _check(rgb, 1, 3)
    linear = srgb_to_linear(rgb)
    Y = linear if rgb.shape[-3] == 1 else _weigh(_FORWARD[1], linear).unsqueeze(-3)
    return _lab_curve(Y).mul_(116).sub_(16)


def lab_to_rgb(lab: Tensor, *, gamut: str = "clip") -> Tensor:
    """Convert CIELAB to sRGB in [0, 1].

    Args:
        lab: (..., 3, H, W), float32/64, D65, 2-degree; L* is clipped to [0, 100].
        gamut: how colours outside sRGB are treated. 'clip' clips each channel, as the published scores
            do, which changes lightness and hue. 'chroma' scales (a*, b*) down until the colour fits,
            which keeps lightness and hue; for pictures to look at. 'none' leaves channels outside
            [0, 1] as they are.
    Returns:
        (..., 3, H, W), same dtype and device, sRGB-coded, in [0, 1] except with 'none'.
    Raises:
        ValueError: the channel axis is not 3, the dtype is not float32/64, or `gamut` is unknown.
    """
    _check(lab, 3)
    if gamut not in ("clip", "chroma", "none"):
        raise ValueError(f"gamut must be 'clip', 'chroma' or 'none', got {gamut!r}")
    to_linear = _lab_to_linear_inside if gamut == "chroma" else _lab_to_linear
    rgb = _in_parts(lambda part: linear_to_srgb(to_linear(part)), lab)
    return rgb if gamut == "none" else rgb.clamp_(0, 1)


def gray_to_rgb(L: Tensor) -> Tensor:
    """Convert L* to the gray of sRGB with that lightness.

    Args:
        L: (..., 1, H, W), float32/64, in [0, 100].
    Returns:
        Same shape, dtype and device: the common value of R, G and B, in [0, 1].
    Raises:
        ValueError: the channel axis is not 1, or the dtype is not float32/64.
    """
    _check(L, 1)
    # Bounds as floats: the ONNX export cannot promote integers.
    return linear_to_srgb(_lab_curve_inverse((L.clamp(0.0, L_SCALE) + 16) / 116)).clamp(0.0, 1.0)


def join(L: Tensor, ab: Tensor) -> Tensor:
    """Concatenate L (..., 1, H, W) and ab (..., 2, H, W) to Lab (..., 3, H, W)."""
    return torch.cat((L, ab), dim=-3)


def cie_chroma(ab: Tensor) -> Tensor:
    """Compute C*ab, the distance from gray.

    Args:
        ab: (..., 2, H, W), CIELAB units.
    Returns:
        (..., H, W), CIELAB units.
    """
    return torch.hypot(*ab.unbind(-3))


def _check(image: Tensor, *channels: int) -> None:
    if image.ndim < 3 or image.shape[-3] not in channels:
        raise ValueError(f"expected (..., {' or '.join(map(str, channels))}, H, W), got {tuple(image.shape)}")
    if image.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"expected float32 or float64, got {image.dtype}")


def _in_parts(convert: Callable[[Tensor], Tensor], photos: Tensor) -> Tensor:
    """Apply `convert` to (N, 3, H, W), on a CPU to a few photos at a time."""
    if photos.device.type != "cpu" or photos.ndim != 4:
        return convert(photos)
    num = max(1, _CACHED_VALUES * len(photos) // max(1, photos.numel()))
    return torch.cat([convert(part) for part in photos.split(num)])


def _rgb_to_lab(rgb: Tensor) -> Tensor:
    fx, fy, fz = (_lab_curve(t) for t in _mix(_FORWARD, srgb_to_linear(rgb)))
    return torch.stack(((fy * 116).sub_(16), fx.sub_(fy).mul_(500), fz.sub_(fy).mul_(-200)), dim=-3)


def _mix(matrix: list[list[float]], image: Tensor) -> tuple[Tensor, ...]:
    """Rows of `matrix` times the three channels of (..., 3, H, W)."""
    return tuple(_weigh(row, image) for row in matrix)


def _weigh(row: list[float], image: Tensor) -> Tensor:
    """(..., 3, H, W) -> (..., H, W), the weighted sum of the channels."""
    x, y, z = image.unbind(-3)
    return (x * row[0]).add_(y, alpha=row[1]).add_(z, alpha=row[2])


def _lab_curve(t: Tensor) -> Tensor:
    """f of CIE 15:2004 eq. 8.9-8.11, on X/Xn, Y/Yn or Z/Zn."""
    return _power(t.clamp_min(EPSILON), 1 / 3).add(t.clamp_max(EPSILON).sub_(EPSILON), alpha=KAPPA / 116)


def _power(x: Tensor, exponent: float) -> Tensor:
    """x^exponent for x in (0, 1] and slightly above: faster than `pow`, and equally precise there.

    The error of log2 is multiplied by the exponent and the result, and x^p |log2 x| stays below 1.3.
    """
    return x.log2().mul_(exponent).exp2_()


def _lab_to_linear(lab: Tensor) -> Tensor:
    L, a, b = lab.unbind(-3)
    fy = (L.clamp(0, L_SCALE) + 16) / 116
    f = torch.stack((fy.add(a, alpha=1 / 500), fy, fy.sub(b, alpha=1 / 200)), dim=-3)
    return torch.stack(_mix(_INVERSE, _lab_curve_inverse(f)), dim=-3)


def _lab_curve_inverse(f: Tensor) -> Tensor:
    """f of CIE 15:2004 -> X/Xn, Y/Yn or Z/Zn."""
    knee = EPSILON ** (1 / 3)
    return f.clamp_min(knee).pow(3).add(f.clamp_max(knee).sub_(knee), alpha=116 / KAPPA)


def _lab_to_linear_inside(lab: Tensor) -> Tensor:
    """`_lab_to_linear`, with (a*, b*) of each out-of-gamut pixel scaled to the edge of sRGB.

    The gray of any lightness in [0, 100] is inside the gamut, so bisection between it and the requested
    colour always ends on a colour that fits.
    """
    # In float64 tight enough for float pictures; in float32 above the rounding error.
    tolerance = 1e-7 if lab.dtype == torch.float64 else 1e-5
    linear = _lab_to_linear(lab)
    outside = _is_outside(linear, tolerance)
    if not outside.any():
        return linear
    # Only the out-of-gamut pixels, as a picture of one row.
    colors = lab.movedim(-3, 0)[:, outside][:, None]  # (3, 1, K)
    L, ab = colors[:1], colors[1:]
    low, high = torch.zeros_like(L), torch.ones_like(L)
    for _ in range(_FIT_STEPS):
        middle = (low + high) / 2
        too_far = _is_outside(_lab_to_linear(join(L, ab * middle)), tolerance)
        low, high = torch.where(too_far, low, middle), torch.where(too_far, middle, high)
    linear.movedim(-3, 0)[:, outside] = _lab_to_linear(join(L, ab * low))[:, 0]
    return linear


def _is_outside(linear: Tensor, tolerance: float) -> Tensor:
    """(..., 3, H, W) linear light -> (..., H, W) bool, whether the colour is outside sRGB."""
    red, green, blue = ((channel - 0.5).abs_() for channel in linear.unbind(-3))
    return torch.maximum(torch.maximum(red, green), blue) > 0.5 + tolerance
