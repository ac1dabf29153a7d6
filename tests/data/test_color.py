"""Colour conversion against scikit-image, a float64 reference in NumPy, and published values."""

import numpy as np
import pytest
import skimage.color
import torch

from data import color


def lattice(steps: int = 33, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """(1, 3, steps^2, steps) sRGB colours: a regular lattice, and either side of the sRGB curve's knee.

    The knee of the standard is rounded: within 2e-6 of it two right answers differ by up to 1e-6.
    """
    axis = torch.linspace(0, 1, steps, dtype=dtype)
    axis[1], axis[2] = 0.04045 - 4e-6, 0.04045 + 4e-6
    grid = torch.cartesian_prod(axis, axis, axis)
    return grid.T.reshape(1, 3, steps * steps, steps)


def reference_lab(rgb: np.ndarray) -> np.ndarray:
    """(..., 3) sRGB -> CIELAB, from the formulas of the standards, written independently."""
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    matrix = np.array(color.RGB_TO_XYZ)
    t = linear @ matrix.T / (matrix @ np.ones(3))
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    fx, fy, fz = np.moveaxis(f, -1, 0)
    return np.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], axis=-1)


def channels_last(image: torch.Tensor) -> np.ndarray:
    return image[0].permute(1, 2, 0).numpy()


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-3), (torch.float64, 1e-9)])
def test_rgb_to_lab_matches_float64_reference(dtype, tolerance):
    rgb = lattice()
    lab = channels_last(color.rgb_to_lab(rgb.to(dtype)))
    assert np.abs(lab - reference_lab(channels_last(rgb))).max() < tolerance


def test_rgb_to_lab_matches_skimage():
    rgb = lattice()
    expected = skimage.color.rgb2lab(channels_last(rgb))
    assert np.abs(channels_last(color.rgb_to_lab(rgb)) - expected).max() < 0.02


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-11)])
def test_lightness_is_that_of_lab(dtype, tolerance):
    rgb = lattice()
    L = color.lightness(rgb.to(dtype))
    assert L.dtype == dtype
    expected = torch.from_numpy(reference_lab(channels_last(rgb))[..., 0])
    assert (L[0, 0] - expected).abs().max() < max(tolerance, 1e-9)
    gray = rgb[:, :1].to(dtype)
    difference = color.lightness(gray) - color.lightness(gray.expand(-1, 3, -1, -1))
    assert difference.abs().max() < tolerance
    with pytest.raises(ValueError, match="1 or 3"):
        color.lightness(rgb[:, :2])


@pytest.mark.parametrize(
    ("rgb", "lab"),  # Bruce Lindbloom's calculator, sRGB, D65, to his two decimals
    [
        ((1, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 1, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 1), (32.30, 79.19, -107.86)),
        ((1, 1, 1), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
    ],
)
def test_primaries(rgb, lab):
    pixel = torch.tensor(rgb, dtype=torch.float64).view(1, 3, 1, 1)
    assert color.rgb_to_lab(pixel).flatten().tolist() == pytest.approx(lab, abs=0.02)


def test_the_sides_of_the_srgb_curve_meet():
    knee = torch.tensor([color._SRGB_KNEE], dtype=torch.float64)
    assert ((knee + 0.055) / 1.055).pow(2.4).item() == pytest.approx(knee.item() / 12.92, rel=1e-12)
    assert knee.item() == pytest.approx(0.04045, abs=2e-6)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-4), (torch.float64, 1e-10)])
def test_gray_has_no_chroma(dtype, tolerance):
    gray = torch.linspace(0, 1, 4096, dtype=dtype).view(1, 1, 64, 64).expand(-1, 3, -1, -1)
    assert color.rgb_to_lab(gray)[:, 1:].abs().max() < tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.float64, 1e-12)])
def test_round_trip(dtype, tolerance):
    rgb = lattice(dtype=dtype)
    assert (color.lab_to_rgb(color.rgb_to_lab(rgb)) - rgb).abs().max() < tolerance


