"""Score weights and settings side by side on the validation photos of a run: what settings are chosen by.

    python -m benchmarks.studies.choose --run=runs/a runs/a runs/a:vividness=0.5,temperature=0.7 runs/b model1

A row is a run's folder, a file of weights or the name of weights that ship, and after a colon settings of the
model other than those of the file. Columns: PSNR above and CIE76 below no colour at all, mean chroma and
colourfulness over those of the truth, shift (scoring/shift.py), Fréchet distance (scoring/frechet.py).
"""

from __future__ import annotations

import argparse
import ast
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import machine
from benchmarks.studies.set_scores import distances, features_of_truth, look_at, shift_ratio
from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import find_weights
from config import Config
from core.device import find_device, reuse_freed_memory
from core.errors import UserError
from core.files import write_json
from core.runs import read_config
from data.loader import PhotoLoader
from data.pipeline import open_split
from evaluate import scoring_loader
from scoring import frechet, paired, shift
from scoring.models import score_models
from scoring.scorecard import FLOORS

COLUMNS = {
    "psnr_above_gray": ("above gray, dB", "+.2f"),
    "delta_e_76_below_gray": ("ΔE76 below", "+.2f"),
    "chroma_ratio": ("chroma / true", ".2f"),
    "colorfulness_ratio": ("colourful / true", ".2f"),
    "shift": ("shift", ".3f"),
    "frechet": ("Fréchet", ".1f"),
}
"""Name in the JSON -> head of the column, format."""
DEFINITIONS = {
    "psnr_above_gray, delta_e_76_below_gray": "mean over photos less that of gray, as of the test mode",
    "colorfulness_ratio": "mean colourfulness over that of the truth",
    "shift": shift.DEFINITION,
    "frechet": frechet.DEFINITION,
}


def load_row(row: str) -> LoadedModel:
    """The weights of 'PATH' or 'PATH:setting=value,...'.

    Raises:
        UserError: they cannot be had, or the settings are none of the model's.
    """
    name, _, given = row.partition(":")
    settings: dict[str, Any] = {}
    for item in filter(None, given.split(",")):
        key, equals, value = item.partition("=")
        if not equals:
            raise UserError(f"{row}: write settings as {name}:setting=value,setting=value")
        settings[key] = _value(value)
    return load_weights(find_weights(Path(name), None, ""), settings=settings)


def score_rows(rows: Mapping[str, LoadedModel], loader: PhotoLoader) -> dict[str, dict[str, float]]:
    """Row -> name of `COLUMNS` -> value; of the floors and of true photos what there is."""
    see = frechet.PhotoFeatures().to(loader.device)
    truth = features_of_truth(loader, see)
    columns = score_models({row: loaded.model for row, loaded in rows.items()}, loader).columns
    found, features = {}, {}
    for (row, loaded), scores in zip(rows.items(), columns.values(), strict=True):
        seen = look_at(loaded.model, loader, see)
        features[row] = seen.features
        found[row] = _means(scores, scores) | {"shift": shift_ratio(seen.moves, seed=0)["mean"]}
    first = next(iter(columns.values()))
    found |= {floor: _means(paired.of_floor(first, floor), first) for floor in FLOORS}
    for row, distance in distances(truth, features).items():
        found.setdefault(row, {})["frechet"] = distance
    return found


def _means(scores: paired.Scores, shared: paired.Scores) -> dict[str, float]:
    """Means of a predictor beside those of gray and of the truth on the same photos."""
    mean = {name: float(np.mean(values)) for name, values in {**shared, **scores}.items()}
    found = {
        "psnr_above_gray": mean["psnr"] - mean["gray_psnr"],
        "delta_e_76_below_gray": mean["gray_delta_e_76"] - mean["delta_e_76"],
        "colorfulness_ratio": mean["colorfulness"] / mean["truth_colorfulness"],
    }
    if "chroma" in scores:
        found["chroma_ratio"] = mean["chroma"] / mean["truth_chroma"]
    return found


def print_rows(rows: Mapping[str, Mapping[str, float]]) -> None:
    """Print a line for each row."""
    width = max(map(len, rows)) + 2
    print(" " * width + "".join(f"{head:>18}" for head, _ in COLUMNS.values()))
    for row, values in rows.items():
        cells = [f"{values[c]:{style}}" if c in values else "" for c, (_, style) in COLUMNS.items()]
        print(f"{row:<{width}}" + "".join(f"{cell:>18}" for cell in cells).rstrip())


def main(argv: Sequence[str] | None = None) -> None:
    """Score the rows named on the command line, print them and write them down."""
    given = sys.argv[1:] if argv is None else argv
    args = _parse(given)
    stored = read_config(args.run)
    if not stored:
        raise UserError(f"--run={args.run} is no run: name the folder of one")
    config = Config(
        mode="test",
        split="val",
        run_dir=args.run,
        pack_dir=args.pack_dir,
        max_photos=args.max_photos,
        image_size=args.image_size or stored.get("image_size", Config.image_size),
        resize=stored.get("resize", Config.resize),
    )
    rows = {row: load_row(row) for row in args.rows}
    reuse_freed_memory()
    entries = open_split(config).of("val", args.max_photos)
    loader = scoring_loader(config, entries, find_device("auto"))
    found = score_rows(rows, loader)
    print(f"\n{len(loader)} validation photos of {args.run} at {config.image_size} px")
    print_rows(found)
    about: dict[str, Any] = {
        "command": f"python -m benchmarks.studies.choose {shlex.join(given)}",
        "machine": machine(loader.device.type),
        "num_photos": len(loader),
        "image_size": config.image_size,
        "definitions": DEFINITIONS,
    }
    files = {row: loaded.sha256 for row, loaded in rows.items()}
    write_json(args.json, about | {"weights_sha256": files, "rows": found})
    print(f"written: {args.json}")


def _value(text: str) -> Any:
    """A number where it is one, else the word."""
    try:
        return ast.literal_eval(text)
    except (SyntaxError, ValueError):
        return text


def _parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="+", metavar="ROW", help="PATH or PATH:setting=value,...")
    parser.add_argument("--run", type=Path, required=True, help="the run whose validation photos are taken")
    parser.add_argument("--image_size", type=int, help="side, pixels (default that of the run)")
    parser.add_argument("--max_photos", type=int, help="take only the first N photos, at least 4")
    parser.add_argument("--pack_dir", type=Path, help="where decoded photos are kept (default in the run)")
    parser.add_argument("--json", type=Path, default=Path("runs/choose.json"), help="default %(default)s")
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
