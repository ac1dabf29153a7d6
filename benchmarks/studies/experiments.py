"""Trainings side by side: one thing differs, the photos and their split are the same.

    python -m benchmarks.studies.experiments losses --data_dir=photos --image_size=128 --epochs=4

Flags beyond the experiment's name go to every training. Runs stay in runs/experiments/ and are gone on
with where they stopped; scores on the validation photos go to docs/results/<experiment>.json, from which
`python -m benchmarks.figures.results` writes the page. With --photos=FOLDER the test lists of FOLDER are
scored too. With --only=ROW,ROW these rows alone are trained and scored; the others stay as that file has
them.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

import main
from benchmarks.common import machine
from benchmarks.figures.results import RESULTS
from benchmarks.studies.kept import merge, read_kept, with_weights
from benchmarks.studies.lists import LISTS, measure, trim
from checkpoint.file import LoadedModel, load_weights
from core.device import find_device
from core.errors import UserError
from core.files import read_csv, read_json, write_json
from core.runs import BEST, HISTORY, LAST

RUNS = Path("runs/experiments")


@dataclass(frozen=True)
class Experiment:
    """Rows of a table: a name, and the flags of its training."""

    title: str
    rows: dict[str, str]
    common: str = "--recipe=best --split_ratio=0.94,0.06,0"


_MEAN_LOSS = "--loss=delta_e:1,chroma:2"
_ON = f"--init_weights={RUNS}/lively/mean --heads=mean --epochs=1 --lr=0.0003 {_MEAN_LOSS},features:0.5"
_JUDGED = f"{_ON},colorfulness:1"

EXPERIMENTS = {
    "recipes": Experiment(
        "Recipes and models, on the same photos and for as many epochs",
        {
            "model1, published": "--recipe=published",
            "model1, best": "",
            "model2, random encoder, best": "--model=model2 --encoder_weights=random",
        },
    ),
    "losses": Experiment(
        "Losses",
        {
            loss: f"--loss={loss}"
            for loss in (
                "mse",
                "smooth_l1",
                "delta_e",
                "psnr",
                "mse:1,chroma:0.5",
                "delta_e:1,chroma:2",
                "psnr:0.1,delta_e:0.5,chroma:3",
                "psnr:0.1,delta_e:0.5,chroma:3,ssim:0.1",
            )
        },
    ),
    "gamma": Experiment(
        "Gamma",
        {
            "power (published)": "--gamma_mode=power",
            "signed": "--gamma_mode=signed",
            "fixed at 1": "--gamma_mode=fixed",
        },
    ),
    "film": Experiment("Film augmentation", {"without": "", "with": "--film_augment"}),
    "lineage": Experiment(
        "The landmark models, their small presets beside model1, for as many photos each",
        {
            "model1": "--model=model1 --preset=paper",
            "zhang2016": "--model=zhang2016",
            "iizuka2016": "--model=iizuka2016 --loss=mse",
            "nazeri2018": "--model=nazeri2018",
            "zhang2017": "--model=zhang2017",
            "coltran2021": "--model=coltran2021",
            "unet": "--model=unet",
            "liu2023": "--model=liu2023",
        },
        common="--recipe=best --preset=small --min_crop=0.8 --split_ratio=0.94,0.06,0",
    ),
    # The last three go on from the first, whose folder of a run is named.
    "lively": Experiment(
        "Colours as their mean, as a distribution, or judged by features",
        {
            "mean": f"--heads=mean {_MEAN_LOSS}",
            "bins": "--heads=bins",
            "mean and bins": f"--heads=both {_MEAN_LOSS}",
            "mean, then features": _JUDGED,
            "mean, then features and shares of colours": f"{_ON},sliced_wasserstein:1.5",
            "mean, then features and discriminator": f"{_JUDGED} --adversarial=0.03 --head_start=30",
        },
        common="--model=unet --recipe=best --warmup=0 --split_ratio=0.9,0.1,0",
    ),
    "fine_tuning": Experiment(
        "Fine-tuning",
        {
            "from scratch": "",
            "from the shipped weights": "--init_weights=model1",
            "from the shipped weights, encoder frozen": "--init_weights=model1 --freeze_encoder",
        },
        common="--recipe=best --split_ratio=0.8,0.2,0",
    ),
}


def run(name: str, flags: list[str], photos: Path | None, only: str | None = None) -> dict[str, Any]:
    """Train and score the rows of an experiment; what is finished is not done again.

    Args:
        flags: of every training.
        photos: folder of the test lists; None: they are not scored.
        only: names of rows, by commas; the others stay as they were measured before. None: all rows.
    Raises:
        UserError: there is no such row, or the others were measured by another command.
    """
    experiment = EXPERIMENTS[name]
    shown = [*map(_shorten, flags), *(["--photos=PHOTOS"] if photos else [])]
    command = f"python -m benchmarks.studies.experiments {name} {shlex.join(shown)}"
    chosen = _choose(experiment, only)
    kept = None if only is None else read_kept(RESULTS / f"{name}.json", command, experiment.common)
    folders = {row: RUNS / name / "".join(c if c.isalnum() else "_" for c in row) for row in experiment.rows}
    rows = [_row(name, row, folders[row], flags, photos) for row in chosen]
    found = {
        "experiment": name,
        "title": experiment.title,
        "command": command,
        "common": experiment.common,
        "machine": machine(find_device("auto").type),
        "rows": rows,
    }
    if photos:
        there = {*chosen, *with_weights(kept, {row: folder / BEST for row, folder in folders.items()})}
        of = {row: folder for row, folder in folders.items() if row in there}
        found["compared"] = compare_rows(name, of, photos)
    return merge(kept, found, experiment.rows)


def _choose(experiment: Experiment, only: str | None) -> list[str]:
    if only is None:
        return [*experiment.rows]
    # A name of a row may hold commas itself.
    wanted = [only] if only in experiment.rows else only.split(",")
    if unknown := [row for row in wanted if row not in experiment.rows]:
        raise UserError(f"--only={only}: there is no row {unknown[0]!r}, only {', '.join(experiment.rows)}")
    return [row for row in experiment.rows if row in wanted]


def _row(name: str, row: str, folder: Path, flags: list[str], photos: Path | None) -> dict[str, Any]:
    """Train and score one row."""
    experiment = EXPERIMENTS[name]
    own = experiment.rows[row]
    # The flags of the row win: argparse takes the last of two.
    given = [*shlex.split(experiment.common), *flags, *shlex.split(own)]
    command = ["--mode=train", *given, f"--run_dir={folder}", f"--pack_dir={RUNS / 'pack'}"]
    print(f"\n== {name}: {row}\npython main.py {shlex.join(command)}", flush=True)
    if (folder / LAST).exists():
        command.append("--resume")  # a flag that contradicts the run is an error
    _call(command)
    _call(["--mode=test", "--split=val", f"--run_dir={folder}", f"--pack_dir={RUNS / 'pack'}"])
    history = [{k: float(v) for k, v in epoch.items()} for epoch in read_csv(folder / HISTORY)]
    card = trim(read_json(folder / "metrics_val.json"))
    cost = cost_of(load_weights(folder / BEST), history)
    found = {"name": row, "flags": own, "cost": cost, "card": card, "history": history}
    return found | ({"lists": measure(folder / BEST, photos)} if photos else {})


def cost_of(weights: LoadedModel, history: list[dict[str, float]]) -> dict[str, float]:
    """What a training took: parameters, photos per second, and minutes without those of validation.

    The threads are those of this process: a finished training is to be scored again with as many.
    """
    num_photos = weights.info["num_photos"]["train"]
    seconds = [num_photos / epoch["images_per_s"] for epoch in history]
    return {
        "parameters": sum(p.numel() for p in weights.model.parameters()),
        "photos_per_s": len(history) * num_photos / sum(seconds),
        "minutes": sum(seconds) / 60,
        "threads": torch.get_num_threads(),
    }


def compare_rows(name: str, folders: dict[str, Path], photos: Path) -> dict[str, Any]:
    """The rows on the scenes list by the compare mode: speed in coloring, and every difference of two."""
    run_dir = RUNS / name / "compared"
    given = [f"--compare={','.join(map(str, folders.values()))}", f"--data_dir={photos / LISTS['scenes']}"]
    where = [f"--run_dir={run_dir}", f"--pack_dir={RUNS / 'pack'}"]
    _call(["--mode=compare", "--split=all", *given, *where])
    card = read_json(run_dir / "compare.json")
    rows = dict(zip(card["models"], folders, strict=True))
    kept = ("colorfulness_gap", "photos_per_second")
    return {
        "speed": card["definitions"]["photos_per_second"],
        "models": {rows[m]: {key: values[key] for key in kept} for m, values in card["models"].items()},
        "differences": [
            {**pair, "of": rows[pair["of"]], "minus": rows[pair["minus"]]}
            for pair in card["differences"]
            if pair["minus"] in rows
        ],
    }


def _shorten(flag: str) -> str:
    """--data_dir=some/where/photos/train -> --data_dir=photos/train."""
    name, equals, value = flag.partition("=")
    return name + equals + "/".join(Path(value).parts[-2:]) if name == "--data_dir" else flag


def _call(argv: list[str]) -> None:
    code = main.main(argv)
    if code:
        sys.exit(code)


def main_of(argv: Sequence[str] | None = None) -> int:
    """Run an experiment and write its file; 0, or 2 for what the user can put right."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("experiment", choices=EXPERIMENTS)
    parser.add_argument("--photos", type=Path, help="score the test lists of this folder too")
    parser.add_argument("--only", help="train and score these rows alone, by commas")
    args, rest = parser.parse_known_args(argv)
    path = RESULTS / f"{args.experiment}.json"
    try:
        write_json(path, run(args.experiment, rest, args.photos, args.only))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(f"written to {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main_of())
