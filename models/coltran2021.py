"""coltran2021: coarse colours drawn pixel by pixel at low resolution, then made fine in colour and in space.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer"; layers as in the authors' code.
Three things differ. Theirs sees the photo's luma, here it is L*. Theirs takes the likeliest value of an
upsampler, here it is the mean, which has no steps. Theirs returns RGB; here a* and b* of that are taken,
brought to the photo's size, and L* is the photo's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from data.batch import Batch
from data.color import L_SCALE, join, lab_to_rgb, rgb_to_lab
from models.axial_attention import Shape
from models.base import ColorizationModel
from models.coltran_core import NUM_COLORS, NUM_GRAYS, ColorizerCore
from models.coltran_upsampler import NUM_VALUES, Upsampler
from models.inputs import Inputs
from models.objective import Objective
from models.settings import ColTran2021Settings

NUM_LEVELS = 8
"""Of R, of G and of B in the coarse colours."""
PARALLEL_WEIGHT = 0.01
"""lambda: of the parallel head's cross-entropy; that of the colorizer weighs the rest."""


class Preset(NamedTuple):
    """Sides of the coarse and of the fine picture, channels, heads, and layers of each stack."""

    low: int
    high: int
    width: int
    num_heads: int
    num_encoder: int
    num_decoder: int
    num_upsampler: int


_PRESETS = {"paper": Preset(64, 256, 512, 4, 4, 2, 4), "small": Preset(16, 32, 32, 4, 2, 1, 1)}


class Truth(NamedTuple):
    """What a training gives beside L*: true colours as the parts see and learn them, int64.

    Attributes:
        coarse: (N, low, low), in [0, 511].
        low: (N, 3, low, low), R, G and B in [0, 255].
        high: (N, 3, high, high), the same.
        channel: (N, 1, 1), that of the three of which a photo's upsampling is learnt this time.
    """

    coarse: Tensor
    low: Tensor
    high: Tensor
    channel: Tensor


class Output(NamedTuple):
    """
    Attributes:
        ab: (N, 2, H, W) float32, CIELAB units; None in a step of a training.
        autoregressive, parallel: (N, low, low, 512) logits of the coarse colours.
        color, spatial: (N, side, side, 256) logits of one channel; as `autoregressive` of a truth alone.
    """

    ab: Tensor | None
    parallel: Tensor
    autoregressive: Tensor | None = None
    color: Tensor | None = None
    spatial: Tensor | None = None


