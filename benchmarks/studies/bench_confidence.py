"""Whether low confidence goes with wrong colours: rank correlation, and Delta E by confidence.

    python -m benchmarks.studies.bench_confidence --photos=FOLDER

On a seeded draw of the scenes list, at each photo's own size: confidence as --save_confidence writes it,
beside CIE76 between the colored picture and the photo; for a model that says itself how sure it is also as
for one that does not. Spearman's correlation over pixels (as many of each
photo) and over photos (means), with 95 % bootstrap intervals over the photos; and the mean error by fifths
of the pixels. Writes docs/prediction/confidence.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.studies.bench_upsample import RESULTS, to_lab
from benchmarks.studies.lists import LISTS
from checkpoint import shipped
from config import Config
from core.figures import progress_bar
from core.files import write_json
from data.listing import find_photos
from inference.colorizer import Colorizer
from media.picture import load_picture
from metrics import delta_e_76

PIXELS_PER_PHOTO = 400
_NUM_RESAMPLES, _NUM_PARTS, _SEED = 200, 5, 42


def observe(colorizer: Colorizer, path: Path, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Confidence in [0, 1] and Delta E of some pixels of a photo: (PIXELS_PER_PHOTO,) each."""
    original = load_picture(path, max_pixels=Config.max_pixels)
    sure = colorizer.confidence(original) / 255
    lab, truth = to_lab(colorizer.color(original).pixels), to_lab(original.pixels)
    error = (lab - truth).square().sum(dim=1).sqrt()[0].numpy()
    assert np.isclose(error.mean(), delta_e_76(lab, truth).item(), rtol=1e-3)
    chosen = rng.integers(0, error.size, PIXELS_PER_PHOTO)
    return sure.ravel()[chosen], error.ravel()[chosen]


def correlation(sure: np.ndarray, error: np.ndarray) -> dict[str, Any]:
    """Of confidence and error, (photos, pixels) each: Spearman's, negative where confidence is right."""
    rng = np.random.default_rng(_SEED)
    draws = [np.arange(len(sure)), *rng.integers(0, len(sure), (_NUM_RESAMPLES, len(sure)))]
    found: dict[str, Any] = {}
    for name, a, b in (("pixels", sure, error), ("photos", sure.mean(axis=1), error.mean(axis=1))):
        values = [float(spearmanr(a[draw].ravel(), b[draw].ravel()).statistic) for draw in draws]
        low, high = np.percentile(values[1:], (2.5, 97.5))
        found[name] = {"mean": values[0], "low": float(low), "high": float(high)}
    return found


def by_confidence(sure: np.ndarray, error: np.ndarray) -> list[dict[str, float]]:
    """Mean confidence and error of as many equal parts of the pixels, the least sure first."""
    order = np.argsort(sure.ravel(), kind="stable")
    return [
        {"confidence": float(sure.ravel()[part].mean()), "delta_e_76": float(error.ravel()[part].mean())}
        for part in np.array_split(order, _NUM_PARTS)
    ]


@torch.inference_mode()
def ways(weights: Path) -> dict[str, Colorizer]:
    """Title of the row -> a colorizer; two where the model can say itself how sure it is."""
    colorizer, by_agreement = Colorizer.load(weights), Colorizer.load(weights)
    label = colorizer.loaded.label
    L = torch.zeros(1, 1, 32, 32, device=colorizer.device)
    if colorizer.model.confidence(colorizer.model(L), L) is None:
        return {label: colorizer}
    by_agreement.model.confidence = lambda *_: None  # type: ignore[method-assign]
    return {f"{label}, its entropy": colorizer, f"{label}, its agreement": by_agreement}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True, help=f"folder that holds {LISTS['scenes']}")
    parser.add_argument("--weights", type=Path, help="only these, instead of all that ship")
    parser.add_argument("--num", type=int, default=150, help="photos; default 150")
    parser.add_argument("--json", type=Path, default=RESULTS / "confidence.json")
    args = parser.parse_args()
    paths = find_photos(args.photos / LISTS["scenes"], recursive=True)
    rng = np.random.default_rng(_SEED)
    paths = [paths[i] for i in sorted(rng.permutation(len(paths))[: args.num])]
    rows: dict[str, Any] = {}
    files = [args.weights] if args.weights else sorted(shipped.FOLDER.glob("*.safetensors"))
    for name, colorizer in [way for file in files for way in ways(file).items()]:
        seen = []
        with progress_bar(name, len(paths)) as bar:
            for path in paths:
                seen.append(observe(colorizer, path, rng))
                bar.update()
        sure, error = (np.stack(values) for values in zip(*seen, strict=True))
        rows[name] = correlation(sure, error) | {"parts": by_confidence(sure, error)}
        print(name, rows[name])
    command = f"python -m benchmarks.studies.bench_confidence --photos=PHOTOS --num={args.num}"
    command += f" --weights={args.weights.name}" if args.weights else ""
    write_json(args.json, {"command": command, "num_photos": len(paths), "rows": rows})


if __name__ == "__main__":
    main()