@pytest.mark.filterwarnings("ignore:Conversion from CIE-LAB")
def test_lab_to_rgb_clips_as_skimage_does():
    rng = np.random.default_rng(0)
    lab = rng.uniform((0, -110, -110), (100, 110, 110), (50, 50, 3))
    ours = color.lab_to_rgb(torch.from_numpy(lab).permute(2, 0, 1)[None])
    # scikit-image clips negative XYZ too, which moves colours far outside: compare what is inside.
    xyz = skimage.color.lab2xyz(lab)
    linear = xyz @ np.linalg.inv(skimage.color.colorconv.xyz_from_rgb).T
    near = ((linear > 0) & (xyz > 0)).all(axis=-1)
    expected = np.clip(skimage.color.lab2rgb(lab), 0, 1)
    assert near.mean() > 0.2
    assert np.abs(channels_last(ours) - expected)[near].max() < 2e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_chroma_fit_keeps_lightness_and_hue(dtype):
    generator = torch.Generator().manual_seed(0)
    lab = torch.rand(1, 3, 64, 64, generator=generator).to(dtype)
    lab = lab * torch.tensor([100, 240, 240], dtype=dtype).view(3, 1, 1)
    lab = lab - torch.tensor([0, 120, 120], dtype=dtype).view(3, 1, 1)
    fitted = color.rgb_to_lab(color.lab_to_rgb(lab, gamut="chroma"))
    assert (fitted[:, 0] - lab[:, 0]).abs().max() < 0.1
    chromatic = color.cie_chroma(fitted[:, 1:]) > 5
    cosine = torch.cosine_similarity(fitted[:, 1:], lab[:, 1:], dim=1)[chromatic]
    assert cosine.min() > 0.9995
    assert (color.cie_chroma(fitted[:, 1:]) <= color.cie_chroma(lab[:, 1:]) + 0.1).all()


def test_chroma_fit_leaves_colours_inside_alone():
    lab = color.rgb_to_lab(lattice(17))
    assert (color.lab_to_rgb(lab, gamut="chroma") - lattice(17)).abs().max() < 1e-9


def test_gradients():
    rgb = lattice(5).clone().requires_grad_()
    assert torch.autograd.gradcheck(color.rgb_to_lab, rgb * 0.9 + 0.05, atol=1e-4)
    corners = torch.tensor([0.0, 1.0, 0.04045]).view(1, 1, 1, 3).expand(1, 3, 1, 3).clone()
    for function in (color.rgb_to_lab, color.lab_to_rgb):
        corners.requires_grad_()
        (gradient,) = torch.autograd.grad(function(corners).sum(), corners)
        assert gradient.isfinite().all()


@pytest.mark.parametrize("function", [color.rgb_to_lab, color.lab_to_rgb])
@pytest.mark.parametrize(
    "image",
    [torch.zeros(1, 4, 8, 8), torch.zeros(3, 8), torch.zeros(1, 3, 8, 8, dtype=torch.uint8)],
    ids=["channels", "dimensions", "integers"],
)
def test_wrong_input_is_named(function, image):
    with pytest.raises(ValueError, match="expected"):
        function(image)


def test_unknown_gamut():
    with pytest.raises(ValueError, match="gamut"):
        color.lab_to_rgb(torch.zeros(1, 3, 2, 2), gamut="wrap")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_gray_of_a_lightness_is_that_of_scikit_image(dtype):
    L = torch.linspace(0, 100, 501, dtype=dtype)[None, None, None]
    found = color.gray_to_rgb(L)
    assert found.dtype == dtype
    lab = np.stack([L[0, 0].double().numpy(), np.zeros((1, 501)), np.zeros((1, 501))], axis=-1)
    expected = skimage.color.lab2rgb(lab)
    assert np.ptp(expected, axis=-1).max() < 1e-4  # whose white is rounded
    assert np.abs(found[0, 0].double().numpy() - expected.mean(axis=-1)).max() < 2e-5


def test_gray_stays_in_range_and_refuses_colours():
    L = torch.tensor([-5.0, 0.0, 100.0, 120.0]).view(1, 1, 2, 2)
    assert color.gray_to_rgb(L).flatten().tolist() == pytest.approx([0, 0, 1, 1], abs=1e-6)
    with pytest.raises(ValueError, match="1"):
        color.gray_to_rgb(torch.zeros(1, 3, 2, 2))
