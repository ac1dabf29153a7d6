"""Clips: frames per second, beside another checkout of the program; where the time goes; memory.

    python -m benchmarks.speed.bench_clip_speed --before=CHECKOUT --json=docs/video/speed.json

Speed is that of the command on gray clips under grain, from the file to the written file, without its start:
the time of a long clip less that of a short one, by the difference of their frames. The checkouts take turns.
Processor time is that of all threads, and depends less on what else a machine does. The stages are measured
one after the other, on one core, in this process; the encoder and the decoder with as many threads as they
take. Memory is the peak of the command on 480p clips of two lengths.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data
import torch
from PIL import Image

from benchmarks.common import MAIN, machine, report, summary
from checkpoint.shipped import DEFAULT
from inference.colorizer import Colorizer
from media.clip import open_clip
from media.encode_part import write_part
from media.ffmpeg import pyav
from media.frames import Frame, read_frames
from video.color_frames import TOGETHER, ClipColors, SeenFrame
from video.temporal import SteadyChroma, follow

SIZES = {"480p": (854, 480), "1080p": (1920, 1080)}
MEMORY_FRAMES = (48, 480)
_START_FRAMES = 4

# In a small process between: on Linux the peak of a program begins with that of the process that started it.
_MEASURE = """
import os, subprocess, sys, time
start = time.perf_counter()
child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, usage = os.wait4(child.pid, 0)
print(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
sys.exit(1 if status else 0)
"""


def run(program: Path, clip: Path, output: Path, *flags: str) -> np.ndarray:
    """Seconds, seconds of processor time and peak memory in MB of predict with its default weights."""
    command = [sys.executable, str(program), "--mode=predict", f"--image_path={clip}", "--device=cpu"]
    command += [f"--output_path={output}", "--overwrite", f"--weights={DEFAULT}", *flags]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *command], capture_output=True, text=True, cwd=program.parent
    )
    if done.returncode:
        raise RuntimeError(f"predict failed: {' '.join(command)}\n{done.stderr}")
    return np.array(list(map(float, done.stdout.split()[-3:])))


def measure_speed(
    programs: dict[str, Path], num_frames: int, rounds: int, *flags: str, sizes: Sequence[str] = tuple(SIZES)
) -> dict[str, Any]:
    """Frames per second and processor time of a frame, by size and program."""
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for label in sizes:
            clips = [folder / f"{num}.mp4" for num in (_START_FRAMES, num_frames)]
            for clip, num in zip(clips, (_START_FRAMES, num_frames), strict=True):
                write_clip(clip, SIZES[label], num)
            figures: dict[str, list[np.ndarray]] = {program: [] for program in programs}
            for _ in range(rounds):
                for program, path in programs.items():
                    short, long = (run(path, clip, folder / "out.mp4", *flags) for clip in clips)
                    figures[program].append((long - short)[:2] / (num_frames - _START_FRAMES))
            found[label] = {
                program: {
                    "frames_per_s": summary([1 / wall for wall, _ in values]),
                    "processor_s": summary([processor for _, processor in values]),
                }
                for program, values in figures.items()
            }
    return found


def measure_stages(num_frames: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a frame, by size and stage, with nothing side by side."""
    colorizer, threads = Colorizer.load(device="cpu"), torch.get_num_threads()
    torch.set_num_threads(1)
    found = {}
    with tempfile.TemporaryDirectory() as name:
        for label, size in SIZES.items():
            path = Path(name) / f"{label}.mp4"
            write_clip(path, size, num_frames)
            times = {stage: 1000 * s / num_frames for stage, s in _stages(path, colorizer).items()}
            found[label] = times
    torch.set_num_threads(threads)
    return found


def _stages(path: Path, colorizer: Colorizer) -> dict[str, float]:
    """Seconds of a whole clip by stage, of processor time."""
    clip, seconds = open_clip(path, max_pixels=10**8), {}
    steps, steady = ClipColors(colorizer, clip), SteadyChroma()

    def timed(stage: str, work: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = work()
        seconds[stage] = time.process_time() - start
        return result

    with torch.inference_mode():
        frames = timed("reading", lambda: list(read_frames(clip)))
        seen = timed("network", lambda: list(_see(steps, frames)))
        pairs = list(zip(seen, [None, *seen], strict=False))
        moves = timed("motion", lambda: [follow(b.L, a.L) if a else None for b, a in pairs])
        pairs_of = list(zip(seen, moves, strict=True))
        abs_ = timed("averaging", lambda: [steady(each.L, each.ab, moved) for each, moved in pairs_of])
        pairs_ab = list(zip(seen, abs_, strict=True))
        colored = timed("planes", lambda: [steps.color(each.frame, each.L, ab) for each, ab in pairs_ab])
        timed("encoding", lambda: write_part(path.with_suffix(".nut"), clip, colored, 95))
    return seconds


def _see(steps: ClipColors, frames: Sequence[Frame]) -> Iterator[SeenFrame]:
    """As many at once as when a clip is colored."""
    for start in range(0, len(frames), TOGETHER):
        group = frames[start : start + TOGETHER]
        yield from steps.see_together(group, [True] * len(group))


def measure_memory(programs: dict[str, Path]) -> dict[str, dict[str, float]]:
    """Peak memory of the command, MB, by program and number of frames."""
    found: dict[str, dict[str, float]] = {program: {} for program in programs}
    with tempfile.TemporaryDirectory() as name:
        for num_frames in MEMORY_FRAMES:
            clip = Path(name) / f"{num_frames}.mp4"
            write_clip(clip, SIZES["480p"], num_frames)
            for program, path in programs.items():
                found[program][str(num_frames)] = float(run(path, clip, Path(name) / "out.mp4")[2])
    return found


def write_clip(path: Path, size: tuple[int, int], num_frames: int) -> None:
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
            i = abs((number + 48) % 96 - 48)
            part = values[2 * i : 2 * i + height, 4 * i : 4 * i + width] + rng.normal(0, 4, (height, width))
            target.mux(stream.encode(av.VideoFrame.from_ndarray(part.clip(0, 255).astype(np.uint8), "gray")))
        target.mux(stream.encode(None))


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--before", type=Path, help="another checkout, measured in turn with this one")
    parser.add_argument("--frames", type=int, default=48, help="of a clip")
    parser.add_argument("--rounds", type=int, default=3, help="of the speed; 0, on a busy machine: none")
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    programs = {"now": MAIN}
    if args.before:
        programs["before"] = args.before.resolve() / "main.py"
    command = "python -m benchmarks.speed.bench_clip_speed"
    figures: dict[str, Any] = {
        "load": os.getloadavg()[0],
        "command": f"{command} --frames={args.frames} --rounds={args.rounds}"
        + (" --before=CHECKOUT" if args.before else ""),
        "stages_ms": measure_stages(args.frames),
        "speed": measure_speed(programs, args.frames, args.rounds) if args.rounds else {},
        "peak_mb": measure_memory(programs),
        "machine": machine("cpu"),
    }
    rows = {
        f"{label}, {program}": str(values)
        for label, programs in figures["speed"].items()
        for program, values in programs.items()
    }
    rows |= {f"{label}, stages": str(values) for label, values in figures["stages_ms"].items()}
    report("coloring clips", rows | {"peak": str(figures["peak_mb"])}, figures, args.json)


if __name__ == "__main__":
    main()
