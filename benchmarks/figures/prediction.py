"""Write docs/prediction.md from docs/prediction/*.json.

    python -m benchmarks.figures.prediction

Each table names the program that measured it.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import ROOT
from benchmarks.studies.bench_upsample import RESULTS, SIDES
from core.files import read_json, write_text

PAGE = ROOT / "docs" / "prediction.md"


def page() -> str:
    """The text of docs/prediction.md, from docs/prediction/*.json alone."""
    parts = [
        _HEAD,
        *_upsampling(read_json(RESULTS / "upsample.json")),
        *[
            line
            for name, write in (("render_size", render_size), ("views", views))
            if (path := RESULTS / f"{name}.json").exists()
            for line in write(read_json(path))
        ],
        *_confidence(read_json(RESULTS / "confidence.json")),
        *_memory(read_json(RESULTS / "memory.json")),
        *_damaged(read_json(RESULTS / "fuzz.json")),
    ]
    return "\n".join(parts)


def _upsampling(found: dict[str, Any]) -> list[str]:
    names = ", ".join(f"{row['photo']} ({row['megapixels']:.1f} MP)" for row in found["photos"])
    lines = ["| colours | ΔE76, bilinear | guided | ΔE2000, bilinear | guided |", "|---|---|---|---|---|"]
    for source, ways in found["mean"].items():
        cells = [
            f"{ways[way][m]:.2f}" for m in ("delta_e_76", "delta_e_2000") for way in ("bilinear", "guided")
        ]
        lines.append(f"| {source} | " + " | ".join(cells) + " |")
    truth = found["mean"][f"true colours from {SIDES[0]} px"]
    gain = 1 - truth["guided"]["delta_e_76"] / truth["bilinear"]["delta_e_76"]
    return [
        _UPSAMPLING,
        f"`{found['command']}`: {names}. Mean over the photos at their own size.\n",
        *lines,
        f"\nOf what stretching loses of the true colours, the edges bring back {100 * gain:.0f} % (ΔE76).\n",
        _UPSAMPLING_MODELS,
        "![crops: photo, bilinear, guided](prediction/upsample.png)\n",
        f"*True colours from {SIDES[0]} px, where the two differ most.*\n",
    ]


def render_size(found: dict[str, Any]) -> list[str]:
    """The section on --render_size."""
    sides = list(next(iter(found["seconds"].values())))
    times = [
        "| a photo of | " + " | ".join(f"{side} px" for side in sides) + " |",
        "|---" * (len(sides) + 1) + "|",
    ]
    times += [
        f"| {size} | " + " | ".join(f"{row[side]:.2f} s" for side in sides) + " |"
        for size, row in found["seconds"].items()
    ]
    return [_RENDER_SIZE, *_judged(found, "render size, px"), _RENDER_TIME, *times, ""]


def views(found: dict[str, Any]) -> list[str]:
    """The section on the mean over several views."""
    return [_VIEWS, *_judged(found, "views"), ""]


def _judged(found: dict[str, Any], title: str) -> list[str]:
    """A row for each way to show a photo to the model, the one that all are compared with first."""
    lines = [
        f"| {title} | PSNR above gray, dB | above the first row, dB | shift | chroma / true | ms a photo |",
        "|---|---|---|---|---|---|",
    ]
    for name, row in found["rows"].items():
        more = "{mean:+.3f} [{low:+.3f}, {high:+.3f}]".format(**row["more"])
        lines.append(
            f"| {name} | {row['gain']:+.2f} | {more} | {row['shift']:.3f} | {row['chroma']:.2f} | "
            f"{1000 * row['seconds']:.0f} |"
        )
    terms = found["definitions"]
    return [
        f"`{found['command']}`: {found['num_photos']} photos, 95 % bootstrap intervals over them. Shift: "
        f"{terms['shift']}. Chroma: {terms['chroma']}. Time: {terms['seconds']}.\n",
        *lines,
    ]


def _confidence(found: dict[str, Any]) -> list[str]:
    rows = found["rows"]
    num_parts = len(next(iter(rows.values()))["parts"])
    head = "| | pixels | photos | " + " | ".join(f"{i}" for i in range(1, num_parts + 1)) + " |"
    lines = [head, "|---|---|---|" + "---|" * num_parts]
    for name, row in rows.items():
        cells = [
            f"{row[k]['mean']:+.2f} [{row[k]['low']:+.2f}, {row[k]['high']:+.2f}]"
            for k in ("pixels", "photos")
        ]
        cells += [f"{part['delta_e_76']:.1f} at {part['confidence']:.2f}" for part in row["parts"]]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [
        _CONFIDENCE,
        f"`{found['command']}`: {found['num_photos']} photos of the scenes list, drawn with a seed. "
        "Spearman's rank correlation of confidence and ΔE76 over pixels and over the means of photos, 95 % "
        "bootstrap intervals over the photos; then the mean ΔE76 of each fifth of the pixels, the least sure "
        "first, and its confidence.\n",
        *lines,
        _CONFIDENCE_LIMIT,
    ]


def _memory(found: dict[str, Any]) -> list[str]:
    rows = found["peak_mb"]
    sizes = list(next(iter(rows.values())))
    lines = ["| photo and picture | " + " | ".join(sizes) + " |", "|---|" + "---|" * len(sizes)]
    lines += [
        f"| {kind} | " + " | ".join(f"{row[s]:.0f}" for s in sizes) + " |" for kind, row in rows.items()
    ]
    return [_MEMORY, f"`{found['command']}`: MB at the peak of the whole command.\n", *lines, _MEMORY_REST]


def _damaged(found: dict[str, Any]) -> list[str]:
    num_bad = len(found["bad"])
    return [
        _DAMAGED,
        f"`python -m benchmarks.fuzz.fuzz_predict --cases={found['cases']}`: {found['cases']:,} mutated "
        f"files, {found['colored']:,} colored, {found['refused']:,} refused in one line, {num_bad} with "
        f"another end; at most {found['peak_memory_mb']:.0f} MB.\n",
    ]


_HEAD = """# Prediction

What `--mode=predict` does to a photo, measured. Written by `python -m benchmarks.figures.prediction` from the
JSON files in [`prediction/`](prediction). How fast it is stands in [performance.md](performance.md), how good
the colours are in [results.md](results.md).
"""
_UPSAMPLING = """## Colours along the edges

A model sees a photo at 224 px; its colours are carried to the photo's own size
([`inference/upsample.py`](../inference/upsample.py)), smoothly (`bilinear`) or along the edges of its
lightness (`guided`, the default). Measured first with the photo's own colours, shrunk to the size of a model
and carried back, so that all that is lost is the carrying; then with those that some of the weights that ship
predict.
"""
_UPSAMPLING_MODELS = """With the colours of these weights the two score the same: they are wrong by
far more than what the carrying loses. For one's own photos: `--photos=FOLDER`.
"""
_RENDER_SIZE = """## The render size

`--render_size` is the side at which a model sees a photo, `--resize` whether in a square (squash) or in
the photo's own shape (crop). A photo of 12 MP is shrunk to the same size as a small one, so that small photos
speak for all sizes.
"""
_RENDER_TIME = """
Smaller than in the training is worse. In its own shape, a photo gains a little PSNR that is sure and loses as
little of its liveliness; larger gains nothing that is sure. That the shift falls with the size is no proof:
16 px are then a smaller part of the photo. So the default stays what the weights were trained at;
`--resize=crop` asks for the photo's own shape.

Coloring a photo at its own size, once it is read:
"""
_VIEWS = """## Several views

`--views=N` takes the mean of the colours over a photo (1), its mirror image (2), and both shifted by some
pixels (up to 8; [`inference/views.py`](../inference/views.py)). The default is 1: of two, four
and eight views each costs time.
"""
_CONFIDENCE = """## Confidence

`--save_confidence=FILE` writes how sure a model is of each pixel's colour; white is sure. `unet` has a
distribution over bins of colour, whose entropy says it. Of the others it is how far the model agrees with
itself when the photo is mirrored, a little smaller, larger, lighter or darker
([`inference/confidence.py`](../inference/confidence.py)).
"""
_CONFIDENCE_LIMIT = """
The correlation is negative, as it must be, and weak: where a model has learned one colour for what has
several, it is wrong and agrees with itself. Read the map as a hint where to look, not as a probability.
"""
_MEMORY = """## Memory

Colours are joined to a photo in strips, and the photo is let go before the picture is encoded.
"""
_MEMORY_REST = """
Where the memory for the model runs out, as with a large `--render_size`, it sees half the size
and a warning says so; below 32 px it is an error, and nothing is written. In a folder 25 MP for each core
are in memory at once; a photo larger than all of that waits until it is alone.
"""
_DAMAGED = """## Damaged files

Files of every format that predict reads, cut short, with flipped bits, noise, repeated parts, lying headers
and wrong endings, each through the program as a person runs it.
"""


if __name__ == "__main__":
    write_text(PAGE, page())
    print(f"written: {PAGE}")
