"""Simulate old photographs: film responses, fading, grain, blur, borders, tones and print screens.

A gray photograph is seldom the exact L* of its scene. Each effect maps coloured or gray sRGB to the sRGB of
a scan of such a print, so that effects can be chained; only the L* of the result is used.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from data.color import join, linear_to_srgb, rgb_to_lab, srgb_to_linear

NUM_DRAWS = 5
"""Number of uniform random numbers for one effect on one photo."""


def orthochromatic(rgb: Tensor, u: Tensor) -> Tensor:
    """Emulsions before about 1920, nearly insensitive to red: dark lips and leaves, white skies."""
    red, blue = 0.08 * u[:, 0], 0.35 + 0.3 * u[:, 1]
    return _expose(rgb, torch.stack((red, 1 - red - blue, blue), dim=1))


def colored_filter(rgb: Tensor, u: Tensor) -> Tensor:
    """Panchromatic film behind a colour filter: random weights of red, green and blue."""
    shares = -(u[:, :3].clamp_min(1e-6)).log()  # normalised exponentials are uniform over all mixtures
    return _expose(rgb, shares / shares.sum(dim=1, keepdim=True))


def sepia(rgb: Tensor, u: Tensor) -> Tensor:
    """Brown toning of random strength, which changes L* too."""
    gray = _gray(rgb)
    # Exponents per channel: toning makes red lighter and blue darker than the gray, which green keeps.
    exponents = torch.stack((1 - 0.4 * u[:, 0], torch.ones_like(u[:, 0]), 1 + 0.8 * u[:, 0]), dim=1)
    return gray.clamp_min(1e-4) ** _per_photo(exponents)


def fading(rgb: Tensor, u: Tensor) -> Tensor:
    """Faded contrast: blacks are raised by up to 0.33 of the scale, whites lowered by up to 0.2."""
    black, white = _per_photo(0.33 * u[:, :1]), _per_photo(1 - 0.2 * u[:, 1:2])
    return black + (white - black) * rgb


def blur(rgb: Tensor, u: Tensor) -> Tensor:
    """Blur of an old lens: Gaussian, standard deviation 0.5 to 2 pixels."""
    return _blur(rgb, 0.5 + 1.5 * u[:, 0])


def grain(rgb: Tensor, u: Tensor) -> Tensor:
    """Silver grain: noise of standard deviation 0.02 to 0.1 of the scale, 1 to about 2 pixels wide."""
    size = rgb.shape[-1]
    sheet = _noise(size, rgb.device)
    places = (u[:, 1:3] * (sheet.shape[-1] - size)).int().tolist()
    noise = torch.stack([sheet[y : y + size, x : x + size] for y, x in places])[:, None].to(rgb)
    sigma = 0.3 + 0.5 * u[:, 0]
    noise = _blur(noise, sigma)
    noise = noise / noise.std(dim=(1, 2, 3), keepdim=True)
    return (_gray(rgb) + _per_photo(0.02 + 0.08 * u[:, :1]) * noise).clamp(0, 1)


def borders(rgb: Tensor, u: Tensor) -> Tensor:
    """A border, black to white, of a random width for each side, up to 6 % of the size."""
    hidden, level = _hidden(u, rgb.shape[-1]), _per_photo((3 * u[:, :1] - 1).clamp(0, 1))
    return rgb + hidden * (level - rgb)


def tone(rgb: Tensor, u: Tensor) -> Tensor:
    """Dark and washed-out scans: gamma from 0.5 to 2, then contrast from 0.7 to 1.4 about mid-gray."""
    gamma, contrast = _per_photo(2 ** (2 * u[:, :1] - 1)), _per_photo(2 ** (u[:, 1:2] - 0.5))
    return (0.5 + contrast * (_gray(rgb) ** gamma - 0.5)).clamp(0, 1)


def halftone(rgb: Tensor, u: Tensor) -> Tensor:
    """A newspaper's dot screen at 45 degrees, 3 to 6 pixels apart, softened by the scanner."""
    size = rgb.shape[-1]
    steps = torch.arange(size, device=rgb.device, dtype=rgb.dtype)
    frequency = math.pi * math.sqrt(2) / _per_photo(3 + 3 * u[:, :1])
    across = (steps[None, :] + steps[:, None])[None, None] / 2
    down = (steps[None, :] - steps[:, None])[None, None] / 2
    screen = 0.5 + 0.25 * ((2 * frequency * across).cos() + (2 * frequency * down).cos())
    # Ink where the photo is darker than the screen's threshold; the slope 4 sets the softness of the edges.
    return ((_gray(rgb) - screen) * 4 + 0.5).clamp(0, 1)


Effect = Callable[[Tensor, Tensor], Tensor]
"""((N, 3, S, S) sRGB in [0, 1], (N, NUM_DRAWS) uniform draws) -> (N, 1 or 3, S, S) sRGB in [0, 1]."""

