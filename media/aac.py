"""Sound that a container cannot hold as it is, as AAC."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from media.ffmpeg import pyav

_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000)
_BITS_PER_CHANNEL = 128_000
_LAYOUTS = {1: "mono", 2: "stereo", 6: "5.1"}


class ConvertedSound:
    """A stream of AAC in a container, from the packets of one in another codec."""

    def __init__(self, target: Any, stream: Any) -> None:
        """
        Args:
            target: the container to write.
            stream: of the source, with a codec that is known.
        """
        context = stream.codec_context
        rate = context.sample_rate if context.sample_rate in _RATES else 48000
        layout = _LAYOUTS.get(context.channels, "stereo")
        self.stream = target.add_stream("aac", rate=rate, layout=layout)
        self.stream.codec_context.bit_rate = _BITS_PER_CHANNEL * self.stream.codec_context.channels
        self._resampler = pyav().AudioResampler(format="fltp", layout=layout, rate=rate)

    def convert(self, packet: Any, start: Fraction) -> Iterator[Any]:
        """What a packet adds to the stream; one without data, at the end, what is left.

        Args:
            packet: of the source.
            start: seconds that its time is to be less.
        """
        frames = []
        with contextlib.suppress(pyav().error.InvalidDataError):  # a click, as a player would give
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
