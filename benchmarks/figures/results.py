"""Score weights on test lists, and write docs/results.md from what was scored.

    python -m benchmarks.figures.results                   write the page from docs/results/*.json
    python -m benchmarks.figures.results --measure --photos=FOLDER
                                                   first score the weights that ship, on the lists of FOLDER
    python -m benchmarks.figures.results --measure --photos=FOLDER --only=NAME
                                                   those of one name; of the others the scores stay

The page can always be written again; measuring needs the photos. Grids of colored photos of the lists, and
of FOLDER/historical, go to runs/results/, to be looked at.
"""

from __future__ import annotations

import argparse
import textwrap
from pathlib import Path
from typing import Any

from benchmarks.common import ROOT, machine
from benchmarks.figures.difference_tables import difference_tables
from benchmarks.figures.grids import draw_grids
from benchmarks.figures.set_tables import ROW_KINDS, choice_table, distance_table, interval, lineup, summary
from benchmarks.studies.lists import LISTS, RUNS, measure
from checkpoint import shipped
from core.device import find_device
from core.errors import UserError
from core.figures import write_curves
from core.files import read_json, write_json, write_text
from scoring import frechet, kid, shift
from scoring.scorecard import FLOORS

RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "results.md"

_COLUMNS = {"psnr": 2, "ssim": 4, "delta_e_76": 2, "delta_e_2000": 2, "colorfulness": 1}
_LIST_ORDER = ("scenes", "nature", "life", "objects", "faces")


def write_scores(name: str, command: str, rows: dict[str, Any]) -> None:
    """Write docs/results/<name>.json: what was scored, by which command, on which machine."""
    about = {"command": command, "machine": machine(find_device("auto").type)}
    write_json(RESULTS / f"{name}.json", about | {"rows": rows})


def page() -> str:
    """The text of docs/results.md, from docs/results/*.json alone."""
    parts = [
        _HEAD,
        *(textwrap.fill(text, 105) + "\n" for text in _SETS),
        *_shipped(read_json(RESULTS / "shipped.json")),
    ]
    if (RESULTS / "training.json").exists():
        parts += [_TRAINING]
    for path in _experiments():
        parts += _experiment(path.stem, read_json(path))
    if (RESULTS / "robustness.json").exists():
        parts += _robustness(read_json(RESULTS / "robustness.json"))
    return "\n".join(parts)


def draw_curves() -> None:
    """Draw the validation curves of every experiment, and of the weights that ship."""
    for path in (*_experiments(), *RESULTS.glob("training.json")):
        rows = read_json(path)["rows"]
        gains: dict[str, list[float]]
        gains = {row["name"]: [e["val_psnr"] - e["val_psnr_gray"] for e in row["history"]] for row in rows}
        write_curves(path.with_suffix(".png"), gains, "validation PSNR above gray, dB")


def _experiments() -> list[Path]:
    return [path for path in sorted(RESULTS.glob("*.json")) if "experiment" in read_json(path)]


def _shipped(found: dict[str, Any]) -> list[str]:
    parts = ["## The weights that ship, on test lists\n", f"`{found['command']}` ({_machine(found)})\n"]
    parts += [_SUMMARY, "\n".join(summary(found["rows"])) + "\n"]
    return parts + _test_lists(found["rows"])


def _test_lists(rows: dict[str, dict[str, Any]]) -> list[str]:
    """A table for each list that was measured. Args: rows: name -> list -> card."""
    parts = []
    for name in (*_LIST_ORDER, "together"):
        cards = {row: sets[name] for row, sets in rows.items() if name in sets}
        if not cards:
            continue
        first = next(iter(cards.values()))
        title = "scenes, life and objects together" if name == "together" else name
        parts += [f"### {title}: {first['num_photos']} photos at {first['image_size']} px\n"]
        parts += [distance_table(cards) if name == "together" else table(cards)]
    return parts


