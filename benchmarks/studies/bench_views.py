"""What the mean over several views of a photo brings, and what it costs: --views 1, 2, 4 and 8.

    python -m benchmarks.studies.bench_views --weights=NAME --photos=FOLDER

On a seeded draw of the photos of a folder that the weights were not trained on. Writes
docs/prediction/views.json; `python -m benchmarks.figures.tables` writes the page.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.studies.bench_upsample import RESULTS
from benchmarks.studies.judging import DEFINITIONS, draw_photos, judge
from checkpoint import shipped
from core.files import write_json
from inference.colorizer import Colorizer

VIEWS = (1, 2, 4, 8)


def measure(weights: str, paths: Sequence[Path]) -> dict[str, dict[str, Any]]:
    """Number of views -> figures."""
    return judge({str(num): Colorizer.load(weights, views=num, device="cpu") for num in VIEWS}, paths)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=shipped.DEFAULT)
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--limit", type=int, default=200, help="photos; default 200")
    parser.add_argument("--json", type=Path, default=RESULTS / "views.json")
    args = parser.parse_args()
    paths = draw_photos(args.photos, args.limit)
    rows = measure(args.weights, paths)
    for name, row in rows.items():
        print(name, row)
    command = f"python -m benchmarks.studies.bench_views --weights={Path(args.weights).name} --photos=PHOTOS"
    about = {"command": f"{command} --limit={args.limit}", "num_photos": len(paths)}
    write_json(args.json, about | {"definitions": DEFINITIONS, "rows": rows})


if __name__ == "__main__":
    main()
