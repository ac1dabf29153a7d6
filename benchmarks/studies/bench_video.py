"""Clips: how much the colours flicker, what steadiness costs in quality, where shots end.

    python -m benchmarks.studies.bench_video --clips=FOLDER --json=docs/video/flicker.json

Flicker is the mean change of (a*, b*) from one frame to the next along the motion, in CIELAB units, where
the moved frame looks like this one: of each frame by itself (off), of colours averaged along the motion
(steady), and of the clip's own colours. The motion is that of scikit-image's TV-L1, which the averaging does
not use. It is taken at the size that the model sees, every other frame, within shots. PSNR and ΔE76 are those
of whole frames, as FFmpeg shows their planes, against the clip's own, every tenth, beside the floor of no
colour at all.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.registration import optical_flow_tvl1
from torch import Tensor

from benchmarks.common import ROOT, report
from benchmarks.studies.bench_upsample import to_lab
from data.color import L_SCALE
from inference.colorizer import Colorizer
from media.clip import Clip, open_clip
from media.ffmpeg import MATRICES, decoded, exact_scaling
from media.frames import ColoredFrame, read_frames, to_library
from media.walk import sort_files
from media.ycbcr import FULL_RANGE
from metrics import delta_e_76, psnr
from video.color_frames import ClipColors
from video.flow import resize_flow, warp
from video.temporal import SteadyChroma, follow

RESULTS = ROOT / "docs" / "video"
EVERY_FLOW, EVERY_SCORE = 2, 10
_FLOW_SIDE = 112
# Difference of L* beyond which a moved frame does not show what this one shows.
_AGREES = 5.0


def flicker(ab: Tensor, ab_before: Tensor, flow: Tensor, visible: Tensor) -> float:
    """Mean distance of colours from those of the frame before, moved along `flow`, where they are visible.

    Args:
        ab, ab_before: (1, 2, h, w).
        flow: (1, 2, h, w), as `optical_flow` gives it.
        visible: (1, h, w) bool.
    """
    change = (ab - warp(ab_before, flow)).norm(dim=1)
    return float(change[visible].mean())


def reference_flow(L: Tensor, L_before: Tensor) -> tuple[Tensor, Tensor]:
    """Motion (1, 2, h, w) by TV-L1 of (1, 1, h, w), and (1, h, w) where it explains what is seen."""
    size = (_FLOW_SIDE, _FLOW_SIDE)
    small = [F.interpolate(x, size, mode="bilinear", antialias=True)[0, 0] / L_SCALE for x in (L, L_before)]
    rows, columns = optical_flow_tvl1(*(x.numpy() for x in small))
    flow = resize_flow(torch.from_numpy(np.stack((columns, rows)))[None].float(), L.shape[-2:])
    return flow, (L - warp(L_before, flow)).abs()[:, 0] < _AGREES


def measure_clip(path: Path, colorizer: Colorizer) -> dict[str, Any]:
    """Scores of a clip."""
    clip = open_clip(path, max_pixels=10**8)
    steps, steady = ClipColors(colorizer, clip), SteadyChroma()
    cuts, is_color = [], False
    changes: dict[str, list[float]] = {"off": [], "steady": [], "true": []}
    scores: dict[str, list[tuple[float, float]]] = {"off": [], "steady": [], "gray": []}
    before: dict[str, Tensor] = {}
    for number, (frame, own) in enumerate(zip(read_frames(clip), own_colors(clip), strict=True)):
        seen = steps.see(frame)
        off = steps.predict(seen)
        moved = follow(seen.L, before["L"]) if before else None
        small = Image.fromarray(clip.upright(own)).resize(steps.size_seen, Image.Resampling.BILINEAR)
        now = {"L": seen.L, "off": off, "steady": steady(seen.L, off, moved)}
        now["true"] = to_lab(np.array(small))[:, 1:]
        is_color = is_color or bool(now["true"].norm(dim=1).mean() > 2)
        if number and moved is None:
            cuts.append(number)
        elif number and number % EVERY_FLOW == 0:
            flow, visible = reference_flow(seen.L, before["L"])
            for name, values in changes.items():
                values.append(flicker(now[name], before[name], flow, visible))
        if number % EVERY_SCORE == 0:
            for name, values_of in scores.items():
                colored = steps.color(frame, seen.L, now.get(name, torch.zeros_like(off)))
                values_of.append(score_frame(colored, own, clip))
        before = now
    flickers = {name: float(np.nanmean(values)) for name, values in changes.items()}
    if not is_color:  # there is no truth
        return {"frames": number + 1, "cuts": cuts, "flicker": flickers | {"true": None}, "scores": None}
    means = {name: np.mean(values, axis=0) for name, values in scores.items()}
    named = {name: {"psnr": float(m[0]), "delta_e_76": float(m[1])} for name, m in means.items()}
    return {"frames": number + 1, "cuts": cuts, "flicker": flickers, "scores": named}


def own_colors(clip: Clip) -> Iterator[np.ndarray]:
    """(H, W, 3) uint8 sRGB of each frame, as it is stored."""
    for picture in decoded(clip.path, clip.max_pixels):
        yield _to_rgb(picture, clip)


def score_frame(colored: ColoredFrame, own: np.ndarray, clip: Clip) -> tuple[float, float]:
    """PSNR and ΔE76 of a whole frame against the clip's own."""
    pixels = _to_rgb(to_library(colored, clip), clip)
    error = delta_e_76(to_lab(pixels), to_lab(own))
    return float(psnr(_planes(pixels), _planes(own))), float(error)


def _to_rgb(picture: Any, clip: Clip) -> np.ndarray:
    matrix = MATRICES[clip.coding.matrix]
    return np.asarray(
        picture.to_ndarray(
            format="rgb24",
            src_colorspace=matrix,
            dst_colorspace=matrix,
            src_color_range=clip.coding.color_range,
            dst_color_range=FULL_RANGE,
            interpolation=exact_scaling(),
        )
    )


def _planes(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True, help="a folder of clips in colour")
    parser.add_argument("--weights", default="unet", help="a name or a file")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    colorizer = Colorizer.load(args.weights, device="cpu")
    paths = sort_files(args.clips, recursive=True).clips
    figures: dict[str, Any] = {
        "weights": args.weights,
        "weights_sha256": colorizer.loaded.sha256,
        "command": f"python -m benchmarks.studies.bench_video --clips=CLIPS --weights={args.weights}",
        "clips": {path.stem: measure_clip(path, colorizer) for path in paths},
    }
    rows = {name: str(clip) for name, clip in figures["clips"].items()}
    report("coloring clips", rows, figures, args.json)


if __name__ == "__main__":
    main()
