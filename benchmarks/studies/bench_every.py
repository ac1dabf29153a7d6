"""Clips of which the model sees each N-th frame alone: what that saves, and what it costs in quality.

    python -m benchmarks.studies.bench_every --clips=FOLDER --json=docs/video/every.json

As the command colors a clip, steady. Flicker, PSNR and ΔE76 are those of `bench_video`, of every fifth frame.
Processor time is that of the command on a gray clip at 480p, as in `bench_clip_speed`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from benchmarks.common import MAIN, report
from benchmarks.speed.bench_clip_speed import measure_speed
from benchmarks.studies.bench_video import flicker, own_colors, reference_flow, score_frame
from core.figures import progress_bar
from inference.colorizer import Colorizer
from media.clip import open_clip
from media.frames import Frame, read_frames
from media.walk import sort_files
from video.color_frames import ClipColors, color_frames
from video.temporal import SteadyChroma

EVERY = (1, 2, 4, 8)
# A step that no N divides: of the frames that are scored the model sees one in N, as of all.
_STEP = 5
_NUM_FRAMES = 192


def measure_clip(path: Path, colorizer: Colorizer, every: int) -> dict[str, float]:
    """Flicker, and PSNR (dB) and CIE76 against the clip's own colours, beside those of no colour at all."""
    clip = open_clip(path, max_pixels=10**8)
    steps, no_color = ClipColors(colorizer, clip), torch.zeros(())
    flickers, scores = [], []
    before: dict[str, Tensor] = {}
    frames = color_frames(colorizer, clip, read_frames(clip), SteadyChroma(), every=every)
    for number, ((colored, state), own) in enumerate(zip(frames, own_colors(clip), strict=True)):
        if before and number % _STEP == 0:
            flow, visible = reference_flow(state["L"], before["L"])
            flickers.append(flicker(state["ab"], before["ab"], flow, visible))
            gray = steps.color(Frame(colored.luma, colored.pts), state["L"], no_color.expand_as(state["ab"]))
            scores.append([*score_frame(colored, own, clip), *score_frame(gray, own, clip)])
        before = state
    names = ("psnr", "delta_e_76", "gray_psnr", "gray_delta_e_76")
    means = dict(zip(names, map(float, np.mean(scores, axis=0)), strict=True))
    return {"flicker": float(np.nanmean(flickers)), **means}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips in colour")
    parser.add_argument("--weights", default="unet", help="a name or a file")
    parser.add_argument("--rounds", type=int, default=3, help="of the processor time")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    colorizer = Colorizer.load(args.weights, device="cpu")
    paths = sort_files(args.clips, recursive=True).clips
    rows: dict[str, Any] = {}
    with progress_bar("every", len(EVERY) * len(paths), "clip") as bar:
        for every in EVERY:
            found = []
            for path in paths:
                found.append(measure_clip(path, colorizer, every))
                bar.update()
            rows[str(every)] = {key: float(np.mean([row[key] for row in found])) for key in found[0]}
    for every in EVERY:
        speed = measure_speed({"now": MAIN}, _NUM_FRAMES, args.rounds, f"--every={every}", sizes=("480p",))
        rows[str(every)]["processor_s"] = speed["480p"]["now"]["processor_s"]
    command = f"python -m benchmarks.studies.bench_every --clips=CLIPS --weights={args.weights}"
    figures = {
        "command": command,
        "weights": args.weights,
        "clips": [path.stem for path in paths],
        "rows": rows,
    }
    report(
        "clips of which the model sees each N-th frame",
        {k: str(v) for k, v in rows.items()},
        figures,
        args.json,
    )


if __name__ == "__main__":
    main()
