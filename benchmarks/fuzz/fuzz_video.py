"""Mutated clips through predict: no traceback, no hang, no half-written clip, bounded memory.

    python -m benchmarks.fuzz.fuzz_video --cases=500

Small clips of several containers and codecs, with and without sound, made of photos that scikit-image ships
in motion; mutated and judged as `benchmarks.fuzz.fuzzing` says. A case takes at most 60 seconds and the
process 2 GB.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage.data

from benchmarks.fuzz.fuzzing import Subject, run
from media.clip import open_clip
from media.ffmpeg import pyav
from media.frames import read_frames

_SIZE = (96, 64)
_FRAMES = 24
# Name -> (video codec, pixel format, audio streams and their codec).
_KINDS = {
    "h264.mp4": ("libx264", "yuv420p", 1, "aac"),
    "front.mp4": ("libx264", "yuv420p", 0, ""),
    "mpeg4.mov": ("mpeg4", "yuv420p", 2, "aac"),
    "mpeg4.avi": ("mpeg4", "yuv420p", 1, "mp2"),
    "mjpeg.avi": ("mjpeg", "yuvj420p", 0, ""),
    "h264.mkv": ("libx264", "yuv444p", 1, "aac"),
    "ffv1.mkv": ("ffv1", "gray", 0, ""),
    "vp9.webm": ("libvpx-vp9", "yuv420p", 0, ""),
    "mpeg2.mpg": ("mpeg2video", "yuv420p", 1, "mp2"),
    "h264.ts": ("libx264", "yuv420p", 1, "mp2"),
}


def originals() -> dict[str, bytes]:
    """Whole files, by name."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (codec, pixel_format, num_sounds, sound) in _KINDS.items():
            path = Path(folder) / name
            options = {"movflags": "faststart"} if name.startswith("front") else {}
            _write(path, codec, pixel_format, [sound] * num_sounds, options)
            found[name] = path.read_bytes()
    return found


def open_clip_whole(path: Path) -> None:
    """
    Raises:
        UserError: it does not open, or not to its end.
    """
    for _ in read_frames(open_clip(path, max_pixels=10**8)):
        pass


def _write(path: Path, codec: str, pixel_format: str, sounds: list[str], options: dict[str, str]) -> None:
    av = pyav()
    width, height = _SIZE
    photo = skimage.data.chelsea()
    with av.open(str(path), "w", options=options) as target:
        video = target.add_stream(codec, rate=25)
        video.width, video.height, video.pix_fmt = width, height, pixel_format
        tracks = [target.add_stream(name, rate=32000, layout="mono") for name in sounds]
        for number in range(_FRAMES):
            part = np.ascontiguousarray(photo[60 : 60 + height, 100 + 2 * number : 100 + 2 * number + width])
            frame = av.VideoFrame.from_ndarray(part, format="rgb24").reformat(format=pixel_format)
            frame.pts = number
            target.mux(video.encode(frame))
        target.mux(video.encode(None))
        for track in tracks:
            samples = (8000 * np.sin(np.arange(32000) / 20)).astype(np.int16)[None]
            noise = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
            noise.sample_rate, noise.pts = 32000, 0
            target.mux([*track.encode(noise), *track.encode(None)])


if __name__ == "__main__":
    clips = Subject(originals, open_clip_whole, ".mkv", ("--max_pixels=2000000",), limit_s=60, limit_mb=2000)
    sys.exit(run(clips, __doc__ or "", num_cases=500))
