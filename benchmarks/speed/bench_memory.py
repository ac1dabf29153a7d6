"""Peak memory of the predict command by size, depth and format of the photo.

    python -m benchmarks.speed.bench_memory

Each command is a process of its own, from the start of Python to the written picture, with the weights that
predict takes when nothing is named; what counts is its largest resident set, which does not depend on how
busy the machine is. Writes docs/prediction/memory.json.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data

from benchmarks.common import ROOT, gray_photo
from benchmarks.speed.bench_predict import run_cold
from core.files import write_json
from media.encode import save_picture
from media.picture import Picture

SIZES = {"50 MP": (8192, 6144), "100 MP": (11600, 8700)}
KINDS: dict[str, tuple[str, type]] = {
    "JPEG": (".jpg", np.uint8),
    "8-bit PNG": (".png", np.uint8),
    "16-bit PNG": (".png", np.uint16),
    "16-bit TIFF": (".tif", np.uint16),
}
"""Name -> ending and depth, of the photo and of the picture."""


def write_photo(path: Path, size: tuple[int, int], dtype: type) -> None:
    """A photo of scikit-image's, enlarged and gray, and of more than 8 bits where asked for."""
    pixels = np.asarray(gray_photo(skimage.data.coffee(), size))
    save_picture(path, Picture(pixels if dtype is np.uint8 else pixels * np.uint16(257)), quality=90)


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, default=ROOT / "docs" / "prediction" / "memory.json")
    args = parser.parse_args()
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        for kind, (suffix, dtype) in KINDS.items():
            for size_name, size in SIZES.items():
                photo = Path(name) / f"photo{suffix}"
                write_photo(photo, size, dtype)
                _, peak = run_cold(photo, Path(name) / f"out{suffix}", "cpu")
                rows.setdefault(kind, {})[size_name] = peak
                print(f"{kind}, {size_name}: {peak:.0f} MB")
    write_json(args.json, {"command": "python -m benchmarks.speed.bench_memory", "peak_mb": rows})


if __name__ == "__main__":
    main()
