"""The tables of docs/prediction.md, and of other pages on coloring photos."""

from __future__ import annotations

from typing import Any

from benchmarks.figures.markdown import head, row, spread
from benchmarks.studies.bench_upsample import SIDES


def upsample(found: dict[str, Any]) -> list[str]:
    """Errors of colours carried to the photo's size, smoothly and along its edges."""
    names = ", ".join(f"{photo['photo']} ({photo['megapixels']:.1f} MP)" for photo in found["photos"])
    lines = head("colours", ("ΔE76, bilinear", "guided", "ΔE2000, bilinear", "guided"))
    for source, ways in found["mean"].items():
        cells = [
            f"{ways[way][m]:.2f}" for m in ("delta_e_76", "delta_e_2000") for way in ("bilinear", "guided")
        ]
        lines.append(row([source, *cells]))
    truth = found["mean"][f"true colours from {SIDES[0]} px"]
    gain = 1 - truth["guided"]["delta_e_76"] / truth["bilinear"]["delta_e_76"]
    return [
        f"`{found['command']}`: {names}. Mean over the photos at their own size.\n",
        *lines,
        f"\nOf what stretching loses of the true colours, the edges bring back {100 * gain:.0f} % (ΔE76).",
    ]


def render_size(found: dict[str, Any]) -> list[str]:
    """Scores by the size at which the model sees a photo."""
    return _judged(found, "render size, px")


def render_size_seconds(found: dict[str, Any]) -> list[str]:
    """Seconds by that size, and by the photo's own."""
    sides = list(next(iter(found["seconds"].values())))
    lines = head("a photo of", [f"{side} px" for side in sides])
    for size, times in found["seconds"].items():
        lines.append(row([size, *(f"{times[side]:.2f} s" for side in sides)]))
    return lines


def views(found: dict[str, Any]) -> list[str]:
    """Scores by the number of views."""
    return _judged(found, "views")


def _judged(found: dict[str, Any], title: str) -> list[str]:
    """A row for each way to show a photo to the model, the one that all are compared with first."""
    titles = ("PSNR above gray, dB", "above the first row, dB", "shift", "chroma / true", "ms a photo")
    lines = head(title, titles)
    for name, each in found["rows"].items():
        more = spread(each["more"], 3, "mean", "+")
        cells = [f"{each['gain']:+.2f}", more, f"{each['shift']:.3f}", f"{each['chroma']:.2f}"]
        lines.append(row([name, *cells, f"{1000 * each['seconds']:.0f}"]))
    terms = found["definitions"]
    return [
        f"`{found['command']}`: {found['num_photos']} photos, 95 % bootstrap intervals over them. Shift: "
        f"{terms['shift']}. Chroma: {terms['chroma']}. Time: {terms['seconds']}.\n",
        *lines,
    ]


def confidence(found: dict[str, Any]) -> list[str]:
    """How far confidence goes with the error."""
    num_parts = len(next(iter(found["rows"].values()))["parts"])
    lines = head("", ["pixels", "photos", *map(str, range(1, num_parts + 1))])
    for name, each in found["rows"].items():
        cells = [spread(each[key], 2, "mean", "+") for key in ("pixels", "photos")]
        cells += [f"{part['delta_e_76']:.1f} at {part['confidence']:.2f}" for part in each["parts"]]
        lines.append(row([name, *cells]))
    return [
        f"`{found['command']}`: {found['num_photos']} photos of the scenes list, drawn with a seed. "
        "Spearman's rank correlation of confidence and ΔE76 over pixels and over the means of photos, 95 % "
        "bootstrap intervals over the photos; then the mean ΔE76 of each fifth of the pixels, the least sure "
        "first, and its confidence.\n",
        *lines,
    ]


def memory(found: dict[str, Any]) -> list[str]:
    """Peak memory of the command by format and size."""
    sizes = list(next(iter(found["peak_mb"].values())))
    return [
        f"`{found['command']}`: MB at the peak of the whole command.\n",
        *head("photo and picture", sizes),
        *(row([kind, *(f"{peaks[s]:.0f}" for s in sizes)]) for kind, peaks in found["peak_mb"].items()),
    ]


def fuzz(found: dict[str, Any]) -> list[str]:
    """What became of mutated files."""
    return [
        f"`python -m benchmarks.fuzz.fuzz_predict --cases={found['cases']}`: {found['cases']:,} mutated "
        f"files, {found['colored']:,} colored, {found['refused']:,} refused in one line, "
        f"{len(found['bad'])} with another end; at most {found['peak_memory_mb']:.0f} MB."
    ]


def steps(found: dict[str, Any]) -> list[str]:
    """What the number of steps does for drawn colours."""
    lines = head("", ("PSNR above gray, dB", "chroma / true", "shift", "ms"))
    digits = {"gain": "+.2f", "chroma": ".2f", "shift": ".2f", "milliseconds": ".0f"}
    for name, each in found["rows"].items():
        lines.append(row([name, *(format(each[k], digits[k]) for k in digits)]))
    return [f"`{found['command']}`, {found['num_photos']} photos:\n", *lines]
