"""Blend the colours of two models, by a constant share or by a mask."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import interpolate

from checkpoint.file import load_weights
from checkpoint.shipped import find_weights
from config import Config
from core.errors import UserError
from inference.chroma import Chroma, load_chroma
from inference.colorizer import Colorizer
from inference.guidance import Guidance
from inference.own_color import read_mask
from media.picture import Picture, check_size

# A colon within the share is that of a Windows drive, as in C:\mask.png.
_FORM = re.compile(r"(?P<source>.+?):(?P<share>(?:[A-Za-z]:[\\/])?[^:]+)")


@dataclass(frozen=True)
class Blend:
    """Other colours, and their share in the blend with those of a photo or a clip.

    Attributes:
        source: the other weights or file, as named by the user.
        share: weight of the other colours in [0, 1], or a mask of the photo's size, white where it is 1.
        other: the other model, or the kept colours of one photo.
        max_pixels: larger masks are refused.
    """

    source: str
    share: float | Path
    other: Colorizer | Chroma
    max_pixels: int

    @classmethod
    def from_config(cls, config: Config) -> Blend | None:
        """Load what --blend names: weights, or with --apply_chroma a file of colours; None if not given.

        Raises:
            UserError: the flag has no share, or the file cannot be read.
        """
        if config.blend is None:
            return None
        found = _FORM.fullmatch(config.blend)
        if not found:
            raise UserError(f"--blend={config.blend}: must be WEIGHTS:SHARE, such as model1:0.3")
        source, share = found["source"], _parse_share(found["share"], config.blend)
        if config.apply_chroma:
            return cls(source, share, load_chroma(Path(source)), config.max_pixels)
        loaded = load_weights(find_weights(Path(source), None, ""))
        return cls(source, share, Colorizer.from_config(config, loaded), config.max_pixels)

    def __call__(self, original: Picture, chroma: Chroma) -> Chroma:
        """Blend the other colours into `chroma`, at the size of `chroma`.

        Raises:
            UserError: the mask or the file of the other colours is for a photo of another size.
        """
        other = self.other if isinstance(self.other, Chroma) else self.other.predict_chroma(original)
        check_size(f"the photo of --blend={self.source}", other.size, "the one to color", chroma.size)
        return _mixed(chroma, other, self._share_of(original.size))

    def for_clip(self, colorizer: Colorizer, size: tuple[int, int]) -> Colorizer:
        """A colorizer for a clip that blends the colours of both.

        Args:
            colorizer: into whose colours the others are blended.
            size: (width, height) of the clip, upright.
        Raises:
            UserError: the mask cannot be read, or is of another size.
        """
        assert isinstance(self.other, Colorizer)  # --apply_chroma is not for clips
        return _BlendedColorizer(colorizer, self.other, self._share_of(size))

    def _share_of(self, size: tuple[int, int]) -> float | np.ndarray:
        if isinstance(self.share, float):
            return self.share
        return read_mask(self.share, size, "--blend", max_pixels=self.max_pixels)


class _BlendedColorizer(Colorizer):
    """A colorizer that blends in the colours of a second one, for whole pictures such as frames of clips."""

    def __init__(self, first: Colorizer, second: Colorizer, share: float | np.ndarray) -> None:
        vars(self).update(vars(first))
        self._second, self._share = second, share

    def predict_together(
        self, originals: Sequence[Picture], guidance: Guidance | None = None
    ) -> list[Chroma]:
        pairs = zip(
            super().predict_together(originals, guidance),
            self._second.predict_together(originals),
            strict=True,
        )
        return [_mixed(chroma, other, self._share) for chroma, other in pairs]

    @property
    def about(self) -> str:
        return f"{super().about}, blended with {self._second.about}"

    @property
    def settings(self) -> dict[str, Any]:
        share = self._share
        by = share if isinstance(share, float) else hashlib.sha256(share.tobytes()).hexdigest()
        return {**super().settings, "blend": {"share": by, **self._second.settings}}


def _mixed(chroma: Chroma, other: Chroma, share: float | np.ndarray) -> Chroma:
    """Blend `other` into `chroma`; a mask `share` (H, W) uint8 is resized to the colours."""
    height, width = chroma.ab.shape[-2:]
    ab = interpolate(other.ab, (height, width), mode="bilinear", antialias=True)
    if isinstance(share, float):
        much = torch.tensor(share)
    else:
        small = np.asarray(Image.fromarray(share).resize((width, height), Image.Resampling.BOX))
        much = torch.from_numpy(small.astype(np.float32) / 255)[None, None]
    by = f"{chroma.by}, blended with {other.by}"
    return replace(chroma, ab=chroma.ab.lerp(ab, much).half().float(), by=by)


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
