"""Make a weights file that ships out of a finished run.

    python -m benchmarks.ship_weights runs/model1 --name=model1 --photos=FOLDER --data="5000 photos of ..."

The weights are rounded to half precision, scored as they are then on the test list of scenes of FOLDER,
and written to weights/NAME.safetensors with what they were trained on, their terms and their scores;
the list of sums follows, and the run's history goes to docs/results/training.json.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch

from benchmarks.results import LISTS, RESULTS, score_list
from files import read_csv, read_json, sha256, write_json, write_text
from models import shipped
from models.checkpoint import load_weights, save_weights
from runs import BEST, HISTORY

TERMS = (
    "for research use: the sources of the photographs state no terms for them, or research use; the "
    "licence of the code does not extend to these weights"
)


def ship(run_dir: Path, name: str, photos: Path, data: str) -> Path:
    """Write weights/<name>.safetensors and the list of sums; returns the file."""
    best = load_weights(run_dir / BEST)
    path = shipped.FOLDER / f"{name}.safetensors"
    half = run_dir / f"{name}.safetensors"
    model = best.model.to(torch.float16)
    save_weights(half, best.name, model, best.info)
    card = score_list("scenes", half, photos)
    metrics: dict[str, Any] = {"list": LISTS["scenes"], "num_photos": card["num_photos"]}
    metrics["chroma_ratio"] = card["chroma_ratio"]
    for row in ("model", "gray"):
        metrics[row] = {m: v["mean"] for m, v in card[row].items()}
    save_weights(path, best.name, model, best.info | {"data": data, "terms": TERMS, "metrics": metrics})
    files = sorted(shipped.FOLDER.glob("*.safetensors"))
    write_text(shipped.FOLDER / shipped.SUMS, "".join(f"{sha256(f)}  {f.name}\n" for f in files))
    _keep_history(name, run_dir)
    return path


def _keep_history(name: str, run_dir: Path) -> None:
    path = RESULTS / "training.json"
    rows = {row["name"]: row for row in read_json(path)["rows"]} if path.exists() else {}
    epochs = [{k: float(v) for k, v in epoch.items()} for epoch in read_csv(run_dir / HISTORY)]
    rows[name] = {"name": name, "history": epochs}
    write_json(path, {"rows": [rows[key] for key in sorted(rows)]})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("--name", default="model1")
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--data", required=True, help="what the weights were trained on, in words")
    args = parser.parse_args()
    written = ship(args.run_dir, args.name, args.photos, args.data)
    print(f"{written}: {written.stat().st_size / 1e6:.1f} MB")