EFFECTS: dict[str, tuple[Effect, float]] = {
    "orthochromatic": (orthochromatic, 0.25),
    "colored_filter": (colored_filter, 0.25),
    "blur": (blur, 0.2),
    "grain": (grain, 0.3),
    "borders": (borders, 0.2),
    "fading": (fading, 0.3),
    "sepia": (sepia, 0.2),
    "halftone": (halftone, 0.1),
    "tone": (tone, 0.3),
}
"""Name -> (effect, its probability in training), in the order in which they affect a photograph."""


def draw_film(num: int, generator: torch.Generator, share: float = 1.0) -> Tensor:
    """Draw the random numbers for `film_lab`.

    Args:
        num: N.
        generator: on the CPU, so that every device gets the same random numbers.
        share: of the photos to which effects may be applied.
    Returns:
        (N, len(EFFECTS), 1 + NUM_DRAWS) in [0, 1]; the first of each effect decides whether it is applied,
        the others are its parameters.
    """
    draws = torch.rand(num, len(EFFECTS), 1 + NUM_DRAWS, generator=generator)
    if share < 1:
        draws[torch.rand(num, generator=generator) >= share, :, 0] = 1  # above any probability
    return draws


def film_lab(rgb: Tensor, draws: Tensor) -> Tensor:
    """Compute the L* of simulated old photographs, together with the photos' true colours.

    Args:
        rgb: (N, 3, S, S), sRGB in [0, 1].
        draws: of `draw_film`, on the CPU.
    Returns:
        (N, 3, S, S) CIELAB: L* of the film, a* and b* of the photo. Under borders a* and b* are 0, since
        the colours hidden there cannot be predicted.
    """
    ab = rgb_to_lab(rgb)[:, 1:]
    rgb = rgb.clone()
    for i, (effect, chance) in enumerate(EFFECTS.values()):
        chosen = (draws[:, i, 0] < chance).nonzero()[:, 0]
        if len(chosen):
            where, u = chosen.to(rgb.device), draws[chosen, i, 1:].to(rgb)
            rgb[where] = effect(rgb[where], u).expand(-1, 3, -1, -1)
            if effect is borders:
                ab[where] *= 1 - _hidden(u, rgb.shape[-1])
    return join(rgb_to_lab(rgb)[:, :1], ab)


def _expose(rgb: Tensor, shares: Tensor) -> Tensor:
    """Mix linear light by (N, 3) shares into one gray channel."""
    light = (srgb_to_linear(rgb) * _per_photo(shares)).sum(dim=1, keepdim=True)
    return linear_to_srgb(light).clamp(0, 1)


def _gray(rgb: Tensor) -> Tensor:
    """The gray picture, (N, 1, S, S), of the same luminance."""
    return _expose(rgb, rgb.new_tensor([[0.2126, 0.7152, 0.0722]]).expand(len(rgb), -1))


def _hidden(u: Tensor, size: int) -> Tensor:
    """Coverage of each pixel by the borders, (N, 1, S, S) in [0, 1]; one side in four has no border."""
    widths = size * (0.08 * u[:, 1:5] - 0.02).clamp_min(0)
    steps = torch.arange(size, device=u.device, dtype=u.dtype)
    left, right, top, bottom = ((width[:, None] - steps).clamp(0, 1) for width in widths.unbind(dim=1))
    across, down = left.maximum(right.flip(1)), top.maximum(bottom.flip(1))
    return across[:, None, None, :].maximum(down[:, None, :, None])


def _per_photo(values: Tensor) -> Tensor:
    """(N, C) -> (N, C, 1, 1)."""
    return values[..., None, None]


def _blur(image: Tensor, sigma: Tensor) -> Tensor:
    """Gaussian blur of (N, C, S, S), each photo by its own sigma (N,), pixels, at most 2."""
    num, channels, size = image.shape[:3]
    radius = min(6, size - 1)  # three standard deviations
    steps = torch.arange(-radius, radius + 1, device=image.device, dtype=image.dtype)
    kernel = (-0.5 * (steps / sigma[:, None]) ** 2).exp()
    kernel = (kernel / kernel.sum(dim=1, keepdim=True)).repeat_interleave(channels, dim=0)[:, None]
    flat = image.reshape(1, num * channels, size, size)
    flat = F.conv2d(
        F.pad(flat, (radius, radius, 0, 0), mode="reflect"), kernel[:, :, None, :], groups=len(kernel)
    )
    flat = F.conv2d(
        F.pad(flat, (0, 0, radius, radius), mode="reflect"), kernel[:, :, :, None], groups=len(kernel)
    )
    return flat.reshape(image.shape)


@functools.lru_cache(maxsize=2)
def _noise(size: int, device: torch.device) -> Tensor:
    """White noise (size + 512, size + 512) with a fixed seed; grain uses random windows of it."""
    side = size + 512
    return torch.randn(side, side, generator=torch.Generator().manual_seed(0)).to(device)
