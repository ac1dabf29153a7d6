"""Draw docs/first.jpg: photographs that scikit-image ships, gray, as predict colors them, as they were.

    python -m benchmarks.figures.draw_first [--weights=NAME] [--output=FILE]

All of them that show what people photograph; none is left out because it came out badly.
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.common import ROOT
from checkpoint import shipped
from core.files import write_bytes
from inference.chroma import without_color
from inference.colorizer import Colorizer
from media.picture import Picture

OUTPUT = ROOT / "docs" / "first.jpg"
_HEIGHT, _GAP = 240, 6  # pixels


def photos() -> list[Picture]:
    """An astronaut, a cat, a cup of coffee, a rocket at dusk, a motorcycle in a garage."""
    names = ("astronaut", "chelsea", "coffee", "rocket")
    arrays = [getattr(skimage.data, name)() for name in names]
    return [Picture(np.asarray(array)) for array in (*arrays, skimage.data.stereo_motorcycle()[0])]


def row(pictures: list[Picture]) -> np.ndarray:
    """Pictures side by side, of one height: (H, W, 3) uint8 on white."""
    parts = []
    for picture in pictures:
        width, height = picture.size
        size = round(width * _HEIGHT / height), _HEIGHT
        parts.append(np.asarray(picture.preview(max(size)).resize(size, Image.Resampling.LANCZOS)))
        parts.append(np.full((_HEIGHT, _GAP, 3), 255, np.uint8))
    return np.concatenate(parts[:-1], axis=1)


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default=shipped.DEFAULT, help="a name that ships or a file")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    colorizer = Colorizer.load(args.weights)
    true = photos()
    gray = [without_color(photo) for photo in true]
    rows = [row(pictures) for pictures in (gray, [colorizer.color(photo) for photo in true], true)]
    gap = np.full((_GAP, rows[0].shape[1], 3), 255, np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(np.concatenate((rows[0], gap, rows[1], gap, rows[2]))).save(
        buffer, "JPEG", quality=92, subsampling=0
    )
    write_bytes(args.output, buffer.getvalue())
    print(args.output)


if __name__ == "__main__":
    main()
