"""Draw docs/guided/strokes.png: photos that scikit-image ships, colored with a few strokes of a person.

python -m benchmarks.figures.draw_guided [--weights=unet_vivid,unet_hints] [--output=FILE]
"""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image, ImageDraw

from benchmarks.common import ROOT
from config import Config
from core.figures import montage
from core.files import write_bytes
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.corrector import with_hints
from inference.guidance import Guidance
from inference.hints import Hints
from media.picture import Picture

OUTPUT = ROOT / "docs" / "guided" / "strokes.png"

Stroke = tuple[str, tuple[tuple[int, int], ...]]
"""A colour, and places of the photo (x, y) that a line joins."""

PHOTOS: dict[str, tuple[Stroke, ...]] = {
    "coffee": (
        ("#35659f", ((105, 230), (150, 330), (250, 385))),
        ("#35659f", ((490, 220), (470, 290), (420, 350))),
        ("#35659f", ((215, 205), (260, 235), (330, 245))),
        ("#7a4a28", ((260, 150), (330, 155))),
        ("#7d5a41", ((30, 60), (50, 340))),
        ("#7d5a41", ((570, 60), (560, 360))),
    ),
    "astronaut": (
        ("#3d6fb5", ((120, 320), (70, 420))),
        ("#3d6fb5", ((250, 340), (250, 430))),
        ("#3d6fb5", ((330, 320), (345, 370))),
        ("#d3a58e", ((205, 95), (240, 180))),
        ("#8a6a45", ((185, 40), (230, 35))),
        ("#8d939c", ((300, 60), (340, 200))),
        ("#a03038", ((50, 80), (60, 200))),
    ),
}
_WIDTH = 6  # of a stroke, pixels


def drawn(strokes: tuple[Stroke, ...], size: tuple[int, int]) -> Image.Image:
    """A transparent picture of the photo's size."""
    picture = Image.new("RGBA", size)
    pen = ImageDraw.Draw(picture)
    for color, places in strokes:
        pen.line(places, fill=color, width=_WIDTH, joint="curve")
    return picture


def row_of(
    photo: Picture, strokes: tuple[Stroke, ...], colorizers: dict[str, Colorizer]
) -> dict[str, np.ndarray]:
    """Title -> picture: gray, with the strokes, and colored with them."""
    picture = drawn(strokes, photo.size)
    hints = Hints(photo.size, strokes=np.array(picture))
    gray = without_color(photo).pixels
    shown = Image.alpha_composite(Image.fromarray(gray).convert("RGBA"), picture).convert("RGB")
    row = {"gray": gray, "strokes": np.asarray(shown)}
    row["levin2004"] = _joined(photo, with_hints(photo, hints=hints))
    for name, colorizer in colorizers.items():
        row[name] = _joined(photo, colorizer.predict_whole(photo))
        takes = "hints" in colorizer.model.accepts
        chroma = colorizer.predict_whole(photo, Guidance(hints=hints if takes else None))
        row[f"{name}, strokes"] = _joined(photo, with_hints(photo, chroma, hints=hints))
    return row


def _joined(photo: Picture, chroma: Chroma) -> np.ndarray:
    return apply_chroma(photo, chroma, upsample=Config.upsample, saturation=1.0).pixels


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--weights", default="unet_vivid", help="names that ship or files, by commas")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    colorizers = {Path(name).stem: Colorizer.load(name) for name in args.weights.split(",")}
    rows = []
    for name, strokes in PHOTOS.items():
        photo = Picture(np.asarray(getattr(skimage.data, name)()))
        rows.append(row_of(photo, strokes, colorizers))
    picture = montage([[*row.values()] for row in rows], [*rows[0]])
    buffer = io.BytesIO()
    small = Image.fromarray(picture)
    small.resize((small.width // 2, small.height // 2), Image.Resampling.LANCZOS).save(buffer, "PNG")
    write_bytes(args.output, buffer.getvalue())
    print(args.output)


if __name__ == "__main__":
    main()
