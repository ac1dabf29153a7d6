"""The scorecard: every metric of a model, of its floor and of two oracles on the same photos.

A PSNR means nothing without the PSNR of predicting no colour at all on the same photos.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import metrics
from data.batch import Batch
from data.color import chroma, join, lab_to_rgb, rgb_to_lab

METRICS = ("mse", "psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness")
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
    "interval": "mean with a 95 % percentile bootstrap interval over photos",
}
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
    target_lab = join(batch.L, batch.ab)
    target = lab_to_rgb(target_lab)
    ssim = metrics.ssim_to(target)
    predictions = {"model": ab, **floors_of(batch.ab)}
    columns: dict[str, Tensor] = {}
    for predictor, prefix in _prefixes().items():
        rgb = lab_to_rgb(join(batch.L, predictions[predictor]))
        lab = rgb_to_lab(rgb)
        columns[f"{prefix}mse"] = metrics.mse(rgb, target)
        columns[f"{prefix}psnr"] = metrics.psnr(rgb, target)
        columns[f"{prefix}ssim"] = ssim(rgb)
        columns[f"{prefix}delta_e_76"] = metrics.delta_e_76(lab, target_lab)
        columns[f"{prefix}delta_e_2000"] = metrics.delta_e_2000(lab, target_lab)
        columns[f"{prefix}colorfulness"] = metrics.colorfulness(rgb)
    columns["truth_colorfulness"] = metrics.colorfulness(target)
    columns["chroma"] = chroma(ab).mean(dim=(1, 2))
    columns["truth_chroma"] = chroma(batch.ab).mean(dim=(1, 2))
    return columns


def floors_of(ab: Tensor) -> dict[str, Tensor]:
    """What the floor and the oracles predict for photos of true colours (N, 2, H, W)."""
    return {
        "gray": torch.zeros_like(ab),
        "mean_color": ab.mean(dim=(2, 3), keepdim=True).expand_as(ab),
        "half_chroma": ab / 2,
    }


def summarize(scores: dict[str, list[float]], *, seed: int) -> dict[str, Any]:
    """Mean and bootstrap interval of every column, in the layout of metrics.json.

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
        values: dict[str, Any] = {name: stats[prefix + name] for name in METRICS}
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
    """95 % percentile bootstrap of row means, the same resamples for every row.

    Args:
        table: (rows, photos).
        seed: of the resamples.
    Returns:
        (rows,) lower and (rows,) upper ends.
    """
    rng = np.random.default_rng(seed)
    num = table.shape[1]
    means = np.stack([table[:, rng.integers(num, size=num)].mean(axis=1) for _ in range(_RESAMPLES)])
    low, high = np.percentile(means, (2.5, 97.5), axis=0)
    return low, high


def print_table(card: dict[str, Any]) -> None:
    """Print the scorecard: the model, then its floor and oracles."""
    heads = {"mse": "MSE ↓", "psnr": "PSNR ↑ dB", "ssim": "SSIM ↑", "delta_e_76": "ΔE76 ↓"}
    heads |= {"delta_e_2000": "ΔE2000 ↓", "colorfulness": "colourfulness"}
    digits = {"mse": 4, "psnr": 2, "ssim": 4, "delta_e_76": 2, "delta_e_2000": 2, "colorfulness": 1}
    rows = {card["model"]: card, **card["floors"]}
    print(f"\n{card['manifest']['split']}: {card['num_photos']} photos, mean [95 % interval]")
    print(f"{'':<12}" + "".join(f"{heads[m]:>26}" for m in METRICS))
    for name, values in rows.items():
        cells = ""
        for metric in METRICS:
            d, v = digits[metric], values[metric]
            cell = f"{v['mean']:.{d}f} [{v['low']:.{d}f}, {v['high']:.{d}f}]"
            cells += f"{cell:>26}"
        print(f"{name:<12}{cells}")
    print(f"colourfulness of the true photos: {card['truth']['colorfulness']['mean']:.1f}")
    print(f"predicted over true chroma: {card['chroma_ratio']:.2f}")
    if card["psnr"]["num_capped"]:
        print(f"{card['psnr']['num_capped']} photos hit the PSNR cap of {metrics.PSNR_CAP:g} dB")


def _prefixes() -> dict[str, str]:
    """Predictor -> prefix of its columns."""
    return {"model": "", **{name: f"{name}_" for name in FLOORS}}
