"""Fill the marked tables of the pages under docs/ that are written by hand.

    python -m benchmarks.figures.tables

What lies between `<!-- NAME -->` and `<!-- end -->` is written from the JSON file of that name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any

from benchmarks.common import ROOT
from core.files import read_json, write_text

DOCS = ROOT / "docs"


def fill(page: str, folder: str) -> str:
    """A page with its tables anew, from the JSON files of a folder of docs/.

    Raises:
        KeyError: a marked table that this program does not know.
    """

    def table(match: re.Match[str]) -> str:
        name = match[1]
        lines = TABLES[name](read_json(DOCS / folder / f"{name}.json"))
        return "\n".join([f"<!-- {name} -->", *lines, "<!-- end -->"])

    return re.sub(r"<!-- (\w+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def hints(found: dict[str, Any]) -> list[str]:
    """PSNR by the number of hints."""
    lines = _head("hints", map(str, found["hints"]))
    for way, cells in found["psnr"].items():
        lines.append(f"| {way} | " + " | ".join(spread(cell, 2, "mean") for cell in cells) + " |")
    return [f"`{found['command']}`, {found['photos']} photos:\n", *lines]


def hint_time(found: dict[str, Any]) -> list[str]:
    """Seconds from a click to its colours."""
    lines = _head("weights", ("seconds", "the first dot"))
    for model, row in found["seconds"].items():
        lines.append(f"| {model} | {spread(row, 2)} | {row['first']:.2f} |")
    return [f"`{found['command']}`, a photo of {'×'.join(map(str, found['size']))}:\n", *lines]


def predict(found: dict[str, Any]) -> list[str]:
    """Seconds and memory of one photo by its size."""
    lines = _head("photo", ("cold, s", "warm, s", "peak memory, MB"))
    for size, row in found["sizes"].items():
        cells = [spread(row["cold_s"], 1), spread(row["warm_s"], 2), f"{row['peak_memory_mb']['median']:.0f}"]
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    ratio = spread(found["speedup"], 2)
    return [
        *lines,
        f"\n`zhang2016` as published ({found['parameters_of_zhang_2016'] / 1e6:.1f} M parameters) takes "
        f"{ratio} times as long at {found['network_size']} px as the GAE.",
    ]


def folder(found: dict[str, Any]) -> list[str]:
    """Photos a second of a folder, and what one command for all brings."""
    rate = {key: spread(row, 2) for key, row in found["photos_per_s"].items()}
    return [
        *_head("", ("photos/s",)),
        f"| one command for each photo | {rate['one_by_one']} |",
        f"| one command for the folder | {rate['folder']} |",
        f"| **speedup** | **{spread(found['speedup'], 2)}** |",
        f"| a loaded `Colorizer`, one photo after the other | {rate['warm_loop']} |",
        f"| a loaded `Colorizer`, several at a time | {rate['warm_folder']} |",
        f"| **speedup** | **{spread(found['speedup_warm'], 2)}** |",
    ]


def before(found: dict[str, Any]) -> list[str]:
    """Photos a second beside another checkout."""
    lines = _head("", ("now, photos/s", "before", "speedup"))
    for work, row in found["figures"].items():
        cells = [spread(row["photos_per_s"][side], 1) for side in ("now", "before")]
        lines.append(f"| {work} | " + " | ".join(cells) + f" | {spread(row['speedup'], 2)} |")
    return [f"`{found['command']}`:\n", *lines]


def steps(found: dict[str, Any]) -> list[str]:
    """What the number of steps does for drawn colours."""
    lines = _head("", ("PSNR above gray, dB", "chroma / true", "shift", "ms"))
    digits = {"gain": "+.2f", "chroma": ".2f", "shift": ".2f", "milliseconds": ".0f"}
    for name, row in found["rows"].items():
        lines.append(f"| {name} | " + " | ".join(format(row[k], digits[k]) for k in digits) + " |")
    return [f"`{found['command']}`, {found['num_photos']} photos:\n", *lines]


def spread(row: dict[str, float], digits: int, middle: str = "median") -> str:
    """The middle, and from where to where in brackets."""
    return "{:.{n}f} [{:.{n}f}, {:.{n}f}]".format(*(row[k] for k in (middle, "low", "high")), n=digits)


def _head(first: str, others: Iterable[str]) -> list[str]:
    cells = [first, *others]
    return ["| " + " | ".join(cells) + " |", "|---" * len(cells) + "|"]


TABLES: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "hints": hints,
    "hint_time": hint_time,
    "predict": predict,
    "folder": folder,
    "before": before,
    "steps": steps,
}
"""Name of a table and of its file -> its lines."""
PAGES = {"guided": "guided", "performance": "performance", "models": "prediction"}
"""Name of a page -> the folder of its JSON files."""


def main() -> None:
    """Fill the pages."""
    for name, folder in PAGES.items():
        path = DOCS / f"{name}.md"
        write_text(path, fill(path.read_text(encoding="utf-8"), folder))
        print(f"written: {path}")


if __name__ == "__main__":
    main()
