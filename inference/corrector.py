"""Correct a photo's colours by a person's hints and references, or color it by these alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from config import VERSION, Config
from core.errors import UserError
from core.remarks import remark
from inference.borders import boxes_to_show, fill_boxes
from inference.chroma import Chroma
from inference.colorizer import Colorizer
from inference.guidance import Guidance
from inference.hints import Hints, read_hints
from inference.model_view import lightness_seen
from inference.reference import Reference, cosine_features, encoder_features, has_colors, palette
from inference.retrieval import Gallery
from inference.shipped_encoder import shipped_encoder
from inference.solve import spread
from inference.upsample import guided_filter
from media.picture import Box, Picture, load_picture
from models.registry import WITHOUT_WEIGHTS

SOLVED_PIXELS = 2**18
"""A larger photo is shrunk to so many pixels for the solve; `inference.upsample` enlarges the colours."""

Scribbler = Callable[[Picture, int, int], Tensor]
"""(photo, height, width) -> hints (1, 3, height, width)."""


@torch.inference_mode()
def with_hints(
    original: Picture,
    chroma: Chroma | None = None,
    *,
    hints: Hints | None = None,
    scribbler: Scribbler | None = None,
    boxes: Sequence[Box] = (),
    max_pixels: int = SOLVED_PIXELS,
) -> Chroma:
    """Spread given colours over a photo, or over each photo of a page alone, within its borders.

    If a person gives a hint outside of all photos, the picture is taken for one photo without borders.

    Args:
        original: the photo.
        chroma: a model's colours for the photo, which the given colours correct at and around their places;
            None: the photo is colored by the given colours alone, as in Levin et al. 2004.
        hints: for this photo; their a* and b* are met exactly at the size of the solve.
        scribbler: gives colours for further places, such as `Reference.scribbles`.
        boxes: of the photos, as of `boxes_to_show`; with `chroma` its own are used.
        max_pixels: of the solve; its time is proportional to this, so that fewer serve for a preview.
    Returns:
        Colours at the size of the solve: that of the photo, or smaller.
    """
    width, height = solve_size(original.size, max_pixels)
    L = lightness_seen(original, (width, height))
    given = torch.zeros(1, 3, height, width) if scribbler is None else scribbler(original, height, width)
    drawn = torch.zeros_like(given) if hints is None else hints.at(height, width)
    given = torch.where(drawn[:, 2:] > 0, drawn, given)
    ab, by = None, f"colorizer {VERSION}, colours given by hand or by another photo"
    if chroma is not None:
        seen = chroma.L
        if seen is None:
            seen = lightness_seen(original, (chroma.ab.shape[-1], chroma.ab.shape[-2]))
        ab = guided_filter(seen, chroma.ab, height, width)(L, slice(0, height))
        by = f"{chroma.by}, corrected by hand or by another photo"
        boxes = chroma.boxes
    whole = Chroma(torch.zeros(1, 2, height, width), original.size, by, L, tuple(boxes))
    places = [(..., *whole.cells(box)) for box in boxes]
    if not places or _is_any_beside(drawn, places):
        return replace(whole, ab=spread(L, given, ab).half().float())
    return fill_boxes(
        original, whole, [spread(L[p], given[p], None if ab is None else ab[p]) for p in places]
    )


def _is_any_beside(drawn: Tensor, places: Sequence[Any]) -> bool:
    """Whether a stroke or a dot lies outside of all places, and does not only reach over their edges."""
    strokes, num = ndimage.label(drawn[0, 2].numpy(), structure=np.ones((3, 3)))
    within = {int(stroke) for place in places for stroke in np.unique(strokes[place])}
    return len(within - {0}) < num


class Corrector:
    """What a person gives beside photos: passed to a model that takes it, else spread over its colours."""

    def __init__(self, config: Config, accepts: frozenset[str] = frozenset()) -> None:
        """
        Args:
            config: --hints, --reference, --reference_dir, --matching, --page and --saturation are used.
            accepts: what the model takes itself, names of fields of `Inputs`.
        Raises:
            UserError: a reference cannot be read or has no colour, or as for `check_given`.
        """
        check_given(config, accepts)
        self._hints, self._accepts = config.hints, accepts
        self._saturation, self._max_pixels, self._page = config.saturation, config.max_pixels, config.page
        self._find: Callable[[Picture, Path], Scribbler] | None = None
        if (config.reference and "reference" not in accepts) or config.reference_dir:
            self._find = _find_scribbler(config)

    def guidance(self, colorizer: Colorizer, original: Picture) -> Guidance:
        """The guidance for the model on a photo: the colorizer's, and the hints if the model takes them."""
        if not self._hints or "hints" not in self._accepts:
            return colorizer.guidance
        return replace(colorizer.guidance, hints=self._hints_for(original))

    @property
    def remaining_saturation(self) -> float:
        """The factor still to be applied to the chroma; 1 if a person gives colours, which are kept."""
        return 1.0 if self._gives_colors else self._saturation

    @property
    def _gives_colors(self) -> bool:
        return bool(self._hints) or self._find is not None

    def __call__(self, original: Picture, chroma: Chroma | None, photo: Path) -> Chroma:
        """The colours of a photo, before `saturation` is applied; with --reference_dir a remark says whose.

        Args:
            original: the photo.
            chroma: the model's colours, if there is one.
            photo: its file.
        Raises:
            UserError: the hints do not fit the photo.
        """
        if not self._gives_colors:
            assert chroma is not None  # by `check_given`
            return chroma
        hints = self._hints_for(original)
        if chroma is not None:
            chroma = replace(chroma, ab=self._saturation * chroma.ab)
        boxes = boxes_to_show(original, self._page) if chroma is None else ()
        scribbler = self._find and self._find(original, photo)
        return with_hints(original, chroma, hints=hints, scribbler=scribbler, boxes=boxes)

    def _hints_for(self, original: Picture) -> Hints | None:
        if self._hints is None:
            return None
        return read_hints(self._hints, original.size, max_pixels=self._max_pixels)


