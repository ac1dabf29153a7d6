"""Encode colored frames to a part of a clip: a file in the NUT format, which keeps any time stamp exactly."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from core.errors import PlaceError
from core.files import renamed_to
from media.clip import Clip
from media.ffmpeg import ClipError, pyav
from media.frames import ColoredFrame, to_library

# x264's constant rate factor at quality 100, its increase per step of quality below that, and its maximum.
_FINEST, _PER_QUALITY, _COARSEST = 12, 0.4, 51
# The unchanged preset takes up to 50 % more time and saves few bytes: see benchmarks/speed/bench_encoding.py.
# Without B-frames the coding order is the display order, so that no container has to shift time stamps.
X264 = {"preset": "veryfast", "bf": "0", "partitions": "i8x8", "motion-est": "dia"}


def write_part(path: Path, clip: Clip, frames: Iterable[ColoredFrame], quality: int) -> None:
    """Encode frames to a file, which is written atomically.

    Raises:
        UserError: the place cannot be written.
    """
    with writing_to(path) as temporary:
        _encode(str(temporary), clip, frames, quality)


def write_sample(file: BinaryIO, clip: Clip, quality: int) -> None:
    """Encode one gray frame with the parameters of a clip, to check that the encoder takes them.

    Raises:
        FFmpegError, OverflowError: the encoder does not take them.
    """
    gray = [
        np.full(size[::-1], 2 ** (clip.coding.bits - 1), clip.coding.dtype)
        for size in (clip.size, clip.chroma_size)
    ]
    _encode(file, clip, [ColoredFrame(gray[0], 0, np.stack((gray[1], gray[1])))], quality)


@contextlib.contextmanager
def writing_to(path: Path) -> Iterator[Path]:
    """Give a temporary file beside `path`, which is renamed to `path` at the end of the block.

    Raises:
        UserError: the place cannot be written.
    """
    av = pyav()
    try:
        with renamed_to(path) as temporary:
            yield temporary
    except OSError as error:
        # Some of PyAV's errors are OSErrors too.
        raise PlaceError(
            f"cannot write {path} ({error.strerror or error}): free the place or name another"
        ) from error
    except av.error.FFmpegError as error:
        raise ClipError(f"cannot write {path} ({error}): try another ending") from error


def rate_factor(quality: int) -> int:
    """x264's constant rate factor for --quality, from 1 to 100."""
    return min(_COARSEST, round(_FINEST + _PER_QUALITY * (100 - quality)))


def _encode(file: str | BinaryIO, clip: Clip, frames: Iterable[ColoredFrame], quality: int) -> None:
    with pyav().open(file, "w", format="nut") as container:
        stream = _add_encoder(container, clip, quality)
        for frame in frames:
            container.mux(stream.encode(to_library(frame, clip)))
        container.mux(stream.encode(None))


def _add_encoder(container: Any, clip: Clip, quality: int) -> Any:
    """Add an H.264 stream with the colour description, the range and the time base of the clip."""
    options = X264 | {"crf": str(rate_factor(quality))}
    if clip.field_order:
        options["x264-params"] = f"{clip.field_order}=1"
    stream = container.add_stream("libx264", rate=clip.rate, options=options)
    stream.width, stream.height = clip.size
    stream.pix_fmt = clip.pixel_format
    context = stream.codec_context
    context.time_base = stream.time_base = clip.time_base
    if clip.pixel_shape:
        context.sample_aspect_ratio = clip.pixel_shape
    context.colorspace, context.color_range = clip.coding.matrix, clip.coding.color_range
    context.color_primaries, context.color_trc = clip.primaries, clip.curve
    return stream
