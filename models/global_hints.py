"""The colours of a photo as a whole, their histogram and saturation, as features for every pixel of another.

Source: Zhang et al. 2017, "Real-Time User-Guided Image Colorization with Learned Deep Priors", section 3.2.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.color import lab_to_rgb
from models.bins import NUM_BINS, NUM_NEIGHBORS, SoftEncoder

NUM_STATISTICS = NUM_BINS + 2
"""The share of every bin, the mean saturation, and 1 where these are known; 0 all of them where not."""
_KNOWN_SHARE = 0.5
# Shares are small; so the features begin as large as those that they are added to.
_SCALE = NUM_STATISTICS**0.5


class GlobalHints(nn.Module):
    """Four layers on what is known of a photo's colours as a whole."""

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
        """Features (num or 1, channels, 1, 1), to be added to those of every pixel.

        Args:
            reference: (num or 1, 3, h, w), CIELAB of photos with such colours; None: nothing is known.
            is_known: (num,) bool, of which of them something is to be known; None: of all.
            num: photos.
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
        """CIELAB (N, 3, h, w) -> (N, `NUM_STATISTICS`), of a copy of a fourth of the size."""
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
    """Of which photos of a training something is to be known: every other one, (N,) bool, by their seeds."""
    # A stream of its own: the first numbers of the seed's own decide on the local hints.
    generators = (torch.Generator().manual_seed(seed ^ 0x5EED) for seed in seeds.tolist())
    return torch.stack([torch.rand((), generator=g) for g in generators]) < _KNOWN_SHARE