def _experiment(name: str, found: dict[str, Any]) -> list[str]:
    rows = found["rows"]
    card, epochs = rows[0]["card"], max(len(row["history"]) for row in rows)
    machines = {row["name"]: row["machine"] for row in rows if "machine" in row}
    gammas = {row["name"]: row["history"][-1].get("gamma") for row in rows}
    ends = ", ".join(f"{row} {gamma:.3f}" for row, gamma in gammas.items() if gamma is not None)
    own = "; ".join(f"{row['name']}, `{row['flags']}`" for row in rows if row["flags"])
    parts = [
        f"## {found['title']}\n",
        f"`{found['command']}` with `{found['common']}` ({_machine(found)}): "
        f"{card['num_photos']} validation photos at {card['image_size']} px, {epochs} epochs. "
        f"Flags of one row: {own}.{_other_machines(machines)}\n",
        table({row["name"]: row["card"] for row in rows}),
        *([f"γ at the end: {ends}.\n"] if ends else []),
        f"![validation PSNR above gray over the epochs](results/{name}.png)\n",
    ]
    if name == "lineage":
        parts.append("The curve of zhang2017 is with hints, its row in the table without.\n")
    if (choice := RESULTS / "choice" / f"{name}.json").exists():
        parts += _choice(read_json(choice))
    if "cost" in rows[0]:
        parts += _costs(rows, found.get("compared"))
    if "lists" in rows[0]:
        parts += ["The same trainings on the test lists.\n", *lineup(rows)]
        parts += _test_lists({row["name"]: row["lists"] for row in rows})
    if "compared" in found:
        parts += difference_tables(found["compared"], [row["name"] for row in rows])
    return parts


def _choice(found: dict[str, Any]) -> list[str]:
    """The rows of an experiment, and more settings of theirs, by what sets of photos are like."""
    about = f"`{found['command']}` ({_machine(found)}): {found['num_photos']} of the validation photos at "
    return [f"{about}{found['image_size']} px.\n", choice_table(found)]


def _costs(rows: list[dict[str, Any]], compared: dict[str, Any] | None) -> list[str]:
    """What each row took to train, and how fast it colors."""
    head = ["", "parameters", "trained, photos/s", "training, minutes"]
    head += ["colored, photos/s"] if compared else []
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for row in rows:
        cost = row["cost"]
        cells = [row["name"], f"{cost['parameters']:,}"]
        cells += [f"{cost['photos_per_s']:.0f}", f"{cost['minutes']:.1f}"]
        if compared:
            cells.append(f"{compared['models'][row['name']]['photos_per_second']:.0f}")
        lines.append(f"| {' | '.join(cells)} |")
    threads = f"{rows[0]['cost']['threads']} thread(s)"
    note = f"Trained on {threads}, once each and beside other work, without the time of validation."
    return ["\n".join(lines) + "\n", note + (f" Colored: {compared['speed']}." if compared else "") + "\n"]


def _other_machines(machines: dict[str, dict[str, Any]]) -> str:
    """Which rows were measured elsewhere, and where."""
    if not machines:
        return ""
    places = {m["platform"]: _machine({"machine": m}) for m in machines.values()}
    named = "; ".join(f"{about}, {platform}" for platform, about in places.items())
    return f" Of another machine ({named}): {', '.join(machines)}."


def _robustness(found: dict[str, Any]) -> list[str]:
    parts = [
        "## Through old film\n",
        f"`{found['command']}` ({_machine(found)}): the model sees every photo of the scenes list through "
        "one effect of [`data/film.py`](../data/film.py); its colours are scored on the true lightness.\n",
    ]
    for weights, cards in found["rows"].items():
        parts += [f"**{weights}**\n", table(cards)]
    return parts


