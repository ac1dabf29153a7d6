"""Scores of models that sample colours: PSNR to one truth cannot rate one of many plausible results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

import metrics
from data.batch import Batch
from data.color import join, lab_to_rgb, rgb_to_lab
from models.base import ColorizationModel
from models.inputs import Inputs
from scoring.scorecard import bootstrap, print_rows

SCORES = ("best_psnr", "mean_psnr", "diversity", "within_spread")
FEATURE_DIVERSITY = "feature_diversity"
"""An additional score, if a feature network is given."""
DEFINITIONS = {
    "best_psnr": "PSNR of the sample nearest to the truth, which has to be known to find it",
    "mean_psnr": "mean PSNR of the samples of a photo",
    "diversity": "mean CIEDE2000 of two samples of a photo, over pixels and pairs",
    FEATURE_DIVERSITY: "mean Euclidean distance of what the network of the set scores sees in two samples of "
    "a photo, over pairs; only with --set_scores",
    "within_spread": "share of photos whose truth is not the one farthest from the others, in mean "
    "CIEDE2000, among the samples and itself; `expected` where it is like one more sample: K / (K + 1)",
}


def sample_seeds(seeds: Tensor, sample: int) -> Tensor:
    """Derive the seeds (N,) int64 of the n-th sample from the photos' seeds; sample 0 keeps them."""
    if sample == 0:
        return seeds
    drawn = [
        np.random.SeedSequence((seed, sample)).generate_state(1, np.uint64)[0] for seed in seeds.tolist()
    ]
    return torch.tensor([int(value >> np.uint64(2)) for value in drawn])


def draw_samples(model: ColorizationModel, batch: Batch, num: int) -> list[Tensor]:
    """Predict `num` samples of each photo, (N, 2, H, W) each, by seeds derived from the photo's seed."""
    assert batch.seeds is not None
    seeds = [sample_seeds(batch.seeds, n) for n in range(num)]
    return [model.predict(Inputs(batch.L, seeds=s)) for s in seeds]


def score_samples(
    batch: Batch, samples: Sequence[Tensor], see: Callable[[Tensor], Tensor] | None = None
) -> dict[str, Tensor]:
    """Score several samples of the same photos.

    Args:
        batch: N photos with their true colours.
        samples: two or more, (N, 2, H, W) each, CIELAB units.
        see: sRGB (N, 3, H, W) in [0, 1] -> features (N, d); None: `FEATURE_DIVERSITY` is left out.
    Returns:
        Name of `SCORES`, and `FEATURE_DIVERSITY` -> (N,); `within_spread` is 0 or 1.
    """
    truth_lab = join(batch.L, batch.ab)
    rgb = [lab_to_rgb(join(batch.L, ab)) for ab in samples]
    psnr = torch.stack([metrics.psnr(picture, lab_to_rgb(truth_lab)) for picture in rgb])
    lab = [*map(rgb_to_lab, rgb), truth_lab]
    num = len(lab)
    apart = batch.L.new_zeros(num, num, len(batch))
    for i, j in combinations(range(num), 2):
        apart[i, j] = apart[j, i] = metrics.delta_e_2000(lab[i], lab[j])
    to_others = apart.sum(dim=1)  # distances of each sample, and last of the truth
    pairs = (num - 1) * (num - 2)
    seen = {} if see is None else {FEATURE_DIVERSITY: _mean_distance([see(picture) for picture in rgb])}
    return {
        "best_psnr": psnr.amax(dim=0),
        "mean_psnr": psnr.mean(dim=0),
        "diversity": apart[:-1, :-1].sum(dim=(0, 1)) / pairs,
        "within_spread": (to_others[-1] <= to_others[:-1].amax(dim=0)).float(),
    } | seen


def _mean_distance(features: Sequence[Tensor]) -> Tensor:
    """Features (N, d) per sample -> mean pairwise distance (N,) between the samples of each photo."""
    apart = [(one - other).norm(dim=1) for one, other in combinations(features, 2)]
    return torch.stack(apart).mean(dim=0)


def summarize_samples(scores: Mapping[str, Sequence[float]], num: int, *, seed: int) -> dict[str, Any]:
    """Compute means with 95 % bootstrap intervals, in the layout of metrics.json.

    Args:
        scores: one value per photo for each of `SCORES`, optionally `FEATURE_DIVERSITY`; others are ignored.
        num: number of samples per photo.
        seed: of the bootstrap.
    """
    names = [name for name in (*SCORES, FEATURE_DIVERSITY) if name in scores]
    table = np.array([scores[name] for name in names], dtype=np.float64)
    low, high = bootstrap(table, seed)
    rows = zip(names, table.mean(axis=1), low, high, strict=True)
    card: dict[str, Any] = {
        name: dict(zip(("mean", "low", "high"), map(float, row), strict=True)) for name, *row in rows
    }
    card["within_spread"]["expected"] = num / (num + 1)
    return card | {"num": num, "definitions": DEFINITIONS}


def print_samples(cards: Mapping[str, Mapping[str, Any]]) -> None:
    """Print the cards of `summarize_samples` by model label; all have the same number of samples."""
    first = next(iter(cards.values()))
    expected = first["within_spread"]["expected"]
    print(
        f"\n{first['num']} samples of each photo, mean [95 % interval]; within spread expected {expected:.2f}"
    )
    print_rows(cards, [name for name in (*SCORES, FEATURE_DIVERSITY) if name in first])
