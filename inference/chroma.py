"""The colours predicted for a photo, a* and b*: saved in a small file, and applied to the photo."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import safetensors.torch
import torch
from torch import Tensor

from checkpoint.state_dict import read_state_and_metadata
from core.errors import UserError
from core.files import write_bytes
from data.color import join, lab_to_rgb, lightness, rgb_to_lab
from inference.model_view import lightness_seen
from inference.own_color import Own
from inference.upsample import UPSAMPLERS, Rows
from media.metadata import mark_inferred
from media.picture import WHITE_LEVEL, Box, Picture, check_size

_METADATA_KEY = "chroma"
# Pixels per strip: small enough that each operation finds the result of the last one in the CPU's cache.
_CACHED_PIXELS = 2**17


@dataclass(frozen=True)
class Chroma:
    """The colours (a*, b*) of a photo: predicted, and perhaps corrected by a person.

    Attributes:
        ab: (1, 2, h, w) float32 of float16 values, CIELAB units, at the size that the model saw, or at
            which given colours were spread.
        size: (width, height) of the photo.
        by: the program, and the weights or whatever else the colours are from.
        L: (1, 1, h, w) float32, the photo's lightness at the size of `ab`; None if it was not kept.
        boxes: of the photos that the model was shown separately: the one within its borders, or those of a
            page; outside of them there is no colour, unless a person gave some. (): none were searched for.
    """

    ab: Tensor
    size: tuple[int, int]
    by: str
    L: Tensor | None = None
    boxes: tuple[Box, ...] = ()

    def cells(self, box: Box) -> tuple[slice, slice]:
        """The rows and columns of `ab` and `L` that belong to a box of the photo."""
        down, across = (n / length for n, length in zip(self.ab.shape[-2:], self.size[::-1], strict=True))
        left, upper, right, lower = box
        y, x = round(upper * down), round(left * across)
        h, w = max(1, round((lower - upper) * down)), max(1, round((right - left) * across))
        return slice(y, y + h), slice(x, x + w)

    def resized(self, size: tuple[int, int]) -> Chroma:
        """The same colours for a copy of the photo of another `size`, (width, height)."""
        factors = [new / old for new, old in zip(2 * size, 2 * self.size, strict=True)]
        boxes = [tuple(round(f * x) for f, x in zip(factors, box, strict=True)) for box in self.boxes]
        return replace(self, size=size, boxes=cast(tuple[Box, ...], tuple(boxes)))


def save_chroma(path: Path, chroma: Chroma, *, with_lightness: bool = False) -> None:
    """Write colours to a file, atomically.

    Args:
        path: of the file.
        chroma: the colours.
        with_lightness: write `L` too, where the photo does not tell it: the model saw it without its screen.
    """
    about = json.dumps({"size": chroma.size, "by": chroma.by, "boxes": chroma.boxes})
    state = {"ab": chroma.ab.half()}
    if with_lightness and chroma.L is not None:
        state["L"] = chroma.L.contiguous()
    write_bytes(path, safetensors.torch.save(state, {_METADATA_KEY: about}))


def check_place(path: Path) -> None:
    """Check the place of a file for `save_chroma` to write.

    Raises:
        UserError: the ending is not .safetensors, so that it would not be read again; or another file with
            that ending is there, such as weights, which --overwrite would destroy.
    """
    if path.suffix.lower() != ".safetensors":
        raise UserError(f"--save_chroma={path}: the name must end with .safetensors")
    if path.is_file() and not _holds_chroma(path):
        raise UserError(f"--save_chroma={path} is there and holds no chroma: name another")


def _holds_chroma(path: Path) -> bool:
    try:
        return _METADATA_KEY in read_state_and_metadata(path)[1]
    except UserError:
        return False


def load_chroma(path: Path) -> Chroma:
    """Read what `save_chroma` wrote.

    Raises:
        UserError: the file is missing, damaged, or not one of colours.
    """
    state, metadata = read_state_and_metadata(path)
    try:
        about = json.loads(metadata[_METADATA_KEY])
        (width, height), ab, L = about["size"], state["ab"].float(), state.get("L")
        if ab.ndim != 4 or ab.shape[:2] != (1, 2) or not ab.numel() or not ab.isfinite().all():
            raise ValueError(ab.shape)
        if L is not None and (L.shape != ab[:, :1].shape or not L.isfinite().all()):
            raise ValueError(L.shape)
        boxes = [(int(x0), int(y0), int(x1), int(y1)) for x0, y0, x1, y1 in about.get("boxes", ())]
        return Chroma(ab, (int(width), int(height)), str(about["by"]), L, boxes=tuple(boxes))
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} holds no chroma: name a file that --save_chroma wrote") from error


def apply_chroma(
    original: Picture, chroma: Chroma, *, upsample: str, saturation: float, own: Own | None = None
) -> Picture:
    """Apply colours to a photo; its size, depth and lightness stay the same.

    Args:
        original: the photo.
        chroma: colours for the same photo.
        upsample: a name of `UPSAMPLERS`.
        saturation: factor of the chroma.
        own: where the photo keeps its own colours, bit for bit; None: nowhere.
    Raises:
        UserError: the colours are for a photo of another size.
    """
    width, height = original.size
    check_size("the photo of the chroma", chroma.size, "the one to color", original.size)
    L = chroma.L
    if L is None:
        L = lightness_seen(original, (chroma.ab.shape[-1], chroma.ab.shape[-2]))
    colors = UPSAMPLERS[upsample](L, saturation * chroma.ab, height, width)
    pixels = _join_full_size(original.pixels, colors, own)
    metadata = original.metadata if own and own.is_all else mark_inferred(original.metadata, chroma.by)
    return Picture(pixels, original.alpha, metadata)


def without_color(original: Picture) -> Picture:
    """A gray photo of the same L*."""

    def nothing(L: Tensor, _: slice) -> Tensor:
        return torch.zeros_like(L).expand(-1, 2, -1, -1)

    return Picture(_join_full_size(original.pixels, nothing), original.alpha, original.metadata)


def _join_full_size(pixels: np.ndarray, colors: Rows, own: Own | None = None) -> np.ndarray:
    """Join L* of a photo (H, W, 3) with new colours, except where it keeps its own; in the photo's dtype."""
    height, width = pixels.shape[:2]
    full = WHITE_LEVEL[pixels.dtype.name]
    # The L* of a float photo is kept to 1e-3, for which float32 is not precise enough.
    dtype = torch.float64 if pixels.dtype.kind == "f" else torch.float32
    result = np.empty(pixels.shape, pixels.dtype)
    shares = own.rows(height, width) if own else None

    @torch.inference_mode()
    def join_strip(strip: slice) -> None:
        planes = _planes(pixels[strip]).to(dtype).div_(full)
        L = lightness(planes)
        ab = colors(L, strip).to(dtype)
        if shares:
            share = shares(strip).to(dtype)
            ab = ab.lerp(rgb_to_lab(planes.expand(-1, 3, -1, -1))[:, 1:], share)
        colored = lab_to_rgb(join(L, ab), gamut="chroma")[0]
        if pixels.dtype.kind != "f":
            colored = colored.mul_(full).round_()
        torch.from_numpy(result)[strip].permute(2, 0, 1).copy_(colored)
        if shares:
            is_own = share[0, 0].numpy() == 1
            result[strip][is_own] = pixels[strip][is_own]

    rows = max(1, _CACHED_PIXELS // width)
    _on_all_cores(join_strip, [slice(top, min(top + rows, height)) for top in range(0, height, rows)])
    return result


def _on_all_cores(work: Callable[[slice], None], strips: Sequence[slice]) -> None:
    """Process strips in parallel, each on one core.

    Splitting each operation among all cores instead would make them wait for each other hundreds of times
    per second, which costs more than it gains on a machine that has other work to do.
    """
    num_threads = torch.get_num_threads()
    if num_threads == 1 or len(strips) == 1:  # as within a folder, whose photos share the cores already
        for strip in strips:
            work(strip)
        return
    try:
        with ThreadPoolExecutor(num_threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in pool.map(work, strips):  # re-raises exceptions
                pass
    finally:
        torch.set_num_threads(num_threads)  # the number for threads started later


def _planes(pixels: np.ndarray) -> Tensor:
    """(H, W, 3) -> (1, 3, H, W), or (1, 1, H, W) if it is gray."""
    is_gray = (pixels[..., 0] == pixels[..., 1]).all() and (pixels[..., 1] == pixels[..., 2]).all()
    channels = pixels[..., :1] if is_gray else pixels
    return torch.from_numpy(np.array(channels.transpose(2, 0, 1), order="C"))[None]
