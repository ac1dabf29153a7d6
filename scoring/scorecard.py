"""The scorecard: every metric of a model, of its floor and of two oracles on the same photos.

A PSNR can only be judged next to the PSNR of gray predictions (a* = b* = 0) on the same photos.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

import metrics
from data.batch import Batch
from data.color import cie_chroma, join, lab_to_rgb, rgb_to_lab

METRIC_NAMES = ("mse", "psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness")
FLOORS = ("gray", "mean_color", "half_chroma")
DEFINITIONS = {
    "protocol": "per photo, then averaged; float sRGB in [0, 1] at image_size, L* of the truth kept, "
    "colours beyond sRGB clipped",
    "mse": "mean squared error over pixels and channels",
    "psnr": f"10 log10(1 / MSE), dB, capped at {metrics.PSNR_CAP:g}",
    "ssim": "11x11 Gaussian window, sigma 1.5, data range 1, population covariance, mean over channels "
    "and over the area where the window fits",
    "delta_e_76": "CIE76, mean over pixels, after clipping",
    "delta_e_2000": "CIEDE2000, mean over pixels, after clipping",
    "colorfulness": "Hasler and Suesstrunk 2003, signed, 8-bit scale",
    "chroma_ratio": "mean chroma predicted over mean chroma of the truth, before clipping",
    "gray": "floor: a* = b* = 0",
    "mean_color": "oracle: the photo's own mean a* and b* at every pixel",
    "half_chroma": "oracle: the true a* and b*, halved",
    "interval": "mean with a 95 % percentile bootstrap interval over photos; too narrow where they are few",
}
HEADS = {
    "mse": ("MSE ↓", 4),
    "psnr": ("PSNR ↑ dB", 2),
    "ssim": ("SSIM ↑", 4),
    "delta_e_76": ("ΔE76 ↓", 2),
    "delta_e_2000": ("ΔE2000 ↓", 2),
    "colorfulness": ("colourfulness", 1),
    "colorfulness_gap": ("colourfulness gap ↓", 1),
    "chroma_ratio": ("chroma / true", 2),
    "frechet": ("Fréchet distance ↓", 2),
    "kid": ("KID ↓", 4),
    "best_psnr": ("best PSNR ↑ dB", 2),
    "mean_psnr": ("mean PSNR ↑ dB", 2),
    "diversity": ("ΔE2000 of samples", 2),
    "within_spread": ("within spread", 2),
    "feature_diversity": ("features of samples", 3),
}
"""Metric -> column heading, with an arrow in the better direction, and number of decimals."""
FEWEST = 6
"""Minimum number of photos for intervals: the signs of five agree by chance with p = 1/16, above 1/20."""
_RESAMPLES = 2000


def score_batch(batch: Batch, ab: Tensor) -> dict[str, Tensor]:
    """Score predicted colours, the floor and the oracles.

    Args:
        batch: N photos with their true colours.
        ab: (N, 2, H, W) predicted a* and b*, CIELAB units.
    Returns:
        Columns of per_image.csv, (N,) each: the model's metrics, then `<floor>_<metric>`, then the
        colourfulness of the truth and the mean chroma of model and truth.
    """
    return score_each(batch, [ab])[0]


def score_each(batch: Batch, predictions: Sequence[Tensor]) -> list[dict[str, Tensor]]:
    """Run `score_batch` on several predictions for the same photos; floor and oracles are scored once."""
    target_lab = join(batch.L, batch.ab)
    target = lab_to_rgb(target_lab)
    ssim = metrics.ssim_to(target)

    def score(ab: Tensor, prefix: str = "") -> dict[str, Tensor]:
        rgb = lab_to_rgb(join(batch.L, ab))
        lab = rgb_to_lab(rgb)
        return {
            f"{prefix}mse": metrics.mse(rgb, target),
            f"{prefix}psnr": metrics.psnr(rgb, target),
            f"{prefix}ssim": ssim(rgb),
            f"{prefix}delta_e_76": metrics.delta_e_76(lab, target_lab),
            f"{prefix}delta_e_2000": metrics.delta_e_2000(lab, target_lab),
            f"{prefix}colorfulness": metrics.colorfulness(rgb),
        }

    shared: dict[str, Tensor] = {}
    for name, ab in floors_of(batch.ab).items():
        shared |= score(ab, f"{name}_")
    shared["truth_colorfulness"] = metrics.colorfulness(target)
    truth_chroma = cie_chroma(batch.ab).mean(dim=(1, 2))
    return [
        score(ab) | shared | {"chroma": cie_chroma(ab).mean(dim=(1, 2)), "truth_chroma": truth_chroma}
        for ab in predictions
    ]


def floors_of(ab: Tensor) -> dict[str, Tensor]:
    """Predict by the floor and the oracles, from the true a*, b* (N, 2, H, W); each is of that shape."""
    return {
        "gray": torch.zeros_like(ab),
        "mean_color": ab.mean(dim=(2, 3), keepdim=True).expand_as(ab),
        "half_chroma": ab / 2,
    }


def summarize(scores: dict[str, list[float]], *, seed: int) -> dict[str, Any]:
    """Compute mean and bootstrap interval of every column, in the layout of metrics.json.

    Args:
        scores: columns of `score_batch`, one value per photo.
        seed: of the bootstrap.
    """
    keys = list(scores)
    table = np.array([scores[key] for key in keys], dtype=np.float64)  # (columns, photos)
    low, high = bootstrap(table, seed)
    stats = {
        key: {"mean": float(mean), "low": float(lo), "high": float(hi)}
        for key, mean, lo, hi in zip(keys, table.mean(axis=1), low, high, strict=True)
    }

    def collect(prefix: str) -> dict[str, Any]:
        values: dict[str, Any] = {name: stats[prefix + name] for name in METRIC_NAMES}
        values["psnr"]["num_capped"] = sum(v >= metrics.PSNR_CAP for v in scores[f"{prefix}psnr"])
        return values

    cards = {predictor: collect(prefix) for predictor, prefix in _prefixes().items()}
    return {
        **cards["model"],
        "floors": {name: cards[name] for name in FLOORS},
        "chroma_ratio": stats["chroma"]["mean"] / max(stats["truth_chroma"]["mean"], 1e-9),
        "truth": {"colorfulness": stats["truth_colorfulness"], "chroma": stats["truth_chroma"]},
    }


def bootstrap(table: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Compute 95 % percentile bootstrap intervals of row means, with the same resamples for every row.

    Args:
        table: (rows, photos).
        seed: of the resamples.
    Returns:
        (rows,) lower and (rows,) upper ends.
    """
    return interval(resampled_means(table, seed))


