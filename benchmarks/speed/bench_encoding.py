"""Encoding of clips: x264 as `media.encode_part` sets it, beside its presets; time, bytes and PSNR.

    python -m benchmarks.speed.bench_encoding --clips=FOLDER --json=docs/video/encoding.json

The first frames of each clip of a folder, and of one under grain that is made here, in 4:2:0 of 8 bits, at
the rate factor of the default quality, without B-frames, on one core. The ways take turns; times are of the
processor.
"""

from __future__ import annotations

import argparse
import io
import itertools
import tempfile
import time
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.common import alternate, machine, ratio, report
from benchmarks.speed.bench_clip_speed import SIZES, write_clip
from config import Config
from media.encode_part import X264, rate_factor
from media.ffmpeg import pyav
from media.walk import sort_files

PRESETS = ("veryfast", "superfast")
WAYS = {preset: {"preset": preset, "bf": "0"} for preset in PRESETS} | {"ours": X264}
_USUAL = PRESETS[0]


def compare(path: Path, num_frames: int, rounds: int) -> dict[str, Any]:
    """Of each way the time and the bytes over those of the usual preset, and the PSNR of the luma, dB."""
    frames = read(path, num_frames)
    coded = {name: encode(frames, options) for name, options in WAYS.items()}
    seconds = alternate({name: lambda n=name: _time(frames, WAYS[n]) for name in WAYS}, rounds)  # type: ignore[misc]
    return {
        name: {
            "time": ratio(seconds[name], seconds[_USUAL]),
            "bytes": len(coded[name]) / len(coded[_USUAL]),
            "psnr": psnr(frames, read(io.BytesIO(coded[name]), num_frames)),
        }
        for name in WAYS
    }


def read(source: Path | io.BytesIO, num_frames: int) -> list[Any]:
    """The first frames of a clip, of the library."""
    with pyav().open(str(source) if isinstance(source, Path) else source) as container:
        frames = itertools.islice(container.decode(video=0), num_frames)
        # New ones, as the program makes them: those of the decoder would force their kinds on the encoder.
        planes = (frame.to_ndarray(format="yuv420p") for frame in frames)
        return [pyav().VideoFrame.from_ndarray(each, format="yuv420p") for each in planes]


def encode(frames: Sequence[Any], options: dict[str, str]) -> bytes:
    """The stream of some frames."""
    file = io.BytesIO()
    with pyav().open(file, "w", format="nut") as container:
        options = options | {"crf": str(rate_factor(Config.quality))}
        stream = container.add_stream("libx264", rate=24, options=options)
        stream.width, stream.height, stream.pix_fmt = frames[0].width, frames[0].height, "yuv420p"
        stream.thread_count = 1
        for number, frame in enumerate(frames):
            frame.pts, frame.time_base = number, Fraction(1, 24)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()


def _time(frames: Sequence[Any], options: dict[str, str]) -> float:
    start = time.process_time()
    encode(frames, options)
    return time.process_time() - start


def psnr(frames: Sequence[Any], others: Sequence[Any]) -> float:
    """Of the luma of all frames, dB."""
    pairs = zip(frames, others, strict=True)
    errors = [np.square(_luma(a).astype(float) - _luma(b)).mean() for a, b in pairs]
    return float(10 * np.log10(255**2 / np.mean(errors)))


def _luma(frame: Any) -> np.ndarray:
    planes: np.ndarray = frame.to_ndarray()
    return planes[: frame.height]


def main() -> None:
    """Measure and report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=Path, required=True)
    parser.add_argument("--frames", type=int, default=100, help="of a clip; default 100")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        grain = Path(name) / "480p under grain.mp4"
        write_clip(grain, SIZES["480p"], args.frames)
        paths = [grain, *sort_files(args.clips, recursive=False).clips]
        clips = {path.stem: compare(path, args.frames, args.rounds) for path in paths}
    rows = {f"{clip}, {way}": str(each) for clip, ways in clips.items() for way, each in ways.items()}
    command = "python -m benchmarks.speed.bench_encoding --clips=CLIPS"
    figures = {
        "command": f"{command} --frames={args.frames} --rounds={args.rounds}",
        "clips": clips,
        "machine": machine("cpu"),
    }
    report("encoding, over veryfast", rows, figures, args.json)


if __name__ == "__main__":
    main()
