"""Score weights on test lists, and write docs/results.md from what was scored.

    python -m benchmarks.results                   write the page from docs/results/*.json
    python -m benchmarks.results --measure --photos=FOLDER
                                                   first score the weights that ship, on the lists of FOLDER

The page can always be written again; measuring needs the photos. Grids of colored photos of the lists, and
of FOLDER/historical, go to runs/results/, to be looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import main
from benchmarks.common import machine
from benchmarks.grids import draw_grids
from device import find_device
from figures import write_curves
from files import read_csv, read_json, write_json, write_text
from models import shipped
from scorecard import FLOORS, summarize

ROOT = Path(__file__).parent.parent
RESULTS = ROOT / "docs" / "results"
PAGE = ROOT / "docs" / "results.md"
RUNS = Path("runs/results")

LISTS = {"scenes": "test/scenes", "life": "test/life", "faces": "faces/test"}
"""Name of a test list -> its folder of photos."""
NATURE = (
    *("desert", "mountain", "ocean", "waterfall", "rainforest", "sky", "landscape", "garden", "park"),
    *("bamboo_forest", "cloudy", "rain", "sunshine", "sunrise"),
)
"""Classes of the scenes that make up the list 'nature'."""
_COLUMNS = {"psnr": 2, "ssim": 4, "delta_e_76": 2, "delta_e_2000": 2, "colorfulness": 1}
_KEPT = ("mse", *_COLUMNS)


def measure(weights: Path, photos: Path) -> dict[str, Any]:
    """Score a weights file on every list of the folder `photos`: list -> card."""
    cards = {}
    for name in LISTS:
        cards[name] = score_list(name, weights, photos)
        if name == "scenes":
            cards["nature"] = _part(cards[name], read_csv(_run_dir(name, weights) / "per_image.csv"))
    return cards


def score_list(name: str, weights: Path, photos: Path) -> dict[str, Any]:
    """The card of a weights file on one list, as `trim` leaves it."""
    run_dir = _run_dir(name, weights)
    argv = ["--mode=test", "--split=all", f"--data_dir={photos / LISTS[name]}", f"--weights={weights}"]
    code = main.main([*argv, f"--run_dir={run_dir}", f"--pack_dir={RUNS / 'pack'}"])
    if code:
        sys.exit(code)
    return trim(read_json(run_dir / "metrics.json"))


def _run_dir(name: str, weights: Path) -> Path:
    return RUNS / weights.parent.name / weights.stem / name


def trim(card: dict[str, Any]) -> dict[str, Any]:
    """What the page shows of a scorecard."""
    rows = {"model": card, **card["floors"]}
    return {
        "num_photos": card["num_photos"],
        "image_size": card["image_size"],
        "weights_sha256": card["weights"]["sha256"],
        "chroma_ratio": card["chroma_ratio"],
        "truth_colorfulness": card["truth"]["colorfulness"]["mean"],
        **{row: {metric: values[metric] for metric in _KEPT} for row, values in rows.items()},
    }


def _part(whole: dict[str, Any], rows: list[dict[str, str]]) -> dict[str, Any]:
    """The card of the natural landscapes alone."""
    chosen = [row for row in rows if row["name"].partition("/")[0] in NATURE]
    scores = {key: [float(row[key]) for row in chosen] for key in chosen[0] if key != "name"}
    same = {"image_size": whole["image_size"], "weights": {"sha256": whole["weights_sha256"]}}
    return trim(summarize(scores, seed=42) | same | {"num_photos": len(chosen)})


def write_scores(name: str, command: str, rows: dict[str, Any]) -> None:
    """Write docs/results/<name>.json: what was scored, by which command, on which machine."""
    about = {"command": command, "machine": machine(find_device("auto").type)}
    write_json(RESULTS / f"{name}.json", about | {"rows": rows})


def page() -> str:
    """The text of docs/results.md, from docs/results/*.json alone."""
    parts = [_HEAD, *_shipped(read_json(RESULTS / "shipped.json"))]
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
    return parts + _test_lists(found["rows"])


def _test_lists(rows: dict[str, dict[str, Any]]) -> list[str]:
    """A table for each list. Args: rows: name -> list -> card."""
    parts = []
    for name in ("scenes", "nature", "life", "faces"):
        cards = {row: sets[name] for row, sets in rows.items()}
        first = next(iter(cards.values()))
        parts += [f"### {name}: {first['num_photos']} photos at {first['image_size']} px\n", table(cards)]
    return parts


def _experiment(name: str, found: dict[str, Any]) -> list[str]:
    rows = found["rows"]
    card, epochs = rows[0]["card"], max(len(row["history"]) for row in rows)
    gammas = {row["name"]: row["history"][-1].get("gamma") for row in rows}
    ends = ", ".join(f"{row} {gamma:.3f}" for row, gamma in gammas.items() if gamma is not None)
    own = "; ".join(f"{row['name']}, `{row['flags']}`" for row in rows if row["flags"])
    parts = [
        f"## {found['title']}\n",
        f"`{found['command']}` with `{found['common']}` ({_machine(found)}): "
        f"{card['num_photos']} validation photos at {card['image_size']} px, {epochs} epochs. "
        f"Flags of one row: {own}.\n",
        table({row["name"]: row["card"] for row in rows}),
        f"γ at the end: {ends}.\n",
        f"![validation PSNR above gray over the epochs](results/{name}.png)\n",
    ]
    if "cost" in rows[0]:
        parts += _costs(rows, found.get("compared"))
    if "lists" in rows[0]:
        parts += ["The same trainings on the test lists.\n"]
        parts += _test_lists({row["name"]: row["lists"] for row in rows})
    if "compared" in found:
        parts += _differences(found["compared"], rows[0]["name"])
    return parts


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


def _differences(compared: dict[str, Any], first: str) -> list[str]:
    """How far each row is from the first on the scenes list, photo by photo."""
    metrics = ("psnr", "ssim", "delta_e_76", "delta_e_2000", "colorfulness_gap")
    lines = [
        f"Minus {first} on the scenes list, photo by photo, by `--mode=compare`; 95 % paired bootstrap "
        "intervals, and * where they leave out 0. The gap is that of colourfulness to the truth.\n",
        "| | PSNR, dB | SSIM | ΔE76 | ΔE2000 | gap |",
        "|---|---|---|---|---|---|",
    ]
    for pair in compared["differences"]:
        if pair["minus"] == first:
            digits = {**_COLUMNS, "colorfulness_gap": 1}
            cells = [_cell(pair[m], digits[m], "+") + "*" * pair[m]["differs"] for m in metrics]
            lines.append(f"| {pair['of']} | " + " | ".join(cells) + " |")
    return ["\n".join(lines) + "\n"]


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
    rows = [(name, card["model"], f"{card['chroma_ratio']:.2f}") for name, card in cards.items()]
    kinds = {"gray": "floor"}
    rows += [(f"{name} ({kinds.get(name, 'oracle')})", first[name], "") for name in FLOORS]
    head = (
        "| | PSNR ↑, dB | above gray | SSIM ↑ | ΔE76 ↓ | ΔE2000 ↓ | colourfulness | − true | chroma / true |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|---|"]
    for name, values, ratio in rows:
        cells = [_cell(values[metric], digits) for metric, digits in _COLUMNS.items()]
        cells.insert(1, f"{values['psnr']['mean'] - first['gray']['psnr']['mean']:+.2f}")
        cells.append(f"{values['colorfulness']['mean'] - first['truth_colorfulness']:+.1f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {ratio} |")
    truth = f"Colourfulness of the truth: {first['truth_colorfulness']:.1f}."
    return "\n".join(lines) + f"\n\n{truth}\n"


def _machine(found: dict[str, Any]) -> str:
    return f"{found['machine']['cores']} CPU cores, torch {found['machine']['torch']}"


def _cell(value: dict[str, float], digits: int, sign: str = "") -> str:
    mean, low, high = (f"{value[key]:{sign}.{digits}f}" for key in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"


_TRAINING = """The last stage of their trainings, as `python -m benchmarks.ship_weights` kept it:

![validation PSNR above gray over the epochs](results/training.png)
"""
_HEAD = """# Results

Every table here is written by `python -m benchmarks.results` from the JSON files in
[`results/`](results); each names the command that made its file. What the photos are, how the weights
that ship were trained and what they do badly stands in [weights.md](weights.md).

Protocol: photos squashed to the side stated, L* of the truth kept, colours beyond sRGB clipped; per
photo, then averaged; in brackets 95 % percentile bootstrap intervals over the photos. *Chroma / true* is
the mean predicted chroma over that of the truth, *− true* how far the mean colourfulness (Hasler and
Süsstrunk) is from that of the truth. The gray row is the floor, no colour at all; the oracles
know the truth: *mean_color* paints each photo in its own mean colour, *half_chroma* halves the true colours.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="score the weights that ship, draw grids")
    parser.add_argument("--photos", type=Path, help="folder that holds " + ", ".join(LISTS.values()))
    args = parser.parse_args()
    if args.measure:
        if args.photos is None:
            parser.error("--measure needs --photos=FOLDER")
        files = sorted(shipped.FOLDER.glob("*.safetensors"))
        scored = {path.stem: measure(path, args.photos) for path in files}
        write_scores("shipped", "python -m benchmarks.results --measure --photos=PHOTOS", scored)
        folders = [*LISTS.values(), "historical"]
        draw_grids({path.stem: path for path in files}, [args.photos / f for f in folders], RUNS / "grids")
    draw_curves()
    write_text(PAGE, page())
    print(f"written: {PAGE}")
