"""Files of several pictures: the pages of a TIFF, the frames of an animation."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from PIL import Image

from core.remarks import remark
from media.decode import decoding_errors, open_photo, opened
from media.tiff_reader import STARTS, list_pages

_PNG = b"\x89PNG"
_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF")


@dataclass(frozen=True)
class Pages:
    """How many pictures a file holds.

    Attributes:
        num: pictures to color.
        durations: of the frames of an animation, ms; () for pages.
        loops: number of times that an animation is played; 0: for ever.
    """

    num: int
    durations: tuple[int, ...] = ()
    loops: int = 0

    @property
    def is_animation(self) -> bool:
        """Whether the pictures are frames, not pages."""
        return bool(self.durations)


ONE = Pages(1)
"""The pages of a file that holds one picture."""


def find_pages(path: Path, *, max_pixels: int) -> Pages:
    """Count the pages or frames of a file; only the frames of an animation are decoded for that.

    Raises:
        PhotoError: the file cannot be read, or is larger than `max_pixels`.
    """
    with open_photo(path) as file, decoding_errors(str(path), max_pixels):
        start = file.read(12)
        file.seek(0)
        if start[:4] in STARTS:
            return Pages(max(1, len(list_pages(file))))
        if not _may_hold_several(start):
            return ONE
        with opened(file, max_pixels) as image:
            hidden = _num_hidden(image)
            num = getattr(image, "n_frames", 1) - hidden
            if num > 1 and image.format in _ANIMATED:
                loops = int(image.info.get("loop", 1 if image.format == "GIF" else 0))
                durations = []
                for number in range(hidden, hidden + num):
                    image.seek(number)
                    image.load()  # only then a WebP knows the duration
                    durations.append(round(float(image.info.get("duration", 0))))
                return Pages(num, tuple(durations), loops)
            if num > 1:  # such as an MPO of a stereo camera
                told = f"holds {num} pictures: the first is colored, the others are left out"
                remark(f"{path} {told}", told)
    return ONE


def page_number(file: BinaryIO, page: int) -> int:
    """Position within the file of picture number `page`, where previews and hidden ones are not counted."""
    start = file.read(4)
    file.seek(0)
    if start == _PNG:
        with opened(file, sys.maxsize) as image:
            number = page + _num_hidden(image)
        file.seek(0)
        return number
    if start not in STARTS:
        return page
    pages = list_pages(file)
    file.seek(0)
    return pages[page] if page < len(pages) else page


def _num_hidden(image: Image.Image) -> int:
    """1 if the first picture of an animated PNG is no frame of it: only programs that play none show it."""
    return int(getattr(image, "default_image", False))


def _may_hold_several(start: bytes) -> bool:
    """Whether the first bytes are of a format that can hold several pictures."""
    return start.startswith((b"GIF8", _PNG, b"RIFF", b"\xff\xd8\xff")) or start[4:8] == b"ftyp"
