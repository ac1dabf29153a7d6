"""Global hints: colour histogram and saturation of a reference photo, as features for another photo.

Source: Zhang et al. 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors", section 3.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.color import lab_to_rgb
from models.bins import NUM_BINS, NUM_NEIGHBORS, SoftEncoder

NUM_STATISTICS = NUM_BINS + 2
"""Frequency of each bin, mean saturation, and 1 if these are known; all are 0 if unknown."""
_KNOWN_SHARE = 0.5
# Frequencies are small: scaled, the features start as large as those that they are added to.
_SCALE = NUM_STATISTICS**0.5


class GlobalHints(nn.Module):
    """Four linear layers on the colour statistics of a whole photo."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.encoder = SoftEncoder()
        layers: list[nn.Module] = []
        for number in range(4):
            layers += [nn.Linear(channels if number else NUM_STATISTICS, channels), nn.ReLU(inplace=True)]
        self.layers = nn.Sequential(*layers)
        for parameter in self.layers.parameters():
            if parameter.ndim > 1:
                nn.init.kaiming_normal_(parameter, nonlinearity="relu")
            else:
                nn.init.zeros_(parameter)

    def forward(self, reference: Tensor | None, is_known: Tensor | None, num: int) -> Tensor:
        """Compute features (num or 1, channels, 1, 1), to be added at every pixel.

        Args:
            reference: (num or 1, 3, h, w), CIELAB of the reference photos; None: unknown statistics.
            is_known: (num,) bool, for which photos to use the statistics; None: for all.
            num: number of photos.
        """
        if reference is None:
            found = next(self.parameters()).new_zeros(num, NUM_STATISTICS)
        else:
            with torch.autocast(reference.device.type, enabled=False):
                found = self.statistics(reference)
        if is_known is not None:
            found = found * is_known[:, None].to(found)
        features: Tensor = self.layers(_SCALE * found)
        return features[..., None, None]

    def statistics(self, reference: Tensor) -> Tensor:
        """CIELAB (N, 3, h, w) -> (N, `NUM_STATISTICS`), computed at a fourth of the size."""
        height, width = (max(1, side // 4) for side in reference.shape[-2:])
        small = F.interpolate(reference, (height, width), mode="area")
        index, share = self.encoder(small[:, 1:].movedim(1, -1).flatten(0, -2))
        shares = reference.new_zeros(len(reference), NUM_BINS)
        per_photo = (len(reference), height * width * NUM_NEIGHBORS)
        shares.scatter_add_(1, index.view(per_photo), share.to(shares).view(per_photo) / (height * width))
        rgb = lab_to_rgb(small, gamut="chroma")
        saturation = 1 - rgb.amin(dim=1) / rgb.amax(dim=1).clamp_min(1e-6)
        mean = saturation.mean(dim=(1, 2))[:, None]
        return torch.cat((shares, mean, torch.ones_like(mean)), dim=1)


def draw_known(seeds: Tensor) -> Tensor:
    """Draw by seed which training photos get global hints, with probability `_KNOWN_SHARE`: (N,) bool."""
    # A separate stream, since the first numbers of the seed's own stream determine the local hints.
    generators = (torch.Generator().manual_seed(seed ^ 0x5EED) for seed in seeds.tolist())
    return torch.stack([torch.rand((), generator=g) for g in generators]) < _KNOWN_SHARE
