"""The weights by which photos are called negatives, and how often that is right.

    python -m benchmarks.studies.fit_negative --photos=FOLDER [--others=FOLDER] [--num=4000]

A logistic regression tells photos from their own inverses, on every second photo; rates are of the others,
and of all photos of a second folder.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from inference.negative import THRESHOLD, WEIGHTS, evidence
from media.walk import sort_files

_ROUNDS, _RIDGE = 50, 1e-4


def main() -> None:
    """Fit, and print the weights and the rates."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--others", type=Path)
    parser.add_argument("--num", type=int, default=4000)
    options = parser.parse_args()
    paths = sort_files(options.photos, recursive=True).photos
    random.Random(0).shuffle(paths)
    found = _evidence_of(paths[: options.num])
    weights = fit(found[::2])
    print("weights:", ", ".join(f"{weight:.1f}" for weight in weights), "; in use:", WEIGHTS)
    _print_rates("held out", found[1::2])
    if options.others:
        _print_rates(options.others.name, _evidence_of(sort_files(options.others, recursive=True).photos))


def fit(found: np.ndarray) -> np.ndarray:
    """Weights (k,) of a logistic regression without a constant, by Newton's method.

    Args:
        found: (n, k), evidence of photos; that of their inverses is the negative of it.
    """
    weights = np.zeros(found.shape[1])
    for _ in range(_ROUNDS):
        wrong = 1 / (1 + np.exp(found @ weights))
        slope = found.T @ wrong / len(found) - _RIDGE * weights
        curve = (found.T * (wrong * (1 - wrong))) @ found / len(found) + _RIDGE * np.eye(len(weights))
        weights += np.linalg.solve(curve, slope)
    return weights


def _evidence_of(paths: Sequence[Path]) -> np.ndarray:
    found = []
    for path in paths:
        with Image.open(path) as image:
            found.append(evidence(image.convert("RGB")))
    return np.array(found)


def _print_rates(name: str, found: np.ndarray) -> None:
    score = found @ WEIGHTS
    wrong, right = (score < -THRESHOLD).mean(), (score > THRESHOLD).mean()
    print(f"{name}: {len(found)} photos, {wrong:.1%} called negatives, {right:.1%} of their inverses")


if __name__ == "__main__":
    main()