class ColTran2021(ColorizationModel):
    """A colorizer over 512 colours, an upsampler of colours and one of space."""

    Settings = ColTran2021Settings
    summary: ClassVar[str] = "Kumar et al. 2021: a transformer draws coarse colours, two refine them"
    accepts = frozenset({"seeds"})
    is_random = True
    levels: Tensor

    def __init__(self, settings: ColTran2021Settings) -> None:
        super().__init__(settings)
        self.preset = preset = _PRESETS[settings.preset]
        low = Shape(preset.width, preset.num_heads, preset.low)
        high = low._replace(side=preset.high)
        self.core = ColorizerCore(
            low,
            num_encoder=preset.num_encoder,
            num_outer=preset.num_decoder,
            num_inner=preset.num_decoder,
        )
        self.color = Upsampler(low, num_levels=NUM_LEVELS, num_layers=preset.num_upsampler)
        self.spatial = Upsampler(high, num_levels=NUM_VALUES, num_layers=preset.num_upsampler)
        self.register_buffer("levels", _levels_of(torch.arange(NUM_COLORS)), persistent=False)

    def inputs(self, batch: Batch) -> Inputs:
        """Without seeds: trainings and tests look at the best guess, which one pass gives, always the same."""
        return Inputs(batch.L)

    def forward(self, L: Tensor, seeds: Tensor | None = None, truth: Truth | None = None) -> Output:
        """Colours, and what the parts say of a truth.

        Args:
            L: (N, 1, H, W) float32, in [0, 100].
            seeds: (N,) int64, to draw coarse colours by; None: the mean of what the parallel head expects.
            truth: to learn from.
        """
        if seeds is not None and len(L) > 1:
            # Alone: the rounding of sums depends on the size of the batch, and what is drawn on the rounding.
            alone = [self(part, seed) for part, seed in zip(L.split(1), seeds.split(1), strict=True)]
            return Output(*(torch.cat(parts) for parts in zip(*(out[:2] for out in alone), strict=True)))
        photo = F.interpolate(L, (self.preset.high,) * 2, mode="bilinear", antialias=True) / L_SCALE
        high = (NUM_GRAYS - 1) * photo[:, 0]
        low = F.avg_pool2d(high, self.preset.high // self.preset.low)
        gray = self.core.encoder(low)
        out = Output(None, self.core.parallel(gray))
        if truth is not None:
            out = self._teach(out, gray, low, high, truth)
        if truth is None or not self.training:
            levels = self._expect(out.parallel) if seeds is None else self._draw(gray, seeds)
            out = out._replace(ab=self._refine(levels, low, high, L.shape[-2:]))
        return out

    def colors(self, out: Output, L: Tensor) -> Tensor:
        """See the base class."""
        assert out.ab is not None
        return out.ab

    def _teach(self, out: Output, gray: Tensor, low: Tensor, high: Tensor, truth: Truth) -> Output:
        """Every part with the truth for what the part before it would give."""
        which = truth.channel[:, None]
        coarse = _pick(_levels_of(truth.coarse).movedim(-1, 1), which)
        blurred = self._enlarge(_pick(truth.low, which)[:, None].float())[:, 0]
        return out._replace(
            autoregressive=self.core(truth.coarse, gray),
            color=self.color(coarse.float(), low, truth.channel),
            spatial=self.spatial(blurred, high, truth.channel),
        )

    def _expect(self, logits: Tensor) -> Tensor:
        """The mean levels (N, 3, low, low) of the parallel head."""
        return (logits.float().softmax(dim=-1) @ self.levels).movedim(-1, 1)

    def _draw(self, gray: Tensor, seeds: Tensor) -> Tensor:
        """Levels (N, 3, low, low); the random numbers of a photo are made on the CPU, everywhere the same."""
        side = self.preset.low
        generators = [torch.Generator().manual_seed(seed) for seed in seeds.tolist()]
        uniform = torch.stack([torch.rand(side, side, generator=g) for g in generators])
        coarse = self.core.sample(gray, uniform.to(gray.device), self.settings.temperature)
        return self.levels[coarse].movedim(-1, 1)

    def _refine(self, levels: Tensor, low: Tensor, high: Tensor, size: Sequence[int]) -> Tensor:
        """Levels (N, 3, low, low) of coarse colours -> ab of the photo's size."""
        rgb = self.spatial.mean(self._enlarge(self.color.mean(levels, low)), high) / (NUM_VALUES - 1)
        with torch.autocast(rgb.device.type, enabled=False):
            # With a fifth dimension it is not taken apart into batches, whose number an export cannot know.
            ab = rgb_to_lab(rgb[None])[0, :, 1:]
            return F.interpolate(ab, tuple(size), mode="bilinear", antialias=True)

    def _enlarge(self, low: Tensor) -> Tensor:
        """(N, C, low, low) -> (N, C, high, high)."""
        return F.interpolate(low, (self.preset.high,) * 2, mode="bilinear")


class ColTran2021Objective(Objective):
    """The cross-entropy of each part. No parameter is in two parts: their sum trains each as if alone."""

    takes_loss = False

    def losses(self, model: ColorizationModel, batch: Batch) -> dict[str, Tensor]:
        """See the base class."""
        truth = truth_of(model, batch)
        return _cross_entropies(model(batch.L, truth=truth), truth)

    def validation(self, model: ColorizationModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """The same, and the best guess."""
        truth = truth_of(model, batch)
        out = model(batch.L, truth=truth)
        return _cross_entropies(out, truth), model.colors(out, batch.L)


@torch.no_grad()
def truth_of(model: ColorizationModel, batch: Batch) -> Truth:
    """The colours of a batch as a `ColTran2021` learns them; its seeds say which channels."""
    assert isinstance(model, ColTran2021)
    assert batch.seeds is not None
    side = (model.preset.high,) * 2
    rgb = F.interpolate(lab_to_rgb(join(batch.L, batch.ab)), side, mode="bilinear", antialias=True)
    low = _to_8_bits(F.avg_pool2d(rgb, model.preset.high // model.preset.low))
    red, green, blue = (low // (NUM_VALUES // NUM_LEVELS)).unbind(1)
    coarse = (red * NUM_LEVELS + green) * NUM_LEVELS + blue
    channel = (batch.seeds % 3).to(low.device)[:, None, None]
    return Truth(coarse, low, _to_8_bits(rgb), channel)


def _cross_entropies(out: Output, truth: Truth) -> dict[str, Tensor]:
    which = truth.channel[:, None]
    targets = {
        "autoregressive": truth.coarse,
        "parallel": truth.coarse,
        "color": _pick(truth.low, which),
        "spatial": _pick(truth.high, which),
    }
    weights = {"autoregressive": 1 - PARALLEL_WEIGHT, "parallel": PARALLEL_WEIGHT}
    return {
        name: weights.get(name, 1.0) * F.cross_entropy(getattr(out, name).float().movedim(-1, 1), target)
        for name, target in targets.items()
    }


def _pick(rgb: Tensor, which: Tensor) -> Tensor:
    """(N, 3, H, W), (N, 1, 1, 1) -> the channel of each photo, (N, H, W)."""
    return torch.take_along_dim(rgb, which, dim=1)[:, 0]


def _to_8_bits(rgb: Tensor) -> Tensor:
    return ((NUM_VALUES - 1) * rgb).round().long()


def _levels_of(coarse: Tensor) -> Tensor:
    """(...) int64, colours in [0, 511] -> (..., 3) float32, levels of R, G and B in [0, 7]."""
    levels = (coarse // NUM_LEVELS**2, coarse // NUM_LEVELS % NUM_LEVELS, coarse % NUM_LEVELS)
    return torch.stack(levels, dim=-1).float()
