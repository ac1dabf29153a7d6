"""Scoring photos, the whole scorecard, against the per-photo loop over scikit-image's functions.

Both sides compute the same list: six metrics of the model, of the gray floor and of the two oracles,
with the network's forward pass. The two must agree: the largest difference of any mean is reported.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import skimage.color
import skimage.metrics
import torch

import evaluate
from benchmarks.common import OwnProcess, alternate, machine, parse, ratio, report, summary, write_photos
from config import Config
from core.device import find_device, reuse_freed_memory
from data.batch import Batch
from data.pipeline import draw_split, make_loader, open_listing
from models.inputs import Inputs
from models.registry import build_model
from scoring.models import score_models
from scoring.scorecard import METRIC_NAMES

IMAGE_SIZE = 224
Scores = dict[str, list[float]]


class PerPhotoLoop:
    """What a test loop over scikit-image computes, one photo at a time."""

    def __init__(self, config: Config, state: dict[str, torch.Tensor], device_name: str) -> None:
        self.device = find_device(device_name)
        self.model = build_model("model1").to(self.device).eval()
        self.model.load_state_dict(state)
        manifest = draw_split(config, open_listing(config), whole=True)
        self.loader = make_loader(config.replace(batch_size=1), manifest.of("test"), torch.device("cpu"))

    @torch.inference_mode()
    def run(self) -> tuple[float, Scores]:
        """(photos per second, columns of the scorecard)."""
        warnings.simplefilter("ignore")  # scikit-image tells of every colour that it clips
        scores: Scores = {}
        start = time.perf_counter()
        for batch in self.loader:
            ab = self.model.predict(Inputs(batch.L.to(self.device))).cpu()
            for name, value in _score(batch, ab).items():
                scores.setdefault(name, []).append(value)
        return len(self.loader) / (time.perf_counter() - start), scores


def _score(batch: Batch, ab: torch.Tensor) -> dict[str, float]:
    true_lab = torch.cat((batch.L, batch.ab), dim=1)[0].permute(1, 2, 0).numpy()
    true_ab, lightness = true_lab[..., 1:], true_lab[..., :1]
    truth = skimage.color.lab2rgb(true_lab)
    predictions = {
        "": ab[0].permute(1, 2, 0).numpy(),
        "gray_": np.zeros_like(true_ab),
        "mean_color_": np.broadcast_to(true_ab.mean(axis=(0, 1)), true_ab.shape),
        "half_chroma_": true_ab / 2,
    }
    scores = {"truth_colorfulness": _colorfulness(truth)}
    for prefix, values in predictions.items():
        rgb = skimage.color.lab2rgb(np.concatenate((lightness, values), axis=2))
        lab = skimage.color.rgb2lab(rgb)
        scores[f"{prefix}mse"] = skimage.metrics.mean_squared_error(truth, rgb)
        scores[f"{prefix}psnr"] = skimage.metrics.peak_signal_noise_ratio(truth, rgb, data_range=1)
        scores[f"{prefix}ssim"] = skimage.metrics.structural_similarity(
            truth,
            rgb,
            data_range=1,
            channel_axis=-1,
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
        )
        scores[f"{prefix}delta_e_76"] = skimage.color.deltaE_cie76(true_lab, lab).mean()
        scores[f"{prefix}delta_e_2000"] = skimage.color.deltaE_ciede2000(true_lab, lab).mean()
        scores[f"{prefix}colorfulness"] = _colorfulness(rgb)
    return scores


def _colorfulness(rgb: np.ndarray) -> float:
    red, green, blue = np.moveaxis(255 * rgb, -1, 0)
    opponents = np.stack((red - green, (red + green) / 2 - blue)).reshape(2, -1)
    deviation, mean = opponents.std(axis=1), opponents.mean(axis=1)
    return float(np.hypot(*deviation) + 0.3 * np.hypot(*mean))


def main() -> None:
    """Measure and report."""
    args = parse(__doc__ or "", photos=64, rounds=5)
    device = find_device(args.device)
    reuse_freed_memory()  # as evaluate.run does
    torch.manual_seed(0)
    model = build_model("model1")
    state = model.state_dict()
    with tempfile.TemporaryDirectory() as folder:
        write_photos(Path(folder) / "photos", args.photos)
        config = Config(
            mode="test", data_dir=f"{folder}/photos", run_dir=Path(folder, "run"), image_size=IMAGE_SIZE
        )
        manifest = draw_split(config, open_listing(config), whole=True)
        batch_size = evaluate.BATCH_SIZE[device.type]
        loader = make_loader(config.replace(batch_size=batch_size), manifest.of("test"), device)
        model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        last: dict[str, Scores] = {}

        def ours() -> float:
            start = time.perf_counter()
            last["ours"] = score_models({"ours": model}, loader).columns["ours"]
            return len(loader) / (time.perf_counter() - start)

        with OwnProcess(PerPhotoLoop, config, state, args.device) as loop:

            def theirs() -> float:
                rate, last["theirs"] = loop.call("run")
                return float(rate)

            rates = alternate({"per-photo loop": theirs, "ours": ours}, args.rounds)
    speedup = ratio(rates["ours"], rates["per-photo loop"])
    difference = {m: abs(float(np.mean(last["ours"][m]) - np.mean(last["theirs"][m]))) for m in METRIC_NAMES}
    figures: dict[str, Any] = {
        "speedup": speedup,
        "photos_per_s": {name: summary(values) for name, values in rates.items()},
        "difference_of_means": difference,
        "image_size": IMAGE_SIZE,
        "photos": args.photos,
        "machine": machine(args.device),
    }
    rows = {name: f"{np.median(values):8.1f} photos/s" for name, values in rates.items()}
    rows["speedup"] = f"{speedup['median']:8.2f}x [{speedup['low']:.2f}, {speedup['high']:.2f}]"
    rows["difference"] = ", ".join(f"{name} {value:.1e}" for name, value in difference.items())
    report(f"scoring {args.photos} photos at {IMAGE_SIZE} px, network included", rows, figures, args.json)


if __name__ == "__main__":
    main()
