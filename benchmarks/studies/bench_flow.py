"""Optical flow: the program's against OpenCV's DIS (Kroeger et al. 2016), by flicker and by time.

    pip install opencv-python-headless
    python -m benchmarks.studies.bench_flow --clips=FOLDER --json=docs/video/flow.json

The model's colours of the first frames of each clip are averaged along each flow, as `--temporal=steady`
does. Flicker is that of `benchmarks.studies.bench_video`: along the motion by TV-L1, which none of them uses.
What remains is the mean absolute difference of L* between a frame and the one before, moved. Time is that
of the flow alone on one core, from L* of both frames to a flow of their size. DIS is measured at the size
at which the program looks for motion, and at that of the frames.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.common import machine, report
from benchmarks.studies.bench_video import EVERY_FLOW, flicker, reference_flow
from data.color import L_SCALE
from inference.colorizer import Colorizer
from media.clip import open_clip
from media.frames import read_frames
from media.walk import sort_files
from video.color_frames import ClipColors, SeenFrame
from video.flow import resize_flow, warp
from video.temporal import SteadyChroma, explain, flow_between, is_cut

Flow = Callable[[Tensor, Tensor], Tensor]
"""L* (1, 1, h, w) of a frame and of the one before -> (1, 2, h, w)."""

_SIDES = (112, 224)


def flows() -> dict[str, Flow]:
    """The program's, and those of OpenCV by preset and size.

    Raises:
        SystemExit: OpenCV is not installed.
    """
    try:
        cv2 = importlib.import_module("cv2")
    except ImportError:
        raise SystemExit("OpenCV is not installed: pip install opencv-python-headless") from None
    cv2.setNumThreads(1)
    found: dict[str, Flow] = {"ours": flow_between}
    for preset, side in itertools.product(("ULTRAFAST", "FAST", "MEDIUM"), _SIDES):
        method = cv2.DISOpticalFlow_create(getattr(cv2, f"DISOPTICAL_FLOW_PRESET_{preset}"))
        found[f"DIS {preset.lower()} {side}"] = partial(_dis, method, side)
    return found


def _dis(method: Any, side: int, now: Tensor, before: Tensor) -> Tensor:
    small = [F.interpolate(L, (side, side), mode="bilinear", antialias=True)[0, 0] for L in (now, before)]
    codes = [(L * (255 / L_SCALE)).round().byte().numpy() for L in small]
    flow = torch.from_numpy(np.ascontiguousarray(method.calc(*codes, None).transpose(2, 0, 1)))[None]
    return resize_flow(flow, now.shape[-2:])


def measure(frames: Sequence[SeenFrame], methods: dict[str, Flow]) -> dict[str, dict[str, float]]:
    """Flicker, what remains and milliseconds by method, of the frames of a clip."""
    references = {
        number: reference_flow(seen.L, frames[number - 1].L)
        for number, seen in enumerate(frames)
        if number and number % EVERY_FLOW == 0 and not is_cut(seen.L, frames[number - 1].L)
    }
    return {name: _measure_one(frames, flow, references) for name, flow in methods.items()}


def _measure_one(
    frames: Sequence[SeenFrame], flow: Flow, references: dict[int, tuple[Tensor, Tensor]]
) -> dict[str, float]:
    steady, before, found = SteadyChroma(returning=False), None, defaultdict(list)
    for number, seen in enumerate(frames):
        moved, ab_before = None, steady.state.get("ab")
        if before is not None and not is_cut(seen.L, before.L):
            start = time.perf_counter()
            vectors = flow(seen.L, before.L)
            found["ms"].append(1000 * (time.perf_counter() - start))
            found["remains"].append(float((seen.L - warp(before.L, vectors)).abs().mean()))
            moved = explain(seen.L, before.L, vectors)
        ab = steady(seen.L, seen.ab, moved)
        if number in references and ab_before is not None:
            found["flicker"].append(flicker(ab, ab_before, *references[number]))
        before = seen
    means = {name: float(np.nanmean(values)) for name, values in found.items()}
    return means | {"ms": float(np.median(found["ms"]))}


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips")
    parser.add_argument("--frames", type=int, default=60, help="of each clip")
    parser.add_argument("--weights", default="unet", help="a name or a file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    methods = flows()
    torch.set_num_threads(1)
    colorizer = Colorizer.load(args.weights, device="cpu")
    clips = {}
    for path in sort_files(args.clips, recursive=True).clips:
        clip = open_clip(path, max_pixels=10**8)
        steps = ClipColors(colorizer, clip)
        frames = [steps.see(frame) for frame in itertools.islice(read_frames(clip), args.frames)]
        clips[path.stem] = measure(frames, methods)
    mean = {
        name: {
            key: float(np.mean([clip[name][key] for clip in clips.values()]))
            for key in ("flicker", "remains", "ms")
        }
        for name in methods
    }
    figures: dict[str, Any] = {
        "weights_sha256": colorizer.loaded.sha256,
        "command": f"python -m benchmarks.studies.bench_flow --clips=CLIPS --frames={args.frames}",
        "clips": clips,
        "mean": mean,
        "machine": machine("cpu"),
    }
    report("optical flow, mean over the clips", {k: str(v) for k, v in mean.items()}, figures, args.json)


if __name__ == "__main__":
    main()
