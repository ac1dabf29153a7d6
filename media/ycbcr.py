"""Y'CbCr codes of a clip: gray from its luma, and the Cb and Cr that show given colours at unchanged luma.

R'G'B' of a clip is taken for sRGB, whatever its primaries and transfer function, as most players do.

Sources: ITU-T H.273, equations 23-28 and 39-41 (codes), table 4 (weights of the matrices).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from data.color import lab_to_rgb, lightness

LIMITED_RANGE, FULL_RANGE = 1, 2
"""Codes of black and white in 8 bits: 16 and 235 (limited), or 0 and 255 (full)."""

_WEIGHTS = {
    1: (0.2126, 0.0722),
    4: (0.30, 0.11),
    5: (0.299, 0.114),
    6: (0.299, 0.114),
    7: (0.212, 0.087),
    9: (0.2627, 0.0593),
}


@dataclass(frozen=True)
class Coding:
    """What the numbers of a clip's planes mean.

    Attributes:
        matrix: its number in H.273, one of `media.ffmpeg.MATRICES`.
        color_range: `LIMITED_RANGE` or `FULL_RANGE`.
        bits: 8 or 10.
    """

    matrix: int
    color_range: int
    bits: int

    @property
    def dtype(self) -> np.dtype:
        """The dtype of the planes."""
        return np.dtype(np.uint8 if self.bits == 8 else np.uint16)

    @property
    def weights(self) -> tuple[float, float, float]:
        """Weights of R', G' and B' in Y'."""
        red, blue = _WEIGHTS[self.matrix]
        return red, 1 - red - blue, blue

    def levels(self) -> tuple[float, float, float]:
        """The luma codes of black and white, and the number of codes per unit of Cb or Cr."""
        if self.color_range == FULL_RANGE:
            return 0, 2**self.bits - 1, 2**self.bits - 1
        unit = 2 ** (self.bits - 8)
        return 16 * unit, 235 * unit, 224 * unit

    def luma(self, parts: int = 1) -> Tensor:
        """Y' in [0, 1] of every sum of `parts` codes: (parts * (2^bits - 1) + 1,) float32."""
        black, white, _ = self.levels()
        codes = torch.arange(parts * (2**self.bits - 1) + 1, dtype=torch.float64) / parts
        return ((codes - black) / (white - black)).clamp(0, 1).float()

    def lightness(self, parts: int = 1) -> Tensor:
        """L* of the gray of every sum of `parts` codes, as `luma`, in [0, 100]."""
        return lightness(self.luma(parts)[None, None])[0, 0]

    def gray(self, luma: np.ndarray) -> np.ndarray:
        """Codes of the luma, any shape, as sRGB gray of 8 bits."""
        table = (self.luma() * 255).round().byte().numpy()
        # Only damaged frames have codes beyond 10 bits.
        return table[luma] if self.bits == 8 else np.take(table, luma, mode="clip")

    def negative(self, codes: np.ndarray, *, is_luma: bool) -> np.ndarray:
        """Codes of the negative of a picture, any shape and the same dtype: 1 - R', 1 - G' and 1 - B'."""
        black, white, _ = self.levels()
        both = black + white if is_luma else 2**self.bits
        return (both - codes.astype(np.int32)).clip(0, 2**self.bits - 1).astype(codes.dtype)

    def chroma(self, luma: Tensor, lab: Tensor) -> Tensor:
        """Codes of the Cb and Cr that show given colours while the luma stays unchanged.

        Y' of a strong colour differs from Y' of the gray with the same L*. What is kept is the difference of
        R', G' and B' from their own Y', added to this luma. Where one of the three would then leave [0, 1],
        all differences are scaled down by the same factor, also for colours beyond sRGB.

        Args:
            luma: (1, 1, H, W), Y' in [0, 1].
            lab: (1, 3, H, W), CIELAB units.
        Returns:
            (1, 2, H, W), rounded, same dtype.
        """
        red, green, blue = self.weights
        rgb = lab_to_rgb(lab, gamut="none")
        r, g, b = rgb.split(1, dim=1)
        away = rgb - (r * red).add_(g, alpha=green).add_(b, alpha=blue)
        room = torch.where(away > 0, 1 - luma, luma) / away.abs().clamp_min_(1e-6)
        share = room.amin(dim=1, keepdim=True).clamp_max_(1)
        difference = away[:, [2, 0]] * share
        difference /= torch.tensor([2 - 2 * blue, 2 - 2 * red]).view(1, 2, 1, 1)
        _, _, scale = self.levels()
        codes = difference.mul_(scale).add_(2 ** (self.bits - 1)).round_()
        return codes.clamp_(0, 2**self.bits - 1)
