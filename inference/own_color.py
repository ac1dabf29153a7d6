"""Where a photo keeps its own colours: detected, or given by a mask."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy import ndimage
from torch import Tensor

from config import Config
from core.errors import UserError
from data.own_color import colored_part, gray_part, has_color, small_lab
from inference.hints import read_hints
from inference.upsample import Stretched
from media.decode import is_gray
from media.picture import Box, Picture, check_size, load_picture
from media.samples import to_dtype

_SIDE = 256  # long side in pixels of the copy in which the edge of a colored part is found
_EDGE = 0.03  # share of the short side: a margin of a photo on a page that is ignored, since it may be paper
_SOFTNESS = 2.0  # standard deviation of the blur of the edge of a part, pixels of that copy


@dataclass(frozen=True)
class Own:
    """The share of the photo's own colours at each place.

    Attributes:
        share: (h, w) uint8, 255: its own, 0: the model's; of the photo's size or a smaller one.
        reason: why, in words that follow the photo's name; '': a person gave a mask.
    """

    share: np.ndarray
    reason: str = ""

    @property
    def is_all(self) -> bool:
        """Whether the whole photo keeps its own colours."""
        return bool(self.share.min() == 255)

    def at_size(self, size: tuple[int, int]) -> np.ndarray:
        """`share` at (width, height) of the photo."""
        return np.asarray(Image.fromarray(self.share).resize(size, Image.Resampling.BILINEAR))

    def rows(self, height: int, width: int) -> Callable[[slice], Tensor]:
        """A function from rows to their shares (1, 1, rows, width) in [0, 1], for a photo of that size."""
        if self.share.shape == (height, width):
            return lambda rows: torch.from_numpy(self.share[rows])[None, None] / 255
        stretched = Stretched(torch.from_numpy(self.share)[None, None] / 255, height, width)
        return lambda rows: stretched[rows]


def own_colors(picture: Picture, config: Config, boxes: Sequence[Box] = ()) -> Own | None:
    """Which part of a photo keeps its own colours; None: none.

    A mask takes precedence. If a person gives other colours, `auto` keeps none: hints are for the photos of a
    page into which they reach. The gray in place of what is missing from a damaged photo always stays.

    Args:
        picture: a photo, or a page of several.
        config: --mask, --keep_color and the flags that give other colours are used.
        boxes: of the photos of a page.
    Raises:
        UserError: --mask or --hints cannot be read, or does not fit the photo.
    """
    own = _asked_for(picture, config, boxes)
    if picture.missing is None:
        return own
    share = np.where(picture.missing, np.uint8(255), 0 if own is None else own.at_size(picture.size))
    return Own(share, own.reason if own else "")


def _asked_for(picture: Picture, config: Config, boxes: Sequence[Box]) -> Own | None:
    """`own_colors` by the flags alone."""
    if config.mask:
        return Own(255 - read_mask(config.mask, picture.size, "--mask", max_pixels=config.max_pixels))
    if config.keep_color == "no":
        return None
    tone_too = config.keep_color == "yes"
    given = None if tone_too else config.hints
    if not tone_too and (config.reference or config.reference_dir or (given and len(boxes) < 2)):
        return None
    if len(boxes) < 2:
        return find_own(picture, tone_too=tone_too)
    hints = read_hints(given, picture.size, max_pixels=config.max_pixels) if given else None
    others = [box for box in boxes if not (hints and hints.reach(box))]
    return _find_own_on_page(picture, others, len(boxes), tone_too=tone_too)


def find_own(picture: Picture, *, tone_too: bool = False) -> Own | None:
    """Detect the parts of a photo that are in colour.

    Args:
        picture: the photo.
        tone_too: any colour counts, also the single hue of a toned print.
    Returns:
        The whole photo; or, if a part of it is gray, the rest, with a soft edge; None: no colour was found.
    """
    photo = picture.preview(_SIDE)
    small = small_lab(photo)
    if not has_color(small) and not (tone_too and not is_gray(photo)):
        return None
    if not gray_part(small).any():
        return Own(np.full((1, 1), 255, np.uint8), "has colours of its own, which stay")
    part = ndimage.gaussian_filter(colored_part(small_lab(photo, _SIDE)).astype(np.float32), _SOFTNESS)
    reason = f"has colours of its own in {part.mean():.0%} of it, which stay"
    return Own((part * 255).round().astype(np.uint8), reason)


def _find_own_on_page(picture: Picture, boxes: Sequence[Box], num: int, *, tone_too: bool) -> Own | None:
    """`find_own` for some of the `num` photos of a page: on toned paper a whole page looks colored."""
    found = {box: own for box in boxes if (own := find_own(picture.crop(_inner(box)), tone_too=tone_too))}
    if not found:
        return None
    if len(found) == num and all(own.is_all for own in found.values()):
        return Own(np.full((1, 1), 255, np.uint8), "has colours of its own, which stay")
    share = np.zeros(picture.pixels.shape[:2], np.uint8)
    for (left, upper, right, lower), own in found.items():
        # The mask found without the margins is stretched over the whole photo, which shifts it by less than
        # its edges are blurred.
        part = Image.fromarray(own.share).resize((right - left, lower - upper), Image.Resampling.BILINEAR)
        share[upper:lower, left:right] = np.asarray(part)
    return Own(share, f"has colours of its own in {len(found)} of its {num} photos, which stay")


def _inner(box: Box) -> Box:
    """A box without its margins, which may show paper."""
    left, upper, right, lower = box
    edge = int(_EDGE * min(right - left, lower - upper))
    return left + edge, upper + edge, right - edge, lower - edge


def read_mask(path: Path, size: tuple[int, int], flag: str, *, max_pixels: int) -> np.ndarray:
    """Read a mask, a gray picture of the photo's size.

    Args:
        path: of the file.
        size: (width, height) of the photo or clip, upright.
        flag: with which the file was given, for errors.
        max_pixels: larger files are refused.
    Returns:
        (H, W) uint8, the gray value of the sRGB codes: 255 where it is white.
    Raises:
        UserError: unreadable, of another size, or transparent.
    """
    picture = load_picture(path, max_pixels=max_pixels)
    check_size(f"{flag}={path}", picture.size, "and what it is for", size)
    if picture.alpha is not None and to_dtype(picture.alpha, "uint8").min() < 255:
        raise UserError(f"{flag}={path} is transparent: fill it with white and black")
    return np.asarray(Image.fromarray(to_dtype(picture.pixels, "uint8")).convert("L"))