def table(cards: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row for each card, then the floor and the oracles of the same photos."""
    first = next(iter(cards.values()))
    has_shift = any("shift" in card for card in cards.values())
    rows = {name: _cells(card["model"], first) + _own_cells(card, has_shift) for name, card in cards.items()}
    blank = [""] * (1 + has_shift)
    rows |= {f"{name} ({ROW_KINDS[name]})": _cells(first[name], first) + blank for name in FLOORS}
    head = ["", "PSNR ↑, dB", "above gray", "SSIM ↑", "ΔE76 ↓", "ΔE2000 ↓", "colourfulness", "− true"]
    head += ["chroma / true", "shift ↓"][: len(blank)]
    lines = [f"| {' | '.join(head)} |".replace("|  |", "| |"), "|---" * len(head) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    truth = f"Colourfulness of the truth: {first['truth_colorfulness']:.1f}."
    return "\n".join(lines) + f"\n\n{truth}\n"


def _cells(values: dict[str, Any], first: dict[str, Any]) -> list[str]:
    """The metrics of a predictor, beside gray and the truth."""
    cells = [interval(values[metric], digits) for metric, digits in _COLUMNS.items()]
    cells.insert(1, f"{values['psnr']['mean'] - first['gray']['psnr']['mean']:+.2f}")
    return [*cells, f"{values['colorfulness']['mean'] - first['truth_colorfulness']:+.1f}"]


def _own_cells(card: dict[str, Any], has_shift: bool) -> list[str]:
    """What a model has and a floor has not."""
    shift = interval(card["shift"], 3) if "shift" in card else ""
    return [f"{card['chroma_ratio']:.2f}", *([shift] if has_shift else [])]


def _machine(found: dict[str, Any]) -> str:
    return f"{found['machine']['cores']} CPU cores, torch {found['machine']['torch']}"


_SUMMARY = """PSNR above gray in dB, chroma on *life*, shift on *scenes*, and the distance of *scenes*,
*life* and *objects* together; with intervals and all metrics below.
"""
_TRAINING = """The last stages of their trainings, as `python -m benchmarks.ship_weights` kept them, one after
the other where several are averaged, each on validation photos of its own; of unet_hints with hints:

![validation PSNR above gray over the epochs](results/training.png)
"""
_HEAD = """# Results

Every table here is written by `python -m benchmarks.figures.results` from the JSON files in
[`results/`](results); each names the command that made its file. What the photos are, how the weights
that ship were trained and what they do badly stands in [weights.md](weights.md); a picture of all models by
year in [models.md](models.md#through-twenty-years).

Protocol: photos squashed to the side stated, L* of the truth kept, colours beyond sRGB clipped; per
photo, then averaged; in brackets 95 % percentile bootstrap intervals over the photos. *Chroma / true* is
the mean predicted chroma over that of the truth, *− true* how far the mean colourfulness (Hasler and
Süsstrunk) is from that of the truth. The gray row is the floor, no colour at all; the oracles
know the truth: *mean_color* paints each photo in its own mean colour, *half_chroma* halves the true colours.

The curves over the epochs are of the validations during a training, in its precision; the tables are of the
weights that were kept, in float32. They differ by some hundredths of a dB.
"""
_SETS = (
    f"*Shift*: {shift.DEFINITION}. 0 where every colour stays on its thing; the higher, the more the colours "
    "break into patches.",
    f"*Fréchet distance*: {frechet.DEFINITION}.",
    f"*KID*: {kid.DEFINITION}.",
)


def _measure_shipped(photos: Path, only: str | None) -> None:
    """Score the weights that ship, or those of one name, and draw grids of them."""
    files = {path.stem: path for path in sorted(shipped.FOLDER.glob("*.safetensors"))}
    kept = read_json(RESULTS / "shipped.json")["rows"] if only else {}
    chosen = {name: path for name, path in files.items() if only in (None, name)}
    if not chosen:
        raise UserError(f"--only={only}: must be one of {', '.join(files)}")
    scored = kept | {name: measure(path, photos) for name, path in chosen.items()}
    rows = {name: scored[name] for name in files if name in scored}
    write_scores("shipped", "python -m benchmarks.figures.results --measure --photos=PHOTOS", rows)
    folders = [*LISTS.values(), "historical"]
    draw_grids(chosen, [photos / folder for folder in folders], RUNS / "grids")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="score the weights that ship, draw grids")
    parser.add_argument("--photos", type=Path, help="folder that holds " + ", ".join(LISTS.values()))
    parser.add_argument("--only", help="score the weights of this name alone, such as model1")
    args = parser.parse_args()
    if args.measure:
        if args.photos is None:
            parser.error("--measure needs --photos=FOLDER")
        _measure_shipped(args.photos, args.only)
    draw_curves()
    write_text(PAGE, page())
    print(f"written: {PAGE}")
