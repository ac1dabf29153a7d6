"""What colorizers make of the photos of a folder, beside the photos themselves."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from config import Config
from core.figures import progress_bar
from data.color import cie_chroma, rgb_to_lab
from data.listing import find_photos
from inference.chroma import apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.model_view import lightness_seen
from inference.views import mean_over_views
from media.picture import WHITE_LEVEL, Picture, load_picture
from metrics import psnr
from scoring.scorecard import bootstrap
from scoring.shift import DEFINITION, shift

DEFINITIONS = {
    "gain": "PSNR of the colored picture above that of the gray one, both in 8 bits at the photo's own "
    "size, dB",
    "shift": DEFINITION,
    "chroma": "mean chroma predicted over mean chroma of the photos, both as they are written",
    "seconds": "median time of a photo's colours at the render size, without carrying them to its own",
}
_SEED = 42


def draw_photos(folder: Path, num: int) -> list[Path]:
    """So many of the photos of a folder and of those below it, drawn with a seed, in order of name."""
    paths = find_photos(folder, recursive=True)
    return [paths[i] for i in sorted(np.random.default_rng(_SEED).permutation(len(paths))[:num])]


def judge(colorizers: Mapping[str, Colorizer], paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Name -> the figures of `DEFINITIONS`, and the gain's 95 % interval above that of the first.

    Every photo goes through all colorizers in turn, so that whatever slows the machine slows all.
    """
    seen: dict[str, list[dict[str, float]]] = {name: [] for name in colorizers}
    with progress_bar("judging", len(paths)) as bar:
        for path in paths:
            original = load_picture(path, max_pixels=Config.max_pixels)
            for name, colorizer in colorizers.items():
                seen[name].append(_observe(colorizer, original))
            bar.update()
    columns = {
        name: {key: np.array([row[key] for row in rows]) for key in rows[0]} for name, rows in seen.items()
    }
    first = next(iter(columns.values()))["gain"]
    return {name: _summary(own, own["gain"] - first) for name, own in columns.items()}


def _summary(columns: Mapping[str, np.ndarray], more: np.ndarray) -> dict[str, Any]:
    low, high = bootstrap(more[None], _SEED)
    return {
        "gain": float(columns["gain"].mean()),
        "more": {"mean": float(more.mean()), "low": float(low[0]), "high": float(high[0])},
        "shift": float(columns["distance"].mean() / max(columns["own_chroma"].mean(), 1e-9)),
        "chroma": float(columns["chroma"].mean() / max(columns["true_chroma"].mean(), 1e-9)),
        "seconds": float(np.median(columns["seconds"])),
    }


@torch.inference_mode()
def _observe(colorizer: Colorizer, original: Picture) -> dict[str, float]:
    start = time.perf_counter()
    found = colorizer.predict_whole(original)
    seconds = time.perf_counter() - start
    colored = apply_chroma(original, found, upsample=colorizer.upsample, saturation=colorizer.saturation)
    height, width = found.ab.shape[-2:]
    L = lightness_seen(original, (width, height))
    predict = partial(mean_over_views, partial(_predict, colorizer), num=colorizer.predictor.views)
    true, gray = _to_rgb(original), _to_rgb(without_color(original))
    rgb = _to_rgb(colored)
    return {
        "gain": (psnr(rgb, true) - psnr(gray, true)).item(),
        "distance": shift(predict, L, found.ab).item(),
        "own_chroma": cie_chroma(found.ab).mean().item(),
        "chroma": cie_chroma(rgb_to_lab(rgb)[:, 1:]).mean().item(),
        "true_chroma": cie_chroma(rgb_to_lab(true)[:, 1:]).mean().item(),
        "seconds": seconds,
    }


def _predict(colorizer: Colorizer, L: Tensor) -> Tensor:
    """The colours of photos, drawn or told of as those that the colorizer infers."""
    return colorizer.model.predict(colorizer.guidance.at(L, lambda size: size))


def _to_rgb(picture: Picture) -> Tensor:
    """(1, 3, H, W) in [0, 1]."""
    pixels = picture.pixels
    values = torch.from_numpy(pixels.astype(np.float32) / WHITE_LEVEL[pixels.dtype.name])
    return values.permute(2, 0, 1)[None]