def check_given(config: Config, accepts: frozenset[str] = frozenset()) -> None:
    """
    Args:
        config: as in `Corrector`.
        accepts: as in `Corrector`.
    Raises:
        UserError: there is neither a model nor anything else to color by, or the model takes the reference
            itself, so that nothing is matched.
    """
    if "matching" in config.given and config.reference and "reference" in accepts:
        raise UserError(f"--matching: {config.model} takes the style of the reference instead: leave it out")
    given = config.hints or config.reference or config.reference_dir or config.apply_chroma
    if config.model in WITHOUT_WEIGHTS and not given:
        raise UserError(f"--model={config.model} needs colours: --hints=FILE or --reference=PHOTO")


def _find_scribbler(config: Config) -> Callable[[Picture, Path], Scribbler]:
    """Photo and its file -> a scribbler of its reference, whose colours are matched as --matching says."""
    encoder = shipped_encoder() if config.matching == "encoder" or config.reference_dir else None
    features = cosine_features if encoder is None or config.matching == "dct" else encoder_features(encoder)

    def learn(path: Path) -> Scribbler:
        picture = load_picture(path, max_pixels=config.max_pixels)
        if path == config.reference and not has_colors(picture):
            raise UserError(f"--reference={path} is gray: name a photo in colour, whose colours can be taken")
        if config.matching == "palette":
            return partial(palette, picture)
        return Reference(picture, features).scribbles

    if config.reference:
        scribbler = learn(config.reference)
        return lambda _, __: scribbler
    assert config.reference_dir is not None
    assert encoder is not None
    gallery = Gallery(config.reference_dir, encoder, max_pixels=config.max_pixels)

    def find(original: Picture, photo: Path) -> Scribbler:
        nearest = gallery.nearest(original)
        told = f"takes the colours of {nearest}"
        remark(f"{photo} {told}; --reference=PHOTO names another", told)
        return learn(nearest)

    return find


def solve_size(size: tuple[int, int], max_pixels: int) -> tuple[int, int]:
    """(width, height) of a photo, scaled down to at most `max_pixels`."""
    scale = min(1.0, math.sqrt(max_pixels / (size[0] * size[1])))
    width, height = (max(1, int(scale * length)) for length in size)
    return width, height
