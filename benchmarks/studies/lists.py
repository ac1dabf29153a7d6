"""The test lists, and what is measured of weights on them."""

from __future__ import annotations

import functools
import sys
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import main
from benchmarks.studies.set_scores import (
    Looks,
    distances,
    features_of_truth,
    kernel_distances,
    look_at,
    shift_ratio,
)
from checkpoint.file import load_weights
from config import Config
from core.device import find_device
from core.files import read_csv, read_json
from data.loader import PhotoLoader
from data.pipeline import open_split
from evaluate import scoring_loader
from scoring.frechet import ENCODER, PhotoFeatures, deviation
from scoring.scorecard import summarize
from scoring.sets import TRUTH

RUNS = Path("runs/results")

LISTS = {"scenes": "test/scenes", "life": "test/life", "objects": "test/objects", "faces": "faces/test"}
"""Name of a test list -> its folder of photos."""
TOGETHER = ("scenes", "life", "objects")
"""The lists whose photos together the Fréchet distance is of: those of one alone are too few for it."""
NATURE = (
    *("desert", "mountain", "ocean", "waterfall", "rainforest", "sky", "landscape", "garden", "park"),
    *("bamboo_forest", "cloudy", "rain", "sunshine", "sunrise"),
)
"""Classes of the scenes that make up the list 'nature'."""
KEPT = ("mse", "psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness")
"""Metrics of a scorecard that the page may show."""
NUM_SAMPLES, SAMPLED = 8, 100
"""Drawings of a photo, and photos of the scenes list, the first of its seeded draw, that they are made of."""
_SEED = 42


def measure(weights: Path, photos: Path) -> dict[str, Any]:
    """Score a weights file on the lists of the folder `photos`.

    Returns:
        List -> card; 'together' -> `_together`; of a model that draws, 'samples' -> that of its drawings.
    """
    cards, truths, looks = {}, [], []
    model = load_weights(weights).model
    for name in LISTS:
        cards[name] = score_list(name, weights, photos)
        loader, truth = _truth(photos / LISTS[name], cards[name]["image_size"])
        look = look_at(model, loader, _features(), draw=name in TOGETHER)
        cards[name]["shift"] = shift_ratio(look.moves, _SEED)
        if name == "scenes":
            cards["nature"] = _part(cards[name], read_csv(_run_dir(name, weights) / "per_image.csv"))
            is_nature = [photo.name.partition("/")[0] in NATURE for photo in loader.pack.photos]
            cards["nature"]["shift"] = shift_ratio(look.moves[:, is_nature], _SEED)
        if name in TOGETHER:
            truths.append(truth)
            looks.append(look)
    if model.is_random:
        cards["samples"] = _score_samples(weights, photos)
    return cards | {"together": _together(truths, looks, cards["scenes"])}


def score_list(name: str, weights: Path, photos: Path) -> dict[str, Any]:
    """The card of a weights file on one list, as `trim` leaves it."""
    return trim(_test(LISTS[name], weights, photos, _run_dir(name, weights)))


def _score_samples(weights: Path, photos: Path) -> dict[str, Any]:
    """The card of some photos of the scenes list, and what several drawings of each are like."""
    flags = (f"--samples={NUM_SAMPLES}", f"--max_photos={SAMPLED}", "--set_scores")
    card = _test(LISTS["scenes"], weights, photos, _run_dir("samples", weights), *flags)
    (scores,) = card["samples"].values()
    del scores["definitions"]
    return trim(card) | {"samples": scores}


def _test(folder: str, weights: Path, photos: Path, run_dir: Path, *flags: str) -> dict[str, Any]:
    """What the test mode says of weights on all photos of a folder."""
    argv = ["--mode=test", "--split=all", f"--data_dir={photos / folder}", f"--weights={weights}", *flags]
    code = main.main([*argv, f"--run_dir={run_dir}", f"--pack_dir={RUNS / 'pack'}"])
    if code:
        sys.exit(code)
    card: dict[str, Any] = read_json(run_dir / "metrics.json")
    return card


def trim(card: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a scorecard."""
    rows = {"model": card, **card["floors"]}
    return {
        "num_photos": card["num_photos"],
        "image_size": card["image_size"],
        "weights_sha256": card["weights"]["sha256"],
        "chroma_ratio": card["chroma_ratio"],
        "truth_colorfulness": card["truth"]["colorfulness"]["mean"],
        **{row: {metric: values[metric] for metric in KEPT} for row, values in rows.items()},
    }


def _run_dir(name: str, weights: Path) -> Path:
    return RUNS / weights.parent.name / weights.stem / name


def _part(whole: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, Any]:
    """The card of the natural landscapes alone."""
    chosen = [row for row in rows if row["name"].partition("/")[0] in NATURE]
    scores = {key: [float(row[key]) for row in chosen] for key in chosen[0] if key != "name"}
    same = {"image_size": whole["image_size"], "weights": {"sha256": whole["weights_sha256"]}}
    return trim(summarize(scores, seed=_SEED) | same | {"num_photos": len(chosen)})


def _together(truths: list[dict[str, Tensor]], looks: list[Looks], card: dict[str, Any]) -> dict[str, Any]:
    """Distances of all photos of `TOGETHER` to the true ones: 'model', and 'drawn' of a model that draws."""
    truth = {row: torch.cat([part[row] for part in truths]).cpu() for row in truths[0]}
    colored = {"model": torch.cat([look.features for look in looks])}
    if drawn := [look.drawn for look in looks if look.drawn is not None]:
        colored["drawn"] = torch.cat(drawn)
    return {
        "num_photos": len(colored["model"]),
        "image_size": card["image_size"],
        "weights_sha256": card["weights_sha256"],
        "features": ENCODER,
        "features_sha256": _features().sha256,
        "frechet": distances(truth, colored),
        "kid": kernel_distances(truth, colored, _SEED),
        "deviation": deviation(colored["model"], truth[TRUTH], seed=_SEED),
    }


@functools.cache
def _features() -> PhotoFeatures:
    return PhotoFeatures().to(find_device("auto"))


@functools.cache
def _truth(folder: Path, image_size: int) -> tuple[PhotoLoader, dict[str, Tensor]]:
    """The photos of a list, and the features of the truth and the floors: the same for all weights."""
    config = Config(
        mode="test",
        split="all",
        data_dir=str(folder),
        run_dir=RUNS / "truth",
        pack_dir=RUNS / "pack",
        image_size=image_size,
    )
    loader = scoring_loader(config, open_split(config).of("all"), find_device("auto"))
    return loader, features_of_truth(loader, _features())
