"""The library entry: load a model once, color photos of any size many times."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from checkpoint.file import LoadedModel, load_weights
from checkpoint.shipped import DEFAULT, find_weights
from config import VERSION, Config
from core.device import find_device, is_out_of_memory
from core.errors import UserError
from core.files import sha256
from inference.chroma import Chroma, apply_chroma, lightness_seen
from inference.confidence import confidence, most_consistent
from inference.views import mean_over_views
from media.picture import Picture, from_array, from_image, load_picture
from models.layers import STRIDE

log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# A panorama is not shown to the model longer than this many times its short side.
_MAX_ASPECT = 4
# What 'auto' compares, times the size of the training.
_RENDER_SIZES = (1, 0.75, 1.25, 1.5)
# Where memory runs out the model looks at half the size, but at no less than this.
_SMALLEST_SIDE = 32


class Colorizer:
    """A trained model that colors photos at their own resolution, keeping their lightness."""

    def __init__(
        self,
        weights: LoadedModel,
        *,
        image_size: int | None = None,
        resize: str | None = None,
        render_size: str | None = None,
        views: int = Config.views,
        upsample: str = Config.upsample,
        saturation: float = Config.saturation,
        style_image: Path | None = None,
        max_pixels: int = Config.max_pixels,
        device: str = "auto",
    ) -> None:
        """
        Args:
            weights: a model and what its file says of it.
            image_size, resize: how the model sees a photo; None: as the weights say, else by the
                defaults of the configuration.
            render_size: side at which the model looks instead of `image_size`; 'auto' compares several.
            views: of each photo, whose colours are averaged; see `mean_over_views`.
            upsample: how its colours get to the photo's own size, a name of `UPSAMPLERS`.
            saturation: factor of the predicted chroma.
            style_image: another photo in whose style to color, by a model that can.
            max_pixels: that this one may have.
            device: 'auto', 'cpu', 'cuda' or 'mps'.
        Raises:
            UserError: the device is not there, the photo cannot be read, or the model takes no style.
        """
        self.weights = weights
        self.device = find_device(device)
        self.model = weights.model.to(self.device).eval()
        self.image_size: int = image_size or weights.info.get("image_size", Config.image_size)
        self.resize: str = resize or weights.info.get("resize", Config.resize)
        self.render_size, self.views = render_size, views
        # Several threads may share a colorizer, but not every kind of GPU.
        on_cpu = self.device.type == "cpu"
        self._one_at_a_time = contextlib.nullcontext() if on_cpu else threading.Lock()
        self.upsample, self.saturation = upsample, saturation
        self.guide = self._read_style(style_image, max_pixels) if style_image else {}
        self.style_sha256 = sha256(style_image) if style_image else None

    @classmethod
    def load(cls, weights: str | Path = DEFAULT, **options: Any) -> Colorizer:
        """Load by the name of weights that ship (model1, model1_vivid), or from a weights file.

        Args:
            weights: name or file.
            options: the keywords of the constructor.

        Raises:
            UserError: there is no such file, or it is unreadable.
        """
        path = find_weights(Path(weights), None, "")
        return cls(load_weights(path), **options)

    def with_settings(self, **changes: Any) -> Colorizer:
        """The same network with other settings of its model, such as `vividness`; nothing is loaded again.

        Raises:
            UserError: a value out of range.
        """
        other = copy.copy(self)
        other.model = copy.copy(self.model)  # a module's shallow copy shares its parameters
        other.model.settings = dataclasses.replace(self.model.settings, **changes)
        return other

    def __call__(
        self, photo: Image.Image | np.ndarray | str | Path, *, max_pixels: int = Config.max_pixels
    ) -> np.ndarray:
        """Color a photo.

        Args:
            photo: a path, a Pillow image, or an array as `media.picture.from_array` takes it. Of its
                colours only the lightness is looked at.
            max_pixels: larger files are refused.
        Returns:
            (H, W, 3) sRGB of the photo's own size, lightness and depth: uint8, uint16 or float32; colours
            beyond sRGB give up chroma.
        Raises:
            UserError: the file cannot be read.
        """
        if isinstance(photo, (str, Path)):
            original = load_picture(Path(photo), max_pixels=max_pixels)
        elif isinstance(photo, Image.Image):
            original = from_image(photo, "the picture")
        else:
            original = from_array(photo)
        return self.color(original).pixels

    def color(self, original: Picture) -> Picture:
        """Color a photo with all that belongs to it; its metadata then says so."""
        chroma = self.infer(original)
        return apply_chroma(original, chroma, upsample=self.upsample, saturation=self.saturation)

    @torch.inference_mode()
    def infer(self, original: Picture) -> Chroma:
        """The colours of a photo, at the size at which the model sees it.

        Where memory runs out the model looks again at half the size, and a warning says so.

        Raises:
            UserError: the model's colours are not finite, or no size fits into memory.
        """
        ab = self._within_memory(
            lambda sides: mean_over_views(self._predict, self._look(original, sides), self.views)
        )
        if not ab.isfinite().all():
            raise UserError(f"weights {self.weights.path} predict no finite colours: train them again")
        # As a file keeps it, so that colours from a file and from the model are the same bits.
        return Chroma(ab.half().float(), original.size, self.about)

    @torch.inference_mode()
    def confidence(self, original: Picture) -> np.ndarray:
        """How sure the model is of the colours of a photo: (H, W) uint8, 255 is sure.

        As it says itself where it can, else by how far it agrees with itself.
        """
        sure = self._within_memory(lambda sides: self._certainty(self._look(original, sides)))
        small = Image.fromarray((sure[0, 0] * 255).round().byte().numpy())
        return np.asarray(small.resize(original.size, Image.Resampling.BILINEAR))

    def _predict(self, L: Tensor) -> Tensor:
        with self._one_at_a_time:
            return self.model(L.to(self.device), **self.guide).float().cpu()

    def _certainty(self, L: Tensor) -> Tensor:
        with self._one_at_a_time:
            sure = self.model.certainty(L.to(self.device))
        return confidence(self._predict, L) if sure is None else sure.float().cpu()

    def _read_style(self, path: Path, max_pixels: int) -> dict[str, Tensor]:
        if self.model.guide != "style":
            raise UserError(f"--style_image: {self.weights.name} takes no style from a photo: leave it out")
        original = load_picture(path, max_pixels=max_pixels)
        L = lightness_seen(original, self._shape(original.size, self.image_size))
        return {"style": L.to(self.device)}

    def _within_memory(self, use: Callable[[list[int]], Answer]) -> Answer:
        """`use` of the sides at which the model may look; of half of them where memory runs out."""
        sides = self._sides()
        while True:
            try:
                return use(sides)
            except (MemoryError, RuntimeError) as error:
                if not is_out_of_memory(error):
                    raise
            # Not within `except`: the error holds on to the memory that ran out.
            smaller = [side // 2 for side in sides]
            if min(smaller) < _SMALLEST_SIDE:
                raise UserError(
                    f"out of memory even at {max(sides)} pixels: free memory, or use another --device"
                )
            log.warning("out of memory at %d pixels: the model looks at %d instead", max(sides), max(smaller))
            sides = smaller

    def _sides(self) -> list[int]:
        """At which the model looks at a photo; of several the most consistent."""
        if self.render_size != "auto":
            return [int(self.render_size or self.image_size)]
        sides = [max(STRIDE, round(self.image_size * f / STRIDE) * STRIDE) for f in _RENDER_SIZES]
        return list(dict.fromkeys(sides))  # no size twice: it would agree with itself

    def _look(self, original: Picture, sides: list[int]) -> Tensor:
        """L* of a photo at the size at which the model sees it."""
        views = [lightness_seen(original, self._shape(original.size, side)) for side in sides]
        return views[most_consistent(self._predict, views) if len(views) > 1 else 0]

    @property
    def about(self) -> str:
        """The program and the weights."""
        return f"colorizer {VERSION}, {self.weights.name}, weights sha256 {self.weights.sha256[:16]}"

    @property
    def settings(self) -> dict[str, Any]:
        """All that the colours depend on besides the photo and the weights, as JSON values."""
        names = ("image_size", "resize", "render_size", "views", "upsample", "saturation", "style_sha256")
        return {**{name: getattr(self, name) for name in names}, "model": vars(self.model.settings)}

    def _shape(self, size: tuple[int, int], side: int) -> tuple[int, int]:
        """(width, height) at which the model sees a photo: whole, and shaped as in its training."""
        if self.resize == "squash":
            return side, side
        scale = side / min(size)
        limit = _MAX_ASPECT * side
        width, height = (min(limit, round(length * scale)) for length in size)
        return width, height
