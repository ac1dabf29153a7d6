"""Named loss terms. A new one is a function here and a row in `LOSSES`."""

from __future__ import annotations

from collections.abc import Callable

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
"""Where smooth L1 turns from square to straight, CIELAB units: about what an eye puts up with."""


def mse(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of ab / 128; the published loss."""
    return F.mse_loss(ab / AB_SCALE, batch.ab / AB_SCALE)


def l1(ab: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error of ab / 128."""
    return F.l1_loss(ab / AB_SCALE, batch.ab / AB_SCALE)


def smooth_l1(ab: Tensor, batch: Batch) -> Tensor:
    """Mean absolute error of ab / 128, but square below a knee (Girshick 2015, equation 3)."""
    return F.smooth_l1_loss(ab / AB_SCALE, batch.ab / AB_SCALE, beta=SMOOTH_L1_KNEE / AB_SCALE)


def delta_e(ab: Tensor, batch: Batch) -> Tensor:
    """Mean distance in the a*b* plane, / 128: CIE76 of two colours of one lightness, before clipping."""
    return _length(ab - batch.ab).mean() / AB_SCALE


def psnr(ab: Tensor, batch: Batch) -> Tensor:
    """Mean of -PSNR / 10 over the photos, on sRGB after clipping: what test reports, as a loss.

    The logarithm weighs a photo by the inverse of its error: dull photos count as much as colourful
    ones. The offset, the error of 50 dB, keeps a photo that is all but right from outweighing the rest.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return ((pred - target).square().mean(dim=(1, 2, 3)) + 1e-5).log10().mean()


def ssim(ab: Tensor, batch: Batch) -> Tensor:
    """1 - SSIM, mean over the photos, on sRGB after clipping: what test reports, as a loss.

    Colours that do not follow the edges of the lightness put edges of their own into the channels,
    which is how a colorizer comes to score below no colour at all.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return 1 - metrics.ssim(pred, target).mean()


def chroma_error(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the chroma / 128, whatever the hue: against brown results.

    Where the hue is uncertain the mean of the colours, which `mse` asks for, is nearly gray. This
    term asks for their mean distance from gray instead.
    """
    return F.mse_loss(_length(ab) / AB_SCALE, cie_chroma(batch.ab)[:, None] / AB_SCALE)


def colorfulness_error(ab: Tensor, batch: Batch) -> Tensor:
    """Mean squared error of the colourfulness / 100 of a photo, on sRGB after clipping.

    Kang et al. 2023 (DDColor) reward colourfulness without end. Here it is to be that of the true photo: more
    is as wrong as less.
    """
    pred, target = lab_to_rgb(join(batch.L, ab)), lab_to_rgb(join(batch.L, batch.ab))
    return F.mse_loss(metrics.colorfulness(pred) / 100, metrics.colorfulness(target) / 100)


Term = Callable[[Tensor, Batch], Tensor]
"""(predicted ab (N, 2, H, W), CIELAB units; the batch with the true ones) -> (), a mean over the photos."""

LOSSES: dict[str, Term | type[PerceptualLoss | FeatureLoss]] = {
    "mse": mse,
    "l1": l1,
    "smooth_l1": smooth_l1,
    "delta_e": delta_e,
    "psnr": psnr,
    "ssim": ssim,
    "chroma": chroma_error,
    "colorfulness": colorfulness_error,
    "perceptual": PerceptualLoss,
    "features": FeatureLoss,
}
"""A class is built when its name is asked for."""

OWN = "own"
"""Stands for the loss of a model that brings its own: no terms of these."""


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
    """Turn what `parse_loss` takes into a function that gives the weighted terms by name.

    Args:
        spec: names of `LOSSES`, each with a weight or with 1; or `OWN`.
        vgg_weights: of the perceptual term; see `PerceptualLoss`.
    Raises:
        UserError: as of `parse_loss`, or a term lacks its weights.
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
    """(N, 2, H, W) -> (N, 1, H, W): the distance from 0, with a gradient of 0 and not NaN there."""
    # The smallest normal number would do for the root; its gradient also needs 1 / root to be finite.
    return ab.square().sum(dim=1, keepdim=True).clamp_min(torch.finfo(ab.dtype).eps).sqrt()
