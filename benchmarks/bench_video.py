"""Clips: how much the colours flicker, what steadiness costs in quality, where shots end; frames per second.

    python -m benchmarks.bench_video --clips=FOLDER --json=docs/video/flicker.json
    python -m benchmarks.bench_video --rounds=3 --json=docs/video/speed.json

Flicker is the mean change of (a*, b*) from one frame to the next along the motion, in CIELAB units, where
the moved frame looks like this one: of each frame by itself (off), of colours averaged along the motion
(steady), and of the clip's own colours. The motion is that of scikit-image's TV-L1, which the averaging does
not use. It is taken at the size that the model sees, every other frame, within shots. PSNR and ΔE76 are those
of whole frames against the clip's own, every tenth, beside the floor of no colour at all.

Speed is that of the command after loading: from the file to the written file. Memory is the peak of the
command, a process of its own, on 480p clips of two lengths.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.registration import optical_flow_tvl1
from torch import Tensor

from benchmarks.bench_predict import run_cold
from benchmarks.bench_upsample import to_lab
from benchmarks.common import machine, report, summary
from checkpoint import shipped
from data.color import L_SCALE
from inference.chroma import Chroma, apply_chroma, lightness_seen, without_color
from inference.colorizer import Colorizer
from media.clip import open_clip, read_frames
from media.ffmpeg import pyav
from media.picture import Picture, from_array
from media.walk import sort_files
from metrics import delta_e_76, psnr
from video.color_clip import color_clip
from video.flow import resize_flow, warp
from video.temporal import SteadyChroma

RESULTS = Path(__file__).parent.parent / "docs" / "video"
EVERY_FLOW, EVERY_SCORE = 2, 10
SPEED_SIZES = {"480p": (854, 480), "1080p": (1920, 1080)}
SPEED_FRAMES = 48
MEMORY_FRAMES = (48, 960)
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
    steady, cuts, is_color = SteadyChroma(), [], False
    changes: dict[str, list[float]] = {"off": [], "steady": [], "true": []}
    scores: dict[str, list[tuple[float, float]]] = {"off": [], "steady": [], "gray": []}
    before: dict[str, Tensor] = {}
    for number, frame in enumerate(read_frames(open_clip(path, max_pixels=10**8))):
        original = from_array(frame.pixels)
        chroma = colorizer.infer(original)
        height, width = chroma.ab.shape[-2:]
        L = lightness_seen(original, (width, height))
        num_cuts = steady.num_cuts
        averaged = replace(chroma, ab=steady(L, chroma.ab))
        small = np.array(
            original.preview(max(width, height)).resize((width, height), Image.Resampling.BILINEAR)
        )
        now = {"L": L, "off": chroma.ab, "steady": averaged.ab, "true": to_lab(small)[:, 1:]}
        is_color = is_color or bool(now["true"].norm(dim=1).mean() > 2)
        if steady.num_cuts > num_cuts:
            cuts.append(number)
        elif number and number % EVERY_FLOW == 0:
            flow, visible = reference_flow(L, before["L"])
            for name, values in changes.items():
                values.append(flicker(now[name], before[name], flow, visible))
        if number % EVERY_SCORE == 0:
            for name, score in _score(original, {"off": chroma, "steady": averaged}, colorizer).items():
                scores[name].append(score)
        before = now
    flickers = {name: float(np.nanmean(values)) for name, values in changes.items()}
    if not is_color:  # there is no truth
        return {"frames": number + 1, "cuts": cuts, "flicker": flickers | {"true": None}, "scores": None}
    means = {name: np.mean(values, axis=0) for name, values in scores.items()}
    named = {name: {"psnr": float(m[0]), "delta_e_76": float(m[1])} for name, m in means.items()}
    return {"frames": number + 1, "cuts": cuts, "flicker": flickers, "scores": named}


def _score(
    original: Picture, chromas: dict[str, Chroma], colorizer: Colorizer
) -> dict[str, tuple[float, float]]:
    """PSNR and ΔE76 of whole frames against the clip's own."""
    pictures = {
        name: apply_chroma(original, chroma, upsample=colorizer.upsample, saturation=colorizer.saturation)
        for name, chroma in chromas.items()
    } | {"gray": without_color(original)}
    truth = _planes(original.pixels)
    found = {}
    for name, picture in pictures.items():
        error = delta_e_76(to_lab(picture.pixels), to_lab(original.pixels))
        found[name] = (float(psnr(_planes(picture.pixels), truth)), float(error))
    return found


def _planes(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255


def measure_speed(colorizer: Colorizer, rounds: int) -> dict[str, Any]:
    """Frames per second of clips made for it, by size."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for label, size in SPEED_SIZES.items():
            path = Path(folder) / f"{label}.mp4"
            write_clip(path, size)
            rates: dict[str, list[float]] = {"steady": [], "off": []}
            for _ in range(rounds):
                for temporal, values in rates.items():
                    start = time.perf_counter()
                    clip = open_clip(path, max_pixels=10**8)
                    output = Path(folder) / "out.mp4"
                    color_clip(colorizer, clip, output, temporal=temporal, quality=95)
                    values.append(SPEED_FRAMES / (time.perf_counter() - start))
            found[label] = {temporal: summary(values) for temporal, values in rates.items()}
    return found


def measure_memory() -> dict[str, float]:
    """Peak memory of the command, MB, by number of frames."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for num_frames in MEMORY_FRAMES:
            path = Path(folder) / f"{num_frames}.mp4"
            write_clip(path, SPEED_SIZES["480p"], num_frames)
            weights = shipped.FOLDER / "model1.safetensors"
            _, found[str(num_frames)] = run_cold(path, weights, Path(folder) / "out.mp4", "cpu")
    return found


def write_clip(path: Path, size: tuple[int, int], num_frames: int = SPEED_FRAMES) -> None:
    """A camera that moves to and fro over a photo of scikit-image's, gray, with film grain."""
    av = pyav()
    width, height = size
    photo = Image.fromarray(skimage.data.coffee()).resize(
        (width + 200, height + 200), Image.Resampling.BICUBIC
    )
    values = np.asarray(photo.convert("L")).astype(float)
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as target:
        stream = target.add_stream("libx264", rate=24, options={"crf": "16"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for number in range(num_frames):
            i = abs((number + SPEED_FRAMES) % (2 * SPEED_FRAMES) - SPEED_FRAMES)
            part = values[2 * i : 2 * i + height, 4 * i : 4 * i + width] + rng.normal(0, 4, (height, width))
            target.mux(stream.encode(av.VideoFrame.from_ndarray(part.clip(0, 255).astype(np.uint8), "gray")))
        target.mux(stream.encode(None))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, help="measure flicker and scores on the clips of this folder")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed, without --clips")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    colorizer = Colorizer.load("model1", device="cpu")
    figures: dict[str, Any] = {"weights_sha256": colorizer.weights.sha256}
    if args.clips:
        paths = sort_files(args.clips, recursive=True).clips
        figures["command"] = "python -m benchmarks.bench_video --clips=CLIPS"
        figures["clips"] = {path.stem: measure_clip(path, colorizer) for path in paths}
        rows = {name: str(clip) for name, clip in figures["clips"].items()}
    else:
        figures["command"] = f"python -m benchmarks.bench_video --rounds={args.rounds}"
        figures |= {"speed": measure_speed(colorizer, args.rounds), "peak_mb": measure_memory()}
        figures |= {"machine": machine("cpu")}
        rows = {name: str(values) for name, values in figures["speed"].items()}
    report("coloring clips", rows, figures, args.json)


if __name__ == "__main__":
    main()
