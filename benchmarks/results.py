"""Score weights on test lists, and write docs/results.md from what was scored.

    python -m benchmarks.results                   write the page from docs/results/*.json
    python -m benchmarks.results --measure --photos=FOLDER
                                                   first score the weights that ship, on the lists of FOLDER

The page can always be written again; measuring needs the photos. Grids of colored photos of the lists
go to runs/results/, to be looked at.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import main
from benchmarks.common import machine
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
            cards["nature"] = _part(cards[name], read_csv(RUNS / weights.stem / name / "per_image.csv"))
    return cards


def score_list(name: str, weights: Path, photos: Path) -> dict[str, Any]:
    """The card of a weights file on one list, as `trim` leaves it."""
    run_dir = RUNS / weights.stem / name
    argv = ["--mode=test", "--split=all", f"--data_dir={photos / LISTS[name]}", f"--weights={weights}"]
    code = main.main([*argv, f"--run_dir={run_dir}", f"--pack_dir={RUNS / 'pack'}"])
    if code:
        sys.exit(code)
    return trim(read_json(run_dir / "metrics.json"))


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
    card = summarize(scores, seed=42)
    same = {"image_size": whole["image_size"], "weights": {"sha256": whole["weights_sha256"]}}
    return trim(card | same | {"num_photos": len(chosen)})


def write_page() -> None:
    """Write docs/results.md and the curves from docs/results/*.json."""
    shipped_rows = read_json(RESULTS / "shipped.json")
    text = [_HEAD, "## Test lists\n", f"`{shipped_rows['command']}`\n"]
    for name in (*list(LISTS)[:1], "nature", *list(LISTS)[1:]):
        cards = {row: sets[name] for row, sets in shipped_rows["rows"].items()}
        first = next(iter(cards.values()))
        text.append(f"### {name}: {first['num_photos']} photos\n")
        text.append(table(cards))
    for path in sorted(RESULTS.glob("*.json")):
        found = read_json(path)
        if "experiment" not in found:
            continue
        rows = found["rows"]
        card = rows[0]["card"]
        epochs, side = len(rows[0]["history"]), card["image_size"]
        text += [
            f"## {found['title']}\n",
            f"`{found['command']}`\n",
            f"{card['num_photos']} validation photos at {side} px, {epochs} epochs; common flags "
            f"`{found['common']}`; {_machine(found)}.\n",
            table({row["name"]: row["card"] for row in rows}),
            f"![validation curves](results/{path.stem}.png)\n",
        ]
        write_curves(
            path.with_suffix(".png"),
            {row["name"]: [e["val_psnr"] - e["val_psnr_gray"] for e in row["history"]] for row in rows},
            "validation PSNR above gray, dB",
        )
    write_text(PAGE, "\n".join(text))
    print(f"written: {PAGE}")


def table(cards: dict[str, dict[str, Any]]) -> str:
    """Markdown: a row for each card, then the floor and the oracles of the same photos."""
    first = next(iter(cards.values()))
    rows = [(name, card["model"], f"{card['chroma_ratio']:.2f}") for name, card in cards.items()]
    labels = {
        "gray": "gray (floor)",
        "mean_color": "mean colour (oracle)",
        "half_chroma": "half chroma (oracle)",
    }
    rows += [(labels[floor], first[floor], "") for floor in FLOORS]
    head = "| | PSNR ↑, dB | above gray | SSIM ↑ | ΔE76 ↓ | ΔE2000 ↓ | colourfulness | chroma / true |"
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for name, values, ratio in rows:
        cells = [_cell(values[metric], digits) for metric, digits in _COLUMNS.items()]
        cells.insert(1, f"{values['psnr']['mean'] - first['gray']['psnr']['mean']:+.2f}")
        lines.append(f"| {name} | " + " | ".join(cells) + f" | {ratio} |")
    truth = f"Colourfulness of the truth: {first['truth_colorfulness']:.1f}."
    return "\n".join(lines) + f"\n\n{truth}\n"


def _machine(found: dict[str, Any]) -> str:
    return f"{found['machine']['cores']} CPU cores, torch {found['machine']['torch']}"


def _cell(value: dict[str, float], digits: int) -> str:
    return f"{value['mean']:.{digits}f} [{value['low']:.{digits}f}, {value['high']:.{digits}f}]"


_HEAD = """# Results

Every table here is written by `python -m benchmarks.results` from the JSON files in
[`results/`](results), and each says which command made its file.

Protocol: photos squashed to the side stated, L* of the truth kept, colours beyond sRGB clipped; per
photo, then averaged; in brackets 95 % percentile bootstrap intervals over the photos. *Chroma / true* is
the mean predicted chroma over that of the truth. The gray row is the floor: no colour at all.
"""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--measure", action="store_true", help="score the weights that ship")
    parser.add_argument("--photos", type=Path, help="folder that holds " + ", ".join(LISTS.values()))
    args = parser.parse_args()
    if args.measure:
        files = sorted(shipped.FOLDER.glob("*.safetensors"))
        rows = {path.stem: measure(path, args.photos) for path in files}
        command = "python -m benchmarks.results --measure --photos=PHOTOS"
        write_json(RESULTS / "shipped.json", {"command": command, "machine": machine("cpu"), "rows": rows})
    write_page()
