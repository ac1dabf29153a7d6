"""Predicted colours apart from their photo: kept in a small file, and joined to the photo again."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor

from data.color import join, lab_to_rgb, rgb_to_lab
from data.metadata import mark_inferred
from data.originals import FULL, STRIP_PIXELS, Original
from errors import UserError
from files import write_bytes
from inference.upsample import UPSAMPLERS, Rows
from models.state import read_state_and_metadata

_METADATA_KEY = "chroma"


@dataclass(frozen=True)
class Chroma:
    """The colours that a model saw in a photo.

    Attributes:
        ab: (1, 2, h, w) float32 of float16 values, CIELAB units, at the size that the model saw.
        size: (width, height) of the photo.
        by: the program and the weights that inferred them.
    """

    ab: Tensor
    size: tuple[int, int]
    by: str


def save_chroma(path: Path, chroma: Chroma) -> None:
    """Write a file, whole or not at all."""
    about = json.dumps({"size": chroma.size, "by": chroma.by})
    write_bytes(path, safetensors.torch.save({"ab": chroma.ab.half()}, {_METADATA_KEY: about}))


def check_ending(path: Path) -> None:
    """
    Raises:
        UserError: a file of that name would not be read again.
    """
    if path.suffix.lower() != ".safetensors":
        raise UserError(f"--save_chroma={path}: the name must end with .safetensors")


def load_chroma(path: Path) -> Chroma:
    """Read what `save_chroma` wrote.

    Raises:
        UserError: missing, damaged, or something else.
    """
    state, metadata = read_state_and_metadata(path)
    try:
        about = json.loads(metadata[_METADATA_KEY])
        (width, height), ab = about["size"], state["ab"].float()
        if ab.ndim != 4 or ab.shape[:2] != (1, 2) or not ab.numel() or not ab.isfinite().all():
            raise ValueError(ab.shape)
        return Chroma(ab, (int(width), int(height)), str(about["by"]))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no chroma: name a file that --save_chroma wrote") from error


def apply_chroma(original: Original, chroma: Chroma, *, upsample: str, saturation: float) -> Original:
    """Color a photo, at its own size, depth and lightness.

    Args:
        original: the photo.
        chroma: of the same photo.
        upsample: a name of `UPSAMPLERS`.
        saturation: factor of the chroma.
    Raises:
        UserError: the chroma is of a photo of another size.
    """
    width, height = original.size
    if chroma.size != (width, height):
        raise UserError(
            f"the chroma is of a photo of {chroma.size[0]}x{chroma.size[1]}, not {width}x{height}"
        )
    L = lightness_seen(original, (chroma.ab.shape[-1], chroma.ab.shape[-2]))
    colors = UPSAMPLERS[upsample](L, saturation * chroma.ab, height, width)
    pixels = _join_full_size(original.pixels, colors)
    return Original(pixels, original.alpha, mark_inferred(original.metadata, chroma.by))


def without_color(original: Original) -> Original:
    """A photo of the same L* without colour."""

    def nothing(L: Tensor, _: slice) -> Tensor:
        return torch.zeros_like(L).expand(-1, 2, -1, -1)

    return Original(_join_full_size(original.pixels, nothing), original.alpha, original.metadata)


def lightness_seen(original: Original, size: tuple[int, int]) -> Tensor:
    """L* (1, 1, h, w) of a photo resized to (w, h): what a model sees."""
    small = np.array(original.preview(max(size)).resize(size, Image.Resampling.BILINEAR))
    return rgb_to_lab(torch.from_numpy(small).permute(2, 0, 1)[None].float() / FULL["uint8"])[:, :1]


@torch.inference_mode()
def _join_full_size(pixels: np.ndarray, colors: Rows) -> np.ndarray:
    """L* of a photo (H, W, 3), and the colours of each of its rows; in the photo's dtype."""
    height, width = pixels.shape[:2]
    full = FULL[pixels.dtype.name]
    # A float photo keeps its lightness to 1e-3, which takes more digits than float32 has.
    dtype = torch.float64 if pixels.dtype.kind == "f" else torch.float32
    result = np.empty(pixels.shape, pixels.dtype)
    rows = max(1, STRIP_PIXELS // width)
    for top in range(0, height, rows):
        strip = slice(top, min(top + rows, height))
        # torch has few operations for uint16: the conversion is left to numpy.
        values = torch.from_numpy(pixels[strip].astype(np.float64 if dtype == torch.float64 else np.float32))
        L = rgb_to_lab(values.permute(2, 0, 1)[None] / full)[:, :1]
        colored = lab_to_rgb(join(L, colors(L, strip).to(dtype)), gamut="chroma")[0].permute(1, 2, 0)
        if pixels.dtype.kind != "f":
            colored = (colored * full).round()
        result[strip] = colored.numpy().astype(pixels.dtype)
    return result
