"""How much of the colour survives when a test list is seen through old film.

    python -m benchmarks.studies.bench_robustness --photos=FOLDER [--weights=unet,unet_vivid]

Each effect of data/film.py in turn happens to every photo of the scenes list. The model sees that
lightness; its colours are scored on the true one, so that the figures are those of the colours alone. What
borders hide is gray in truth and floor alike. The scores go to docs/results/robustness.json.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from benchmarks.figures.results import RESULTS, write_scores
from benchmarks.studies.lists import LISTS, RUNS, trim
from checkpoint import shipped
from checkpoint.file import load_weights
from config import Config
from core.device import find_device, reuse_freed_memory
from core.figures import progress_bar
from data.color import join, lab_to_rgb
from data.film import EFFECTS, draw_film, film_lab
from data.loader import PhotoLoader
from data.pipeline import make_loader, open_split
from evaluate import BATCH_SIZE
from models.base import ColorizationModel
from models.inputs import Inputs
from scoring.scorecard import score_batch, summarize


@torch.inference_mode()
def score_through(effect: str | None, model: ColorizationModel, loader: PhotoLoader) -> dict[str, Any]:
    """The scorecard of a model that sees every photo through one effect, or as it is."""
    generator = torch.Generator().manual_seed(0)
    scores: dict[str, list[float]] = {}
    with progress_bar(effect or "clean", len(loader)) as bar:
        for batch in loader:
            draws = draw_film(len(batch), generator)
            draws[..., 0] = 1  # never, but for the effect asked for
            if effect:
                draws[:, list(EFFECTS).index(effect), 0] = 0
            lab = film_lab(lab_to_rgb(join(batch.L, batch.ab)), draws)
            seen = replace(batch, ab=lab[:, 1:])
            for key, values in score_batch(seen, model.predict(Inputs(lab[:, :1]))).items():
                scores.setdefault(key, []).extend(values.tolist())
            bar.update(len(batch))
    return summarize(scores, seed=42) | {"num_photos": len(loader)}


def measure(weights: Path, photos: Path) -> dict[str, Any]:
    """Effect -> card, 'clean' first."""
    device = find_device("auto")
    found = load_weights(weights)
    model = found.model.to(device)
    config = Config(
        mode="test",
        split="all",
        data_dir=str(photos / LISTS["scenes"]),
        run_dir=RUNS / "robustness",
        pack_dir=RUNS / "pack",
        image_size=found.info["image_size"],
        batch_size=BATCH_SIZE[device.type],
    )
    loader = make_loader(config, open_split(config).of("all"), device)
    about = {"image_size": config.image_size, "weights": {"sha256": found.sha256}}
    return {
        name: trim(score_through(effect, model, loader) | about)
        for name, effect in [("clean", None), *((effect, effect) for effect in EFFECTS)]
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument(
        "--weights", default="model1,unet,unet_vivid", help="names of weights that ship, by commas"
    )
    args = parser.parse_args()
    reuse_freed_memory()
    names = args.weights.split(",")
    rows = {name: measure(shipped.find_weights(Path(name), None, ""), args.photos) for name in names}
    command = f"python -m benchmarks.studies.bench_robustness --photos=PHOTOS --weights={args.weights}"
    write_scores("robustness", command, rows)
    print(f"written to {RESULTS / 'robustness.json'}; python -m benchmarks.figures.results writes the page")
