"""Make a weights file that ships out of finished runs.

    python -m benchmarks.ship_weights runs/model1 --name=model1 --photos=FOLDER --data="5000 photos of ..."

Of several runs, each gone on from the one before, the mean of the best weights is taken (Wortsman et al.
2022, "Model soups"), in which a run that is named several times counts as often. --chroma=1.16
multiplies the colours of a unet by that factor. It is rounded to half precision, scored as it is then on
the test list of scenes of FOLDER, and written to weights/NAME.safetensors with what it was trained on,
its terms and its scores; the list of sums follows, and the history of the runs goes to
docs/results/training.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from benchmarks.figures.results import RESULTS
from benchmarks.studies.lists import LISTS, score_list
from checkpoint import shipped
from checkpoint.file import load_weights, save_weights
from core.errors import UserError
from core.files import read_csv, read_json, sha256, write_json, write_text
from core.runs import BEST, HISTORY
from models.base import ColorizationModel
from models.unet import UNet

TERMS = (
    "for research use: the sources of the photographs state no terms for them, or research use; the "
    "licence of the code does not extend to these weights"
)


def ship(run_dirs: Sequence[Path], name: str, photos: Path, data: str, chroma: float = 1.0) -> Path:
    """Write weights/<name>.safetensors and the list of sums; returns the file."""
    found = [load_weights(run_dir / BEST) for run_dir in run_dirs]
    best = found[-1]
    info = best.info | {"mean_of": [{"sha256": weights.sha256} for weights in found]}
    path = shipped.FOLDER / f"{name}.safetensors"
    half = run_dirs[-1] / f"{name}.safetensors"
    mean = mean_of([weights.model for weights in found])
    if chroma != 1:
        scale_colors(mean, chroma)
        info["colors_times"] = chroma
    model = mean.to(torch.float16)
    save_weights(half, best.name, model, info)
    card = score_list("scenes", half, photos)
    metrics: dict[str, Any] = {"list": LISTS["scenes"], "num_photos": card["num_photos"]}
    metrics["chroma_ratio"] = card["chroma_ratio"]
    for row in ("model", "gray"):
        metrics[row] = {m: v["mean"] for m, v in card[row].items()}
    save_weights(path, best.name, model, info | {"data": data, "terms": TERMS, "metrics": metrics})
    files = sorted(shipped.FOLDER.glob("*.safetensors"))
    write_text(shipped.FOLDER / shipped.SUMS, "".join(f"{sha256(f)}  {f.name}\n" for f in files))
    _keep_history(name, run_dirs)
    return path


def mean_of(models: Sequence[ColorizationModel]) -> ColorizationModel:
    """The mean of the weights and statistics of models of one architecture, in the last of them."""
    states = [model.state_dict() for model in models]
    mean = {
        key: torch.stack([state[key] for state in states]).mean(dim=0) if value.is_floating_point() else value
        for key, value in states[-1].items()
    }
    models[-1].load_state_dict(mean)
    return models[-1]


@torch.no_grad()
def scale_colors(model: ColorizationModel, factor: float) -> None:
    """Multiply the colours of the mean head of a unet by a factor, in its weights: their hues stay.

    Raises:
        UserError: the model has no such head.
    """
    if not isinstance(model, UNet) or model.mean_head is None:
        raise UserError("--chroma: only for a unet with a mean head")
    for parameter in model.mean_head.parameters():
        parameter.mul_(factor)


def _keep_history(name: str, run_dirs: Sequence[Path]) -> None:
    path = RESULTS / "training.json"
    rows = {row["name"]: row for row in read_json(path)["rows"]} if path.exists() else {}
    history = [epoch for run_dir in dict.fromkeys(run_dirs) for epoch in read_csv(run_dir / HISTORY)]
    epochs = [{k: float(v) for k, v in epoch.items()} for epoch in history]
    rows[name] = {"name": name, "history": epochs}
    write_json(path, {"rows": [rows[key] for key in sorted(rows)]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run_dirs", type=Path, nargs="+")
    parser.add_argument("--name", default="model1")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--data", required=True, help="what the weights were trained on, in words")
    parser.add_argument(
        "--chroma", type=float, default=1.0, help="factor of the colours (default %(default)s)"
    )
    args = parser.parse_args()
    written = ship(args.run_dirs, args.name, args.photos, args.data, args.chroma)
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
