"""Shots that come back: how far their colours are from those that they had, with and without the pull.

    python -m benchmarks.studies.bench_returning --clips=FOLDER --json=docs/video/returning.json

A film is cut together from all shots that are long enough: the beginning of each, one after the other, then
in the same order how each goes on a second later. The distance is that of the first and of the last frame
after the return from the last one before it, along the motion by TV-L1, where the one looks like the other,
in CIELAB units. The error is the mean distance of the colours after the return from the clip's own, where it
has any. A shot that is pulled when it is seen first was taken for another.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from benchmarks.common import report
from benchmarks.studies.bench_upsample import to_lab
from benchmarks.studies.bench_video import flicker, own_colors, reference_flow
from inference.colorizer import Colorizer
from media.clip import open_clip
from media.frames import read_frames
from media.walk import sort_files
from video.color_frames import ClipColors
from video.cuts import is_cut
from video.temporal import SteadyChroma, follow

_PART, _GAP = 12, 24  # frames of a shot before and after the return, and between
_MIN_COLOR = 2.0  # mean chroma of a clip that has colours of its own


@dataclass(frozen=True)
class Seen:
    """A frame: L (1, 1, h, w), the model's colours and the clip's own (1, 2, h, w)."""

    L: Tensor
    ab: Tensor
    own: Tensor


def shots_of(path: Path, colorizer: Colorizer) -> Iterator[list[Seen]]:
    """The frames that are needed of each shot that is long enough."""
    clip = open_clip(path, max_pixels=10**8)
    steps = ClipColors(colorizer, clip)
    lightness = [steps.see(frame, ask=False).L for frame in read_frames(clip)]
    cuts = [i for i in range(1, len(lightness)) if is_cut(lightness[i], lightness[i - 1])]
    starts = [
        start
        for start, end in itertools.pairwise([0, *cuts, len(lightness)])
        if end - start >= 2 * _PART + _GAP
    ]
    wanted = {start + offset: start for start in starts for offset in _offsets()}
    found: dict[int, list[Seen]] = {start: [] for start in starts}
    for number, (frame, own) in enumerate(zip(read_frames(clip), own_colors(clip), strict=True)):
        if number in wanted:
            small_frame = steps.see(frame)
            small = Image.fromarray(clip.upright(own)).resize(steps.size_seen)
            seen = Seen(small_frame.L, steps.predict(small_frame), to_lab(np.array(small))[:, 1:])
            found[wanted[number]].append(seen)
    yield from found.values()


def _offsets() -> list[int]:
    return [*range(_PART), *range(_PART + _GAP, 2 * _PART + _GAP)]


def color_film(film: Sequence[Seen], *, returning: bool) -> tuple[list[Tensor], list[bool]]:
    """The colours of each frame, and whether they are pulled to those of an earlier shot."""
    steady, colors, pulled = SteadyChroma(returning=returning), [], []
    before: Seen | None = None
    for seen in film:
        colors.append(steady(seen.L, seen.ab, None if before is None else follow(seen.L, before.L)))
        pulled.append("shift" in steady.state)
        before = seen
    return colors, pulled


def measure(names: Sequence[str], shots: Sequence[list[Seen]]) -> dict[str, Any]:
    """Figures of each shot, without and with the pull."""
    film = [
        seen for half in (slice(None, _PART), slice(_PART, None)) for shot in shots for seen in shot[half]
    ]
    found: dict[str, Any] = {name: {"frames": 2 * _PART} for name in names}
    for label, returning in (("without", False), ("with", True)):
        colors, pulled = color_film(film, returning=returning)
        for number, (name, shot) in enumerate(zip(names, shots, strict=True)):
            first, again = number * _PART, (len(shots) + number) * _PART
            figures: dict[str, Any] = {
                "first": _distance(shot[_PART], colors[again], shot[_PART - 1], colors[first + _PART - 1]),
                "last": _distance(
                    shot[-1], colors[again + _PART - 1], shot[_PART - 1], colors[first + _PART - 1]
                ),
            }
            is_color = bool(torch.stack([seen.own for seen in shot]).norm(dim=2).mean() > _MIN_COLOR)
            errors = [
                float((colors[again + i] - seen.own).norm(dim=1).mean())
                for i, seen in enumerate(shot[_PART:])
            ]
            figures["error"] = float(np.mean(errors)) if is_color else None
            figures["pulled"] = {"before": pulled[first], "after": pulled[again]}
            found[name][label] = figures
    return found


def _distance(now: Seen, ab: Tensor, before: Seen, ab_before: Tensor) -> float | None:
    """Of colours along the motion; None: nothing is seen in both frames."""
    flow, visible = reference_flow(now.L, before.L)
    return flicker(ab, ab_before, flow, visible) if visible.any() else None


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--weights", default="unet", help="a name or a file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    colorizer = Colorizer.load(args.weights, device="cpu")
    names, shots = [], []
    for path in sort_files(args.clips, recursive=True).clips:
        for number, shot in enumerate(shots_of(path, colorizer), 1):
            names.append(f"{path.stem} {number}")
            shots.append(shot)
    figures: dict[str, Any] = {
        "weights": args.weights,
        "weights_sha256": colorizer.loaded.sha256,
        "command": f"python -m benchmarks.studies.bench_returning --clips=CLIPS --weights={args.weights}",
        "shots": measure(names, shots),
    }
    rows = {
        f"{name}, {label}": str(shot[label])
        for name, shot in figures["shots"].items()
        for label in ("without", "with")
    }
    report("shots that come back", rows, figures, args.json)


if __name__ == "__main__":
    main()
