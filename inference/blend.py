"""The colours of two models mixed, by a share or by a mask."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from checkpoint.file import load_weights
from checkpoint.shipped import find_weights
from config import Config
from core.errors import UserError
from inference.chroma import Chroma, load_chroma
from inference.colorizer import Colorizer
from inference.own_color import read_mask
from media.picture import Picture

# The second colon is that of a drive of Windows.
_FORM = re.compile(r"(?P<source>.+?):(?P<share>(?:[A-Za-z]:[\\/])?[^:]+)")


@dataclass(frozen=True)
class Blend:
    """Other colours, and how much of them goes into those of a photo.

    Attributes:
        source: where they come from, as it was named.
        share: in [0, 1], or a mask of the photo's size, white where they count alone.
        predict: gives them for a photo.
        max_pixels: larger masks are refused.
    """

    source: str
    share: float | Path
    predict: Callable[[Picture], Chroma]
    max_pixels: int

    @classmethod
    def from_config(cls, config: Config) -> Blend | None:
        """What --blend names: weights, or with --apply_chroma such a file; None where it was not given.

        Raises:
            UserError: it names no share, or what it names cannot be read.
        """
        if config.blend is None:
            return None
        found = _FORM.fullmatch(config.blend)
        if not found:
            raise UserError(f"--blend={config.blend}: must be WEIGHTS:SHARE, such as model1:0.3")
        source, share = found["source"], _parse_share(found["share"], config.blend)
        if config.apply_chroma:
            other = load_chroma(Path(source))
            return cls(source, share, lambda _: other, config.max_pixels)
        loaded = load_weights(find_weights(Path(source), None, ""))
        return cls(source, share, Colorizer.from_config(config, loaded).predict_chroma, config.max_pixels)

    def __call__(self, original: Picture, chroma: Chroma) -> Chroma:
        """The colours of a photo, mixed with the other ones at the size of the former.

        Raises:
            UserError: the mask, or the file of the other colours, is of a photo of another size.
        """
        other = self.predict(original)
        if other.size != chroma.size:
            wanted, size = ("{}x{}".format(*pair) for pair in (chroma.size, other.size))
            raise UserError(f"--blend={self.source} is of a photo of {size}, not {wanted}: name another")
        height, width = chroma.ab.shape[-2:]
        ab = interpolate(other.ab, (height, width), mode="bilinear", antialias=True)
        mixed = chroma.ab.lerp(ab, self._share_at(original, height, width))
        by = f"{chroma.by}, blended with {other.by}"
        return replace(chroma, ab=mixed.half().float(), by=by)

    def _share_at(self, original: Picture, height: int, width: int) -> Tensor:
        if isinstance(self.share, float):
            return torch.tensor(self.share)
        mask = read_mask(self.share, original.size, "--blend", max_pixels=self.max_pixels)
        small = Image.fromarray(mask).resize((width, height), Image.Resampling.BOX)
        return torch.frombuffer(bytearray(small.tobytes()), dtype=torch.uint8).view(1, 1, height, width) / 255


def _parse_share(text: str, blend: str) -> float | Path:
    """A number from 0 to 1, or the file of a mask.

    Raises:
        UserError: it is neither.
    """
    try:
        share = float(text)
    except ValueError:
        path = Path(text)
        if not path.is_file():
            raise UserError(f"--blend={blend}: {text} is neither a share from 0 to 1 nor a mask") from None
        return path
    if not 0 <= share <= 1:
        raise UserError(f"--blend={blend}: the share must be from 0 to 1")
    return share
