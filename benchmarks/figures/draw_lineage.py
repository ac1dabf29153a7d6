"""Draw docs/results/twenty_years.png: two photos through twenty years of colorization.

    python -m benchmarks.figures.draw_lineage [--runs=FOLDER] [--output=FILE]

Photos that scikit-image ships; gray first, then every model that has weights, in the order of the years, the
truth last. Weights that ship come first, else those of FOLDER/<model>, by default of the experiment on the
lineage: these are marked with a *. Strokes and the reference are of the true colours.
"""

from __future__ import annotations

import argparse
import io
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.common import ROOT
from benchmarks.figures.draw_guided import PHOTOS, drawn
from checkpoint.shipped import FOLDER
from config import Config
from core.figures import montage
from core.files import write_bytes
from core.runs import BEST
from inference.chroma import Chroma, apply_chroma, without_color
from inference.colorizer import Colorizer
from inference.corrector import with_hints
from inference.guidance import NOTHING, Guidance
from inference.hints import Hints
from inference.reference import Reference, cosine_features
from media.picture import Picture

OUTPUT = ROOT / "docs" / "results" / "twenty_years.png"
RUNS = Path("runs/experiments/lineage")
_CROPS = {"astronaut": (slice(0, 420), slice(30, 450)), "coffee": (slice(0, 400), slice(90, 510))}
_SIDE = 180  # of a picture, pixels
_PER_LINE = 7  # at most


@dataclass(frozen=True)
class Entry:
    """A place in the order of the years.

    Attributes:
        year: of the paper, or '' where there is none.
        model: name of weights that ship, or of a run.
        is_drawn: its colours are drawn, by the seed 0.
        has_strokes: a person's strokes are given.
    """

    year: str
    model: str
    is_drawn: bool = False
    has_strokes: bool = False


_ENTRIES = (
    Entry("2016", "zhang2016"),
    Entry("2016", "iizuka2016"),
    Entry("2017", "zhang2017", has_strokes=True),
    Entry("2018", "nazeri2018"),
    Entry("2021", "coltran2021", is_drawn=True),
    Entry("2023", "liu2023", is_drawn=True),
    Entry("", "model1"),
    Entry("", "unet"),
    Entry("", "unet_vivid"),
    Entry("", "unet_hints", has_strokes=True),
)


def find(model: str, runs: Path) -> Path | None:
    """The weights that ship under a name, else those of its run; None: there are none."""
    places = (FOLDER / f"{model}.safetensors", runs / model / BEST)
    return next((path for path in places if path.exists()), None)


def pictures_of(photo: Picture, hints: Hints, runs: Path) -> dict[str, np.ndarray]:
    """Title -> picture, gray first and the truth last."""
    # Of all references, the one whose colours are surely right.
    mirrored = Picture(np.ascontiguousarray(photo.pixels[:, ::-1]))
    matched = Reference(mirrored, cosine_features).scribbles
    row = {"gray": without_color(photo).pixels}
    row["2004 levin, strokes"] = _joined(photo, with_hints(photo, hints=hints))
    row["2005 irony, reference"] = _joined(photo, with_hints(photo, scribbler=matched))
    for entry in _ENTRIES:
        path = find(entry.model, runs)
        if path is None:
            continue
        guidance = Guidance(seed=0) if entry.is_drawn else NOTHING
        if entry.has_strokes:
            guidance = Guidance(hints=hints)
        mark = "" if path.parent == FOLDER else " *"
        name = entry.model.removesuffix(entry.year)
        said = ", drawn" if entry.is_drawn else ", strokes" if entry.has_strokes else ""
        chroma = Colorizer.load(path).predict_whole(photo, guidance)
        if entry.has_strokes:
            chroma = with_hints(photo, chroma, hints=hints)
        row[f"{entry.year} {name}{said}{mark}".strip()] = _joined(photo, chroma)
    return row | {"truth": photo.pixels}


def _joined(photo: Picture, chroma: Chroma) -> np.ndarray:
    return apply_chroma(photo, chroma, upsample=Config.upsample, saturation=1.0).pixels


def sheet(rows: list[dict[str, np.ndarray]]) -> np.ndarray:
    """All pictures of each row in lines of a few, one row below the other."""
    lines = []
    for row in rows:
        titles, pictures = [*row], [_small(picture) for picture in row.values()]
        per_line = math.ceil(len(row) / math.ceil(len(row) / _PER_LINE))
        for start in range(0, len(titles), per_line):
            line = slice(start, start + per_line)
            empty: list[None] = [None] * (per_line - len(titles[line]))
            lines.append(montage([[*pictures[line], *empty]], [*titles[line], *[""] * len(empty)]))
    return np.concatenate(lines)


def _small(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((_SIDE, _SIDE), Image.Resampling.LANCZOS))


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "--runs", type=Path, default=RUNS, help=f"folder of a run for each model; default {RUNS}"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT)
    args = parser.parse_args()
    rows = []
    for name, crop in _CROPS.items():
        pixels = getattr(skimage.data, name)()
        photo = Picture(np.ascontiguousarray(pixels[crop]))
        is_drawn = np.array(drawn(PHOTOS[name], pixels.shape[1::-1]))[crop][..., 3:]
        strokes = np.concatenate([photo.pixels, is_drawn], axis=2)
        rows.append(pictures_of(photo, Hints(photo.size, strokes=strokes), args.runs))
    buffer = io.BytesIO()
    Image.fromarray(sheet(rows)).save(buffer, "PNG", optimize=True)
    write_bytes(args.output, buffer.getvalue())
    print(f"{args.output}: {', '.join(rows[0])}")


if __name__ == "__main__":
    main()
