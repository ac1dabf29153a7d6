"""Scores of whole sets of pictures: distances to the true photos in a network's feature space."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.distributed import gather
from core.errors import UserError
from data.batch import Batch
from data.color import join, lab_to_rgb
from scoring import frechet, kid
from scoring.inception import InceptionFeatures
from scoring.scorecard import FEWEST, FLOORS, bootstrap, floors_of, print_rows, warn_of_few

REAL = "real"
"""The row that compares true photos with other true photos."""
TRUTH = "truth"
_MIN_PHOTOS = 4  # two halves of 2 each
_Z = 1.96  # of a 95 % interval
_INTERVAL = (
    "Interval: 1.96 standard deviations over resamples of the photos to either side; the resamples "
    "themselves, of fewer different photos, lie higher"
)
DEFINITIONS = {
    "kid": kid.DEFINITION,
    REAL: "of one half of the true photos, every other one, to the rest: half as many photos, so that its "
    "Fréchet distance is biased upward by more than the others",
}


FeatureNetwork = frechet.PhotoFeatures | InceptionFeatures


def features_by_name(kind: str) -> FeatureNetwork:
    """Build the feature network that a value of --set_scores names.

    Raises:
        UserError: its weights, or a package that it needs, are not available.
    """
    return InceptionFeatures() if kind == "inception" else frechet.PhotoFeatures()


class SetFeatures:
    """Collect features of true photos, floors and predictions, batch by batch.

    Attributes:
        see: the feature network.
        rows: after `gather`, name -> (N, d) float32 on the CPU; `TRUTH` and the floors are among them.
    """

    def __init__(self, see: FeatureNetwork) -> None:
        self.see = see
        self.rows: dict[str, Tensor] = {}
        self._parts: dict[str, list[Tensor]] = {}

    def add(self, batch: Batch, predictions: Mapping[str, Tensor]) -> None:
        """Compute and store the features of a batch.

        Args:
            batch: N photos with their true colours.
            predictions: name of the row -> (N, 2, H, W) a* and b*, CIELAB units.
        """
        for row, ab in {TRUTH: batch.ab, **floors_of(batch.ab), **predictions}.items():
            self._parts.setdefault(row, []).append(self.see(lab_to_rgb(join(batch.L, ab))))

    def gather(self) -> None:
        """Concatenate the features of all processes into `rows`."""
        parts = [part for part in gather({row: torch.cat(p).cpu() for row, p in self._parts.items()}) if part]
        self.rows = {row: torch.cat([part[row] for part in parts]) for row in (parts[0] if parts else ())}


def score_sets(features: SetFeatures, *, seed: int) -> dict[str, Any]:
    """Compute distances of every set of pictures to the true photos, in the layout of metrics.json.

    Args:
        features: after `gather`.
        seed: of the bootstrap.
    Returns:
        The feature network, the number of photos, the rows of `distances`, and definitions.
    Raises:
        UserError: there are too few photos.
    """
    num = len(features.rows[TRUTH])
    check_enough(num)
    return {
        "features": {"network": features.see.name, "sha256": features.see.sha256},
        "num_photos": num,
        "rows": distances(features.rows, seed=seed),
        "definitions": {"frechet": f"{features.see.definition} {_INTERVAL}", **DEFINITIONS},
    }


def check_enough(num_photos: int) -> None:
    """
    Raises:
        UserError: there are too few photos for scores of sets.
    """
    if num_photos < _MIN_PHOTOS:
        raise UserError(f"--set_scores needs {_MIN_PHOTOS} photos or more, and these are {num_photos}")


def distances(features: Mapping[str, Tensor], *, seed: int) -> dict[str, dict[str, dict[str, float]]]:
    """Row -> 'frechet' and 'kid' -> mean, low, high; models first, then the floors, then `REAL`.

    Args:
        features: row -> (N, d), `TRUTH` and the floors among them, N at least 4.
        seed: of the bootstrap.
    """
    truth = features[TRUTH]
    rows = [row for row in features if row not in (TRUTH, *FLOORS)]
    found = {row: _distances(features[row], truth, seed) for row in (*rows, *FLOORS)}
    half = len(truth) // 2
    return found | {REAL: _distances(truth[: 2 * half : 2], truth[1::2], seed)}


def _distances(pictures: Tensor, truth: Tensor, seed: int) -> dict[str, dict[str, float]]:
    distance = frechet.frechet(pictures, truth)
    margin = _Z * frechet.deviation(pictures, truth, seed=seed)
    terms = kid.kid_terms(pictures, truth).numpy()
    (low,), (high,) = bootstrap(terms[None], seed)
    return {
        "frechet": {"mean": distance, "low": max(0.0, distance - margin), "high": distance + margin},
        "kid": {"mean": float(terms.mean()), "low": float(low), "high": float(high)},
    }


def print_sets(card: Mapping[str, Any]) -> None:
    """Print what `score_sets` returned."""
    network = card["features"]
    print(
        f"\nsets of {card['num_photos']} photos, features of {network['network']} ({network['sha256']}), "
        "[95 % interval]"
    )
    warn_of_few(card["num_photos"])
    print_rows({row: _shown(row, card) for row in card["rows"]}, ("frechet", "kid"))


def _shown(row: str, card: Mapping[str, Any]) -> Mapping[str, Any]:
    """The scores of a row, without intervals if it compares too few pairs of photos."""
    num_pairs = card["num_photos"] // 2 if row == REAL else card["num_photos"]
    scores: Mapping[str, Any] = card["rows"][row]
    if num_pairs >= FEWEST:
        return scores
    return {name: {"mean": score["mean"]} for name, score in scores.items()}
