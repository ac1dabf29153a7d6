"""Fill the marked tables of the README and of pages under docs/, whose text is written by hand.

    python -m benchmarks.figures.tables

What lies between `<!-- NAME -->` and `<!-- end -->` is written from the JSON file of that name. Another
table of the same file is marked `<!-- NAME.PART -->`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from benchmarks.common import ROOT
from benchmarks.figures import prediction_tables, video_tables
from benchmarks.figures.markdown import head, row, spread
from benchmarks.figures.set_tables import summary
from core.files import read_json, write_text

DOCS = ROOT / "docs"


def fill(page: str, folder: str) -> str:
    """A page with its tables anew, from the JSON files of a folder of docs/.

    Raises:
        KeyError: a marked table that this program does not know.
    """

    def table(match: re.Match[str]) -> str:
        name = match[1]
        write = TABLES[folder][name]
        lines = write(read_json(DOCS / folder / f"{name.partition('.')[0]}.json"))
        return "\n".join([f"<!-- {name} -->", *lines, "<!-- end -->"])

    return re.sub(r"<!-- ([\w.]+) -->\n.*?<!-- end -->", table, page, flags=re.DOTALL)


def hints(found: dict[str, Any]) -> list[str]:
    """PSNR by the number of hints."""
    lines = head("hints", map(str, found["hints"]))
    for way, cells in found["psnr"].items():
        lines.append(row([way, *(spread(cell, 2, "mean") for cell in cells)]))
    return [f"`{found['command']}`, {found['photos']} photos:\n", *lines]


def hint_time(found: dict[str, Any]) -> list[str]:
    """Seconds from a click to its colours."""
    lines = head("weights", ("seconds", "the first dot"))
    for model, each in found["seconds"].items():
        lines.append(row([model, spread(each, 2), f"{each['first']:.2f}"]))
    return [f"`{found['command']}`, a photo of {'×'.join(map(str, found['size']))}:\n", *lines]


def predict(found: dict[str, Any]) -> list[str]:
    """Seconds and memory of one photo by its size."""
    lines = head("photo", ("cold, s", "warm, s", "peak memory, MB"))
    for size, each in found["sizes"].items():
        times = [spread(each["cold_s"], 1), spread(each["warm_s"], 2)]
        lines.append(row([size, *times, f"{each['peak_memory_mb']['median']:.0f}"]))
    ratio = spread(found["speedup"], 2)
    return [
        *lines,
        f"\n`zhang2016` as published ({found['parameters_of_zhang_2016'] / 1e6:.1f} M parameters) takes "
        f"{ratio} times as long at {found['network_size']} px as the GAE.",
    ]


def folder(found: dict[str, Any]) -> list[str]:
    """Photos a second of a folder, and what one command for all brings."""
    rate = {key: spread(each, 2) for key, each in found["photos_per_s"].items()}
    return [
        *head("", ("photos/s",)),
        row(["one command for each photo", rate["one_by_one"]]),
        row(["one command for the folder", rate["folder"]]),
        row(["**speedup**", f"**{spread(found['speedup'], 2)} ×**"]),
        row(["a loaded `Colorizer`, one photo after the other", rate["warm_loop"]]),
        row(["a loaded `Colorizer`, several at a time", rate["warm_folder"]]),
        row(["**speedup**", f"**{spread(found['speedup_warm'], 2)} ×**"]),
    ]


def before(found: dict[str, Any]) -> list[str]:
    """Photos a second beside another checkout."""
    lines = head("", ("now, photos/s", "before", "speedup"))
    for work, each in found["figures"].items():
        cells = [spread(each["photos_per_s"][side], 1) for side in ("now", "before")]
        lines.append(row([work, *cells, spread(each["speedup"], 2)]))
    return [f"`{found['command']}`:\n", *lines]


TABLES: dict[str, dict[str, Callable[[dict[str, Any]], list[str]]]] = {
    "guided": {"hints": hints, "hint_time": hint_time},
    "performance": {"predict": predict, "folder": folder, "before": before},
    "prediction": {
        "upsample": prediction_tables.upsample,
        "render_size": prediction_tables.render_size,
        "render_size.seconds": prediction_tables.render_size_seconds,
        "views": prediction_tables.views,
        "confidence": prediction_tables.confidence,
        "memory": prediction_tables.memory,
        "fuzz": prediction_tables.fuzz,
        "steps": prediction_tables.steps,
    },
    "results": {"shipped.summary": lambda found: summary(found["rows"])},
    "video": {
        "flicker": video_tables.flicker,
        "flicker.scores": video_tables.flicker_scores,
        "returning": video_tables.returning,
        "flow": video_tables.flow,
        "speed": video_tables.speed,
        "speed.stages": video_tables.speed_stages,
        "every": video_tables.every,
        "encoding": video_tables.encoding,
        "fuzz": video_tables.fuzz,
    },
}
"""Folder of docs/ -> name of a table -> its lines, from the file of that name."""
PAGES = {
    "README.md": "results",
    "docs/guided.md": "guided",
    "docs/performance.md": "performance",
    "docs/models.md": "prediction",
    "docs/prediction.md": "prediction",
    "docs/video.md": "video",
}
"""A page -> the folder of its JSON files."""


def main() -> None:
    """Fill the pages."""
    for name, source in PAGES.items():
        path = ROOT / name
        write_text(path, fill(path.read_text(encoding="utf-8"), source))
        print(f"written: {path}")


if __name__ == "__main__":
    main()
