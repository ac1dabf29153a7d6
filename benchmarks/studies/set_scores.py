"""Scores of sets of photos: shift, and distances beside those of the floors and of true photos."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.figures import progress_bar
from data.color import cie_chroma, join, lab_to_rgb
from data.loader import PhotoLoader
from models.base import ColorizationModel
from models.inputs import Inputs
from scoring.frechet import PhotoFeatures, frechet
from scoring.kid import kid_terms
from scoring.samples import draw_samples
from scoring.scorecard import FLOORS, bootstrap, interval, resampled_means
from scoring.sets import REAL, TRUTH, SetFeatures
from scoring.shift import shift


@torch.inference_mode()
def features_of_truth(loader: PhotoLoader, see: PhotoFeatures) -> dict[str, Tensor]:
    """`TRUTH` and the floors -> features (N, d) of the photos of a loader in these colours."""
    features = SetFeatures(see)
    with progress_bar("looking at the truth", len(loader)) as bar:
        for batch in loader:
            features.add(batch, {})
            bar.update(len(batch))
    features.gather()
    return features.rows


class Looks(NamedTuple):
    """What is seen of the photos of a loader.

    Attributes:
        moves: (2, N): how far the colours move with the photo, and their mean chroma.
        features: (N, d), of the colored photos.
        drawn: (N, d), of one drawing of each, by its own seed; None: there is none.
    """

    moves: np.ndarray
    features: Tensor
    drawn: Tensor | None


@torch.inference_mode()
def look_at(
    model: ColorizationModel, loader: PhotoLoader, see: PhotoFeatures, *, draw: bool = False
) -> Looks:
    """Color the photos of a loader, and move them.

    Args:
        draw: whether a model that draws its colours is to do so, too.
    """
    model.eval().to(loader.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    moves, features, drawn = [], [], []
    with progress_bar("moving photos", len(loader)) as bar:
        for batch in loader:
            ab = model.predict(model.inputs(batch))
            moves.append(
                torch.stack(
                    (shift(lambda L: model.predict(Inputs(L)), batch.L, ab), cie_chroma(ab).mean(dim=(1, 2)))
                )
            )
            features.append(see(lab_to_rgb(join(batch.L, ab))))
            if draw and model.is_random:
                (sample,) = draw_samples(model, batch, 1)
                drawn.append(see(lab_to_rgb(join(batch.L, sample))))
            bar.update(len(batch))
    return Looks(
        torch.cat(moves, dim=1).double().cpu().numpy(),
        torch.cat(features).cpu(),
        torch.cat(drawn).cpu() if drawn else None,
    )


def shift_ratio(moves: np.ndarray, seed: int) -> dict[str, float]:
    """Mean over photos of the distance over that of the chroma, (2, N), with a 95 % bootstrap interval."""
    resampled = resampled_means(moves, seed)
    low, high = interval(resampled[:, 0] / np.maximum(resampled[:, 1], 1e-9))
    mean = moves[0].mean() / max(moves[1].mean(), 1e-9)
    return {"mean": float(mean), "low": float(low), "high": float(high)}


def distances(truth: Mapping[str, Tensor], colored: Mapping[str, Tensor]) -> dict[str, float]:
    """Fréchet distance to the true photos of every row, of the floors, and of `REAL`.

    Args:
        truth: of `features_of_truth`.
        colored: row -> features of the same photos, colored.
    Returns:
        Row -> distance. That of `REAL` is of one half of the true photos, every other one, to the rest; of
        half as many photos it is biased upward by more than the others.
    """
    return {row: frechet(*pair) for row, pair in _pairs(truth, colored).items()}


def kernel_distances(
    truth: Mapping[str, Tensor], colored: Mapping[str, Tensor], seed: int
) -> dict[str, dict[str, float]]:
    """The same rows' kernel distances, with 95 % bootstrap intervals: mean, low, high."""
    found = {}
    for row, (first, second) in _pairs(truth, colored).items():
        num = min(len(first), len(second))  # of an odd number of photos, one half has one more
        terms = kid_terms(first[:num], second[:num]).numpy()
        (low,), (high,) = bootstrap(terms[None], seed)
        found[row] = {"mean": float(terms.mean()), "low": float(low), "high": float(high)}
    return found


def _pairs(truth: Mapping[str, Tensor], colored: Mapping[str, Tensor]) -> dict[str, tuple[Tensor, Tensor]]:
    """Row -> the two sets whose distance it has."""
    rows = {**colored, **{name: truth[name] for name in FLOORS}}
    halves = (truth[TRUTH][::2], truth[TRUTH][1::2])
    return {name: (features, truth[TRUTH]) for name, features in rows.items()} | {REAL: halves}
