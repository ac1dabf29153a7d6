"""Convert audio to AAC where the output container cannot hold its codec."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from media.ffmpeg import pyav

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_BITS_PER_CHANNEL = 128_000
# Layouts that come back from a file of the encoder as they were: of others the channels lose their names.
_LAYOUTS = ("mono", "stereo", "2.1", "3.0", "4.0", "quad", "5.0", "5.1", "7.1")
_BY_NUMBER = {1: "mono", 2: "stereo", 6: "5.1", 8: "7.1"}


class ConvertedSound:
    """An AAC stream in the output container, transcoded from a source stream in another codec."""

    def __init__(self, target: Any, stream: Any) -> None:
        """
        Args:
            target: the output container.
            stream: audio stream of the source, which FFmpeg can decode.
        """
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else 48000
        layout = context.layout.name
        if layout not in _LAYOUTS:
            layout = _BY_NUMBER.get(context.channels, "stereo")
        self.stream = target.add_stream("aac", rate=rate, layout=layout)
        self.stream.codec_context.bit_rate = _BITS_PER_CHANNEL * self.stream.codec_context.channels
        self._resampler = pyav().AudioResampler(format="fltp", layout=layout, rate=rate)

    def convert(self, packet: Any, start: Fraction) -> Iterator[Any]:
        """Transcode one packet; the empty packet at the end of the stream flushes the encoder.

        Args:
            packet: of the source stream.
            start: seconds to subtract from its time stamps.
        """
        frames = []
        with contextlib.suppress(pyav().error.InvalidDataError):  # a damaged packet is skipped
            frames = packet.decode()
        for frame in frames:
            if frame.pts is not None:
                frame.pts -= round(start / frame.time_base)
            for resampled in self._resampler.resample(frame):
                yield from self.stream.encode(resampled)
        if not packet.size:
            for resampled in self._resampler.resample(None):
                yield from self.stream.encode(resampled)
            yield from self.stream.encode(None)