def resampled_means(table: np.ndarray, seed: int) -> np.ndarray:
    """Row means (resamples, rows) of photos drawn with replacement; a seed draws the same for every row."""
    rng = np.random.default_rng(seed)
    num = table.shape[1]
    return np.stack([table[:, rng.integers(num, size=num)].mean(axis=1) for _ in range(_RESAMPLES)])


def interval(resampled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return both ends of the 95 % percentile interval of resampled statistics (resamples, ...)."""
    low, high = np.percentile(resampled, (2.5, 97.5), axis=0)
    return low, high


def print_table(card: dict[str, Any]) -> None:
    """Print the scorecard: the model, then its floor and oracles."""
    print_head(card)
    shown = card["protocol"]["metrics"] if "protocol" in card else METRIC_NAMES
    print_rows({card["model"]: card, **card["floors"]}, shown)
    print(f"colourfulness of the true photos: {card['truth']['colorfulness']['mean']:.1f}")
    print(f"predicted over true chroma: {card['chroma_ratio']:.2f}")
    print_capped({card["model"]: card, **card["floors"]})


def print_head(card: Mapping[str, Any]) -> None:
    """Print split and number of photos, and a warning if they are too few for intervals."""
    num = card["num_photos"]
    print(f"\n{card['manifest']['split']}: {num} photos, mean [95 % interval]")
    warn_of_few(num)


def warn_of_few(num_photos: int) -> None:
    """Print a warning if there are too few photos for intervals."""
    if num_photos < FEWEST:
        print(f"fewer than {FEWEST} photos: too few for intervals, and to tell whether anything differs")


def print_capped(rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Print for which rows some photos reached the PSNR cap, which then dominates the mean."""
    for title, values in rows.items():
        if num := values["psnr"].get("num_capped"):
            photos = "photo" if num == 1 else "photos"
            print(f"{title}: {num} {photos} hit the PSNR cap of {metrics.PSNR_CAP:g} dB")


def print_rows(rows: Mapping[str, Mapping[str, Any]], names: Sequence[str], sign: str = "") -> None:
    """Print one line per row, with mean and interval of the given metrics.

    Args:
        rows: title -> metric -> mean, low, high; missing metrics stay empty. A * marks those with 'differs'.
            Without low and high the mean is printed alone.
        names: of the metrics, keys of `HEADS`.
        sign: '+' also prints the sign of numbers that are not negative.
    """
    width = max(12, *(len(title) + 2 for title in rows))
    lines = {"": [HEADS[name][0] for name in names]} | {
        title: [_cell(values[name], HEADS[name][1], sign) if name in values else "" for name in names]
        for title, values in rows.items()
    }
    column = max(len(cell) for cells in lines.values() for cell in cells) + 2
    for title, cells in lines.items():
        print(f"{title:<{width}}" + "".join(f"{cell:>{column}}" for cell in cells).rstrip())


def _cell(value: Mapping[str, Any], digits: int, sign: str) -> str:
    mean, *ends = (f"{value[key]:{sign}z.{digits}f}" for key in ("mean", "low", "high") if key in value)
    if not ends:
        return mean
    mark = ("*" if value["differs"] else " ") if "differs" in value else ""
    return f"{mean} [{', '.join(ends)}]{mark}"


def _prefixes() -> dict[str, str]:
    """Predictor -> prefix of its columns."""
    return {"model": "", **{name: f"{name}_" for name in FLOORS}}
