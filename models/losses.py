"""Named loss terms. A new one is a function here and a row in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import torch
import torch.nn.functional as F
from torch import Tensor

import metrics
from core.errors import UserError
from data.batch import Batch
from data.color import AB_SCALE, cie_chroma, join, lab_to_rgb
from models.objective import Criterion
from models.perceptual import FeatureLoss, PerceptualLoss

SMOOTH_L1_KNEE = 5.0
"""Threshold between quadratic and linear smooth L1, CIELAB units: about a tolerable colour error."""

# The 13 lines through the centre of a 3x3x3 cube, but for that of L*, which is the same in both. (3, 12)
_CUBE = torch.tensor(
    [line for line in product((-1, 0, 1), repeat=3) if line > (0, 0, 0) and line != (1, 0, 0)]
)
_LINES = F.normalize(_CUBE.float(), dim=1).T


def mse(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of ab / 128; the published loss."""
    return F.mse_loss(ab / AB_SCALE, batch.ab / AB_SCALE)


def l1(ab: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error of ab / 128."""
    return F.l1_loss(ab / AB_SCALE, batch.ab / AB_SCALE)


def smooth_l1(ab: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error of ab / 128, quadratic below a threshold (Girshick 2015, equation 3)."""
    return F.smooth_l1_loss(ab / AB_SCALE, batch.ab / AB_SCALE, beta=SMOOTH_L1_KNEE / AB_SCALE)


def delta_e(ab: Tensor, batch: Batch) -> Tensor:
    """Mean distance in the a*b* plane / 128: CIE76 at equal lightness, before clipping."""
    return _length(ab - batch.ab).mean() / AB_SCALE


def psnr(ab: Tensor, batch: Batch) -> Tensor:
    """Mean of -PSNR / 10 over the photos, on sRGB after clipping: the metric of test as a loss.

    The logarithm scales a photo's gradient by its inverse error: photos of low saturation count as much as
    colourful ones. The offset, the error at 50 dB, keeps nearly perfect photos from dominating.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return ((pred - target).square().mean(dim=(1, 2, 3)) + 1e-5).log10().mean()


def ssim(ab: Tensor, batch: Batch) -> Tensor:
    """1 - SSIM, mean over the photos, on sRGB after clipping: the metric of test as a loss.

    Colours that do not follow edges of the lightness add false edges to the RGB channels, which can make
    SSIM worse than that of the gray photo.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return 1 - metrics.ssim(pred, target).mean()


def chroma_error(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the chroma / 128, ignoring hue: against brownish results.

    Where the hue is uncertain, the mean colour, which minimizes `mse`, is nearly gray. This term is
    minimized by the mean chroma instead.
    """
    return F.mse_loss(_length(ab) / AB_SCALE, cie_chroma(batch.ab)[:, None] / AB_SCALE)


def colorfulness_error(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the colourfulness / 100 of a photo, on sRGB after clipping.

    Kang et al. 2023 (DDColor) reward unlimited colourfulness. Here the target is that of the true photo, and
    deviations in both directions are penalized.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return F.mse_loss(metrics.colorfulness(pred) / 100, metrics.colorfulness(target) / 100)


def sliced_wasserstein(ab: Tensor, batch: Batch) -> Tensor:
    """Wasserstein-1 distance / 128 of the distributions of (L*, a*, b*) over all pixels of the batch, sliced.

    The mean over 12 fixed lines through the colour space (Bonneel et al. 2015, with p = 1). Where many
    colours are possible, terms for each photo let all take the likeliest, and one that asks for more chroma
    makes that louder: all dark clothes turn red. This one asks the batch for the true share of each colour at
    each lightness, whichever photo has it. So it is no mean over photos: with `--grad_accum`, and in several
    processes, each part is compared by itself.
    """
    pred, target = (_projected(join(batch.L, colors)) for colors in (ab, batch.ab))
    return (pred.sort(dim=0).values - target.sort(dim=0).values).abs().mean() / AB_SCALE


Term = Callable[[Tensor, Batch], Tensor]
"""(predicted ab (N, 2, H, W), CIELAB units; the batch with the true ones) -> ()."""

LOSSES: dict[str, Term | type[PerceptualLoss | FeatureLoss]] = {
    "mse": mse,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "delta_e": delta_e,
    "psnr": psnr,
    "ssim": ssim,
    "chroma": chroma_error,
    "colorfulness": colorfulness_error,
    "sliced_wasserstein": sliced_wasserstein,
    "perceptual": PerceptualLoss,
    "features": FeatureLoss,
}
"""A class is built when its name is asked for."""

OWN = "own"
"""Placeholder for models with their own loss, which use none of these terms."""


def parse_loss(spec: str) -> dict[str, float]:
    """'mse' or 'mse:1,chroma:0.5' -> the weight of each term.

    Raises:
        UserError: a name is unknown, or a weight is not a number above 0.
    """
    weights: dict[str, float] = {}
    for part in spec.split(","):
        name, _, weight = part.partition(":")
        if name not in LOSSES or name in weights:
            raise UserError(f"--loss={spec}: must be one or several of {', '.join(LOSSES)}")
        try:
            weights[name] = float(weight or 1)
        except ValueError:
            weights[name] = 0.0
        if not 0 < weights[name] < float("inf"):
            raise UserError(f"--loss={spec}: the weight of {name} must be a number above 0")
    return weights


def build_criterion(spec: str, *, vgg_weights: str = "imagenet") -> Criterion:
    """Build a function that computes the weighted terms by name, from a spec as for `parse_loss`.

    Args:
        spec: names of `LOSSES`, each with a weight or with 1; or `OWN`.
        vgg_weights: of the perceptual term; see `PerceptualLoss`.
    Raises:
        UserError: as in `parse_loss`, or pretrained weights of a term are not available.
    """
    weights = {} if spec == OWN else parse_loss(spec)
    arguments = {"perceptual": (vgg_weights,)}
    terms: dict[str, Term] = {}
    for name in weights:
        found = LOSSES[name]
        terms[name] = found(*arguments.get(name, ())) if isinstance(found, type) else found

    def criterion(ab: Tensor, batch: Batch) -> dict[str, Tensor]:
        return {name: weight * terms[name](ab, batch) for name, weight in weights.items()}

    return criterion


def _length(ab: Tensor) -> Tensor:
    """(N, 2, H, W) -> (N, 1, H, W): the Euclidean norm, with gradient 0 instead of NaN at 0."""
    # eps, not tiny: the gradient needs a finite 1 / sqrt, too.
    return ab.square().sum(dim=1, keepdim=True).clamp_min(torch.finfo(ab.dtype).eps).sqrt()


def _projected(lab: Tensor) -> Tensor:
    """(N, 3, H, W) -> (M, 12): positions on the lines, of every fourth pixel: models decide no finer."""
    pixels = lab[..., ::4, ::4].movedim(1, -1).flatten(0, -2)
    # Not a matrix product, which autocast would round.
    return (pixels[:, :, None] * _LINES.to(lab)).sum(dim=1)
