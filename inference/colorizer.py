"""The library entry: load a model once, color photos of any size many times."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from config import Config
from data.color import join, lab_to_rgb, rgb_to_lab
from data.photos import load_photo, to_srgb
from device import find_device
from errors import UserError
from inference.upsample import UPSAMPLERS, Rows
from models.checkpoint import Weights, load_weights
from models.shipped import find_weights

# Full-resolution colour maths runs on this many pixels at a time: its dozen temporaries would take
# far more memory than the photo itself.
_STRIP_PIXELS = 2**20
# A panorama is not shown to the model longer than this many times its short side.
_MAX_ASPECT = 4


class Colorizer:
    """A trained model that colors photos at their own resolution, keeping their lightness."""

    def __init__(
        self,
        weights: Weights,
        *,
        image_size: int | None = None,
        resize: str | None = None,
        upsample: str = Config.upsample,
        saturation: float = Config.saturation,
        device: str = "auto",
    ) -> None:
        """
        Args:
            weights: a model and what its file says of it.
            image_size, resize: how the model sees a photo; None: as the weights say, else by the
                defaults of the configuration.
            upsample: how its colours get to the photo's own size, a name of `UPSAMPLERS`.
            saturation: factor of the predicted chroma.
            device: 'auto', 'cpu', 'cuda' or 'mps'.
        Raises:
            UserError: the device is not there.
        """
        self.weights = weights
        self.device = find_device(device)
        self.model = weights.model.to(self.device).eval()
        self.image_size: int = image_size or weights.info.get("image_size", Config.image_size)
        self.resize: str = resize or weights.info.get("resize", Config.resize)
        self.upsample, self.saturation = upsample, saturation

    @classmethod
    def load(cls, weights: str | Path = "model1", **options: Any) -> Colorizer:
        """Load by the name of weights that ship (model1, model1_vivid), or from a weights file.

        Args:
            weights: name or file.
            options: the keywords of the constructor.

        Raises:
            UserError: there is no such file, or it is unreadable.
        """
        path = find_weights(Path(weights), None, "")
        return cls(load_weights(path), **options)

    def __call__(
        self, photo: Image.Image | np.ndarray | str | Path, *, max_pixels: int = Config.max_pixels
    ) -> np.ndarray:
        """Color a photo.

        Args:
            photo: a path, a Pillow image, or an array: sRGB-coded uint8 (H, W, 3) or (H, W). Of its
                colours only the lightness is looked at.
            max_pixels: larger files are refused.
        Returns:
            (H, W, 3) uint8, sRGB, of the photo's own size and lightness; colours beyond sRGB give
            up chroma.
        Raises:
            UserError: the file cannot be read.
        """
        if isinstance(photo, (str, Path)):
            image = load_photo(Path(photo), max_pixels=max_pixels)
        else:
            image = to_srgb(photo if isinstance(photo, Image.Image) else Image.fromarray(photo))
        L, ab = self._look(image)
        colors = UPSAMPLERS[self.upsample](L, self.saturation * ab, image.height, image.width)
        return _join_full_size(np.asarray(image), colors)

    def predict_ab(self, photo: Image.Image) -> Tensor:
        """Predict the colours of an RGB image.

        Returns:
            (1, 2, h, w) float32 on the CPU, CIELAB units, at the size the model saw.
        """
        return self._look(photo)[1]

    @torch.inference_mode()
    def _look(self, photo: Image.Image) -> tuple[Tensor, Tensor]:
        """L* and the predicted ab of a photo, at the size the model saw."""
        small = photo.resize(self._render_size(photo), Image.Resampling.BILINEAR)
        L = rgb_to_lab(_to_float(torch.from_numpy(np.array(small))))[:, :1]
        ab = self.model(L.to(self.device)).float().cpu()
        if not ab.isfinite().all():
            raise UserError(f"weights {self.weights.path} predict no finite colours: train them again")
        return L, ab

    def _render_size(self, photo: Image.Image) -> tuple[int, int]:
        """(width, height) at which the model sees a photo: whole, and shaped as in its training."""
        if self.resize == "squash":
            return self.image_size, self.image_size
        scale = self.image_size / min(photo.size)
        limit = _MAX_ASPECT * self.image_size
        width, height = (min(limit, round(side * scale)) for side in photo.size)
        return width, height


def gray_picture(rgb: np.ndarray) -> np.ndarray:
    """A picture of the same L* without colour: (H, W, 3) uint8 sRGB -> (H, W, 3) uint8 sRGB."""
    return _join_full_size(rgb, lambda L, _: torch.zeros(1, 2, 1, 1).expand(-1, -1, *L.shape[-2:]))


@torch.inference_mode()
def _join_full_size(rgb: np.ndarray, colors: Rows) -> np.ndarray:
    """L* of a photo (H, W, 3), and the colours of each of its rows."""
    height, width = rgb.shape[:2]
    result = np.empty_like(rgb)
    rows = max(1, _STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = slice(top, min(top + rows, height))
        L = rgb_to_lab(_to_float(torch.from_numpy(rgb[strip].copy())))[:, :1]
        colored = lab_to_rgb(join(L, colors(L, strip)), gamut="chroma")[0]
        result[strip] = (colored * 255).round().byte().permute(1, 2, 0).numpy()
    return result


def _to_float(rgb_uint8: Tensor) -> Tensor:
    """(H, W, 3) uint8 -> (1, 3, H, W) float32 in [0, 1]."""
    return rgb_uint8.permute(2, 0, 1)[None].float() / 255
