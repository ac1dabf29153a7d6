"""coltran2021: coarse colours sampled pixel by pixel at low resolution, then upsampled in depth and space.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer"; layers as in the authors' code.
Three things differ. Theirs takes luma as input, here it is L*. Theirs takes the argmax of an upsampler, here
it is the mean, which shows no banding. Theirs returns RGB; here its a* and b* are resized to the photo's
size and joined with the photo's own L*.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batch import Batch
from data.color import L_SCALE, rgb_to_lab
from models.axial_attention import Shape
from models.base import ColorizationModel, one_by_one
from models.coltran_core import NUM_GRAYS, ColorizerCore
from models.coltran_truth import NUM_LEVELS, NUM_VALUES, Truth, levels_of, mean_levels
from models.coltran_upsampler import Upsampler
from models.inputs import Inputs
from models.settings import ColTran2021Settings


class Preset(NamedTuple):
    """Sides of the coarse and the fine picture, channels, attention heads, and layers of each stack."""

    low: int
    high: int
    width: int
    num_heads: int
    num_encoder: int
    num_decoder: int
    num_upsampler: int


_PRESETS = {"paper": Preset(64, 256, 512, 4, 4, 2, 4), "small": Preset(16, 32, 32, 4, 2, 1, 1)}


class Output(NamedTuple):
    """
    Attributes:
        ab: (N, 2, H, W) float32, CIELAB units; None without `with_colors`.
        parallel: (N, low, low, 512), logits of the coarse colours, predicted independently per pixel.
        taught: logits given a truth (teacher forcing): of the colorizer (N, low, low, 512), of the colour
            upsampler (N, low, low, 256) and of the spatial upsampler (N, high, high, 256).
    """

    ab: Tensor | None
    parallel: Tensor
    taught: tuple[Tensor, Tensor, Tensor] | None = None


class ColTran2021(ColorizationModel):
    """A colorizer over 512 colours, a colour upsampler and a spatial upsampler."""

    Settings = ColTran2021Settings
    summary: ClassVar[str] = "Kumar et al. 2021: a transformer draws coarse colours, two refine them"
    accepts = frozenset({"seeds"})
    is_random = True

    def __init__(self, settings: ColTran2021Settings) -> None:
        super().__init__(settings)
        self.preset = preset = _PRESETS[settings.preset]
        low = Shape(preset.width, preset.num_heads, preset.low)
        high = low._replace(side=preset.high)
        layers = {"num_outer": preset.num_decoder, "num_inner": preset.num_decoder}
        self.core = ColorizerCore(low, num_encoder=preset.num_encoder, **layers)
        self.color = Upsampler(low, num_levels=NUM_LEVELS, num_layers=preset.num_upsampler)
        self.spatial = Upsampler(high, num_levels=NUM_VALUES, num_layers=preset.num_upsampler)

    def inputs(self, batch: Batch) -> Inputs:
        """Omit seeds: training and test use the mean prediction, deterministic and in one pass."""
        return Inputs(batch.L)

    def forward(
        self,
        L: Tensor,
        seeds: Tensor | None = None,
        truth: Truth | None = None,
        *,
        with_colors: bool = True,
    ) -> Output:
        """Predict colours and, given a truth, the logits of each part under teacher forcing.

        Args:
            L: (N, 1, H, W) float32, in [0, 100].
            seeds: (N,) int64, for sampling coarse colours; None: the parallel head's mean.
            truth: training targets; None: no logits of the parts.
            with_colors: whether to compute the colours.
        """
        if seeds is not None and len(L) > 1:
            alone = one_by_one(lambda one: self(L[one], seeds[one]), len(L))
            ab = torch.cat([self.colors(out, L) for out in alone])
            return Output(ab, torch.cat([out.parallel for out in alone]))
        photo = F.interpolate(L, (self.preset.high,) * 2, mode="bilinear", antialias=True)[:, 0]
        high = (NUM_GRAYS - 1) / L_SCALE * photo
        low = F.avg_pool2d(high, self.preset.high // self.preset.low)
        gray = self.core.encoder(low)
        parallel = self.core.parallel(gray)
        taught = None if truth is None else self._teach(gray, low, high, truth)
        if not with_colors:
            return Output(None, parallel, taught)
        levels = mean_levels(parallel) if seeds is None else levels_of(self._draw(gray, seeds))
        return Output(self._refine(levels, low, high, L.shape[-2:]), parallel, taught)

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """See the base class."""
        assert out.ab is not None
        return out.ab

    def _teach(self, gray: Tensor, low: Tensor, high: Tensor, truth: Truth) -> tuple[Tensor, Tensor, Tensor]:
        """Compute the logits of every part, with the truth in place of the previous part's output."""
        coarse = truth.taught(levels_of(truth.coarse))
        blurred = self._enlarge(truth.taught(truth.low).float()[:, None])[:, 0]
        return (
            self.core(truth.coarse, gray),
            self.color(coarse, low, truth.channel),
            self.spatial(blurred, high, truth.channel),
        )

    def _draw(self, gray: Tensor, seeds: Tensor) -> Tensor:
        """Sample coarse colours; random numbers come from the CPU, the same for all devices."""
        side = self.preset.low
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        uniform = torch.stack([torch.rand(side, side, generator=g, dtype=torch.float32) for g in generators])
        return self.core.sample(gray, uniform.to(gray.device), self.settings.temperature)

    def _refine(self, levels: Tensor, low: Tensor, high: Tensor, size: Sequence[int]) -> Tensor:
        """Upsample levels (N, 3, low, low) of coarse colours to a*, b* (N, 2, H, W) of the photo's size."""
        rgb = self.spatial.mean(self._enlarge(self.color.mean(levels, low)), high) / (NUM_VALUES - 1)
        with torch.autocast(rgb.device.type, enabled=False):
            # The fifth dimension keeps it from being split by batch, whose size an export does not know.
            ab = rgb_to_lab(rgb[None])[0, :, 1:]
            return F.interpolate(ab, tuple(size), mode="bilinear", antialias=True)

    def _enlarge(self, low: Tensor) -> Tensor:
        """(N, C, low, low) -> (N, C, high, high)."""
        return F.interpolate(low, (self.preset.high,) * 2, mode="bilinear")
