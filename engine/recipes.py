"""Named sets of training settings: what `--recipe` stands for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

RECIPES: dict[str, dict[str, Any]] = {
    "published": {},  # the defaults of config.py
    "best": {
        "loss": "psnr:0.1,delta_e:0.5,chroma:3,ssim:0.1",
        "batch_size": 32,
        "min_crop": 0.5,
        "schedule": "cosine",
        "warmup": 1,
        "ema": 0.999,
        "epochs": 40,
        "patience": 40,  # a schedule is meant to be run to its end
    },
}
"""Name -> settings that differ from the published defaults; docs/weights.md says what came of them."""

FINE_TUNING_LR = 1e-4
"""Learning rate of a training that starts from given weights."""


def with_recipe(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the given settings, completed by those of their recipe; given ones take precedence.

    Args:
        given: settings by name; `recipe` may be among them, an unknown one changes nothing here.
    """
    below = dict(RECIPES.get(given.get("recipe", "published"), {}))
    if given.get("init_weights"):
        below["lr"] = FINE_TUNING_LR
    return below | dict(given)
