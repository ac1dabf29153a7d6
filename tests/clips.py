"""Small clips for the tests of video, made with PyAV from a photo in motion."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data

SIZE = (64, 48)


def pictures(num: int, size: tuple[int, int] = SIZE, source: np.ndarray | None = None) -> list[np.ndarray]:
    """(H, W, 3) uint8 parts of a photo, each a pixel further right and half a one down."""
    photo = skimage.data.chelsea() if source is None else source
    width, height = size
    return [photo[60 + i // 2 : 60 + i // 2 + height, 100 + i : 100 + i + width] for i in range(num)]


def gray(frames: list[np.ndarray]) -> list[np.ndarray]:
    """The same without colour."""
    return [
        np.repeat(frame.mean(axis=2, keepdims=True).round().astype(np.uint8), 3, axis=2) for frame in frames
    ]


def write_clip(
    path: Path,
    frames: list[np.ndarray],
    *,
    pts: list[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    audio: int = 0,
    audio_codec: str = "aac",
    rate: int = 8000,
    layout: str = "mono",
    rotation: int = 0,
    matrix: tuple[int, ...] | None = None,
    colors: dict[str, int] | None = None,
    container: str | None = None,
    options: dict[str, str] | None = None,
    encoder: dict[str, str] | None = None,
    metadata: dict[str, str] | None = None,
) -> Path:
    """Write a clip of frames (H, W, 3) uint8, at 25 per second or at the given time stamps."""
    import av

    with av.open(str(path), "w", format=container, options=options or {}) as target:
        stream = target.add_stream(codec, rate=25, options=encoder or {})
        target.metadata.update(metadata or {})
        height, width = frames[0].shape[:2]
        stream.width, stream.height, stream.pix_fmt = width, height, pix_fmt
        stream.codec_context.time_base = stream.time_base = time_base
        for name, value in (colors or {}).items():
            setattr(stream.codec_context, name, value)
        if rotation:
            stream.set_display_rotation(rotation)
        if matrix:
            stream.set_display_matrix(matrix)
        sounds = [target.add_stream(audio_codec, rate=rate, layout=layout) for _ in range(audio)]
        for number, pixels in enumerate(frames):
            frame = _frame(av, np.ascontiguousarray(pixels), pix_fmt, colors or {})
            frame.pts, frame.time_base = pts[number] if pts else number, time_base
            target.mux(stream.encode(frame))
        target.mux(stream.encode(None))
        for number, sound in enumerate(sounds):
            _sing(av, target, sound, pitch=200 * (number + 1))
    return path


def earlier(source: Path, path: Path, shift: Fraction, *, options: dict[str, str] | None = None) -> Path:
    """The same packets at earlier times; what comes before 0 is left out by an edit list, as trims are."""
    import av

    with av.open(str(source)) as clip, av.open(str(path), "w", options=options or {}) as target:
        copies = {stream.index: target.add_stream_from_template(stream) for stream in clip.streams}
        for packet in clip.demux():
            if packet.dts is not None:
                units = round(shift / packet.time_base)
                packet.pts, packet.dts = packet.pts - units, packet.dts - units
                packet.stream = copies[packet.stream_index]
                target.mux(packet)
    return path


def with_subtitles(source: Path, path: Path) -> Path:
    """The same clip with subtitles, SRT, of half a second."""
    import av

    text = path.with_suffix(".srt")
    text.write_text("1\n00:00:00,000 --> 00:00:00,500\nGood evening\n\n")
    with av.open(str(source)) as clip, av.open(str(text)) as titles, av.open(str(path), "w") as target:
        for container in (clip, titles):
            for stream in container.streams:
                target.add_stream_from_template(stream)
        for first, container in ((0, clip), (len(clip.streams), titles)):
            for packet in container.demux():
                if packet.dts is not None:
                    packet.stream = target.streams[first + packet.stream_index]
                    target.mux(packet)
    text.unlink()
    return path


def damage(path: Path, number: int, *, most: int = 10**9) -> None:
    """Overwrite a video packet of a clip by zeros, or its first `most` bytes."""
    import av

    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
    size = min(packet.size, most)
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + size] = bytes(size)
    path.write_bytes(data)


def packets(path: Path, kind: str) -> list[list[tuple[Fraction, bytes]]]:
    """Time and bytes of all packets of each stream of a kind."""
    import av

    with av.open(str(path)) as container:
        streams = [stream for stream in container.streams if stream.type == kind]
        found: dict[int, list[tuple[Fraction, bytes]]] = {stream.index: [] for stream in streams}
        for packet in container.demux(streams) if streams else ():
            if packet.size:
                found[packet.stream_index].append((packet.pts * packet.time_base, bytes(packet)))
    return list(found.values())


def luma(path: Path) -> np.ndarray:
    """(frames, H, W) codes of the first plane."""
    import av

    with av.open(str(path)) as container:
        planes = []
        for frame in container.decode(video=0):
            plane = np.frombuffer(frame.planes[0], np.uint8).reshape(-1, frame.planes[0].line_size)
            planes.append(plane[: frame.height, : frame.width].astype(int))
    return np.stack(planes)


def stamps(path: Path) -> list[Fraction]:
    """Times of the frames, seconds, as the program reads them."""
    from media.clip import open_clip
    from media.frames import read_frames

    clip = open_clip(path, max_pixels=10**7)
    return [frame.pts * clip.time_base for frame in read_frames(clip)]


def upright(path: Path) -> np.ndarray:
    """(frames, H, W, 3) int, sRGB as FFmpeg converts it, turned as players show it."""
    import av

    from media.ffmpeg import exact_scaling

    with av.open(str(path)) as container:
        frames = [
            np.rot90(frame.to_ndarray(format="rgb24", interpolation=exact_scaling()), frame.rotation // 90)
            for frame in container.decode(video=0)
        ]
    return np.stack(frames).astype(int)


def _frame(av: Any, pixels: np.ndarray, pix_fmt: str, colors: dict[str, int]) -> Any:
    matrix = {1: "ITU709"}.get(colors.get("colorspace", 6), "ITU601")
    frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
    return frame.reformat(
        format=pix_fmt,
        src_colorspace=matrix,
        dst_colorspace=matrix,
        src_color_range=2,
        dst_color_range=colors.get("color_range", 1),
    )


def _sing(av: Any, target: Any, stream: Any, *, pitch: int) -> None:
    """A second of a tone."""
    rate = stream.codec_context.sample_rate
    wave = np.sin(2 * np.pi * pitch * np.arange(rate) / rate).astype(np.float32)[None]
    frame = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    fifo = av.AudioFifo()
    fifo.write(frame)
    for part in fifo.read_many(1024, partial=True):
        target.mux(stream.encode(part))
    target.mux(stream.encode(None))
