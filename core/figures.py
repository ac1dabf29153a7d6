"""Progress bars, and figures of training curves and example photos."""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tqdm import tqdm

from core.console import ProgressLines
from core.distributed import world
from core.files import write_bytes
from core.interrupts import held_interrupts

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_GAP, _TITLE, _MIN_COLUMN = 8, 18, 120  # pixels of a montage
_SHARE = 0.97  # share of its grid cell that a picture fills


def progress_bar(name: str, total: int, unit: str = "photo") -> tqdm:
    """A progress bar over `total` units, removed when done; periodic lines if stderr is no terminal."""
    kind = tqdm if sys.stderr.isatty() else ProgressLines
    return kind(total=total, desc=name, unit=unit, leave=False, disable=not world().is_main)


def write_loss_plot(path: Path, history: Sequence[dict[str, Any]]) -> None:
    """Plot loss, validation PSNR and the PSNR of gray photos (the floor) over the epochs.

    Args:
        path: a .png.
        history: rows of history.csv.
    """
    figure = _new_figure(10, 4)
    left, right = figure.subplots(1, 2)
    epochs = [row["epoch"] for row in history]
    for axes, curves in (
        (left, {"train_loss": "training", "val_loss": "validation"}),
        (right, {"val_psnr": "validation", "val_psnr_gray": "no colour at all (floor)"}),
    ):
        for key, label in curves.items():
            axes.plot(epochs, [row[key] for row in history], marker=".", label=label)
        axes.set_xlabel("epoch")
        axes.locator_params(axis="x", integer=True)
        axes.legend()
        axes.grid(alpha=0.3)
    left.set_ylabel("loss")
    right.set_ylabel("PSNR, dB")
    _save(figure, path, dpi=100)


def write_curves(path: Path, curves: Mapping[str, Sequence[float]], label: str) -> None:
    """Plot one curve of a value per epoch for each training.

    Args:
        path: a .png.
        curves: name of the training -> values, from epoch 1 on.
        label: of the values.
    """
    figure = _new_figure(7, 4)
    axes = figure.subplots()
    for name, values in curves.items():
        axes.plot(range(1, len(values) + 1), values, marker=".", label=name)
    axes.set(xlabel="epoch", ylabel=label)
    axes.locator_params(axis="x", integer=True)
    axes.legend()
    axes.grid(alpha=0.3)
    _save(figure, path, dpi=100)


def write_examples(
    path: Path, columns: Sequence[tuple[str, Sequence[np.ndarray]]], titles: Sequence[str]
) -> None:
    """Draw a grid of pictures, one photo per column.

    Args:
        path: a .png.
        columns: (caption, pictures) each, with one (H, W, 3) uint8 picture per title.
        titles: of the rows.
    """
    figure = _new_figure(2 * len(columns), 2.1 * len(titles))
    axes = figure.subplots()  # one for all cells: creating axes takes longer than drawing a picture
    for x, (caption, pictures) in enumerate(columns):
        for y, (_, picture) in enumerate(zip(titles, pictures, strict=True)):
            h, w = (_SHARE / 2 * side / max(picture.shape[:2]) for side in picture.shape[:2])
            axes.imshow(picture, extent=(x - w, x + w, y + h, y - h))
        # Captions are file names, whose $ must not start math markup.
        axes.text(x, -0.5, caption, ha="center", va="bottom", fontsize=7, parse_math=False)
    for y, title in enumerate(titles):
        axes.text(-0.52, y, title, ha="right", va="center", rotation="vertical")
    axes.set(xlim=(-0.5, len(columns) - 0.5), ylim=(len(titles) - 0.5, -0.5))
    axes.set_axis_off()
    _save(figure, path, dpi=110)


def montage(rows: Sequence[Sequence[np.ndarray | None]], titles: Sequence[str]) -> np.ndarray:
    """Put pictures side by side, pixel for pixel, under the titles of their columns.

    Args:
        rows: (H, W, 3) uint8 pictures, one per title; all of a row have the same size, None leaves its cell
            empty.
        titles: of the columns; truncated if too long.
    Returns:
        (H, W, 3) uint8 on white.
    """
    sizes = [next(picture.shape[:2] for picture in row if picture is not None) for row in rows]
    width = max(_MIN_COLUMN, *(w for _, w in sizes)) + _GAP
    font = ImageFont.load_default(_TITLE)
    sheet = Image.new(
        "RGB", (_GAP + width * len(titles), sum(h + _GAP for h, _ in sizes) + 2 * _TITLE), "white"
    )
    draw = ImageDraw.Draw(sheet)
    for column, title in enumerate(titles):
        while font.getlength(title) > width - _GAP:
            title = title.removesuffix("…")[:-1] + "…"
        draw.text((_GAP + column * width + (width - _GAP) // 2, _TITLE), title, "black", font, anchor="mm")
    top = 2 * _TITLE
    for row, (row_height, own_width) in zip(rows, sizes, strict=True):
        for column, picture in enumerate(row):
            if picture is not None:
                left = _GAP + column * width + (width - _GAP - own_width) // 2
                sheet.paste(Image.fromarray(picture), (left, top))
        top += row_height + _GAP
    return np.asarray(sheet)


def _new_figure(width: float, height: float) -> Figure:
    """Create a figure; width and height in inches."""
    from matplotlib.figure import Figure  # a slow import, which progress bars do not need

    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Figure, path: Path, dpi: int) -> None:
    buffer = io.BytesIO()
    with held_interrupts():
        figure.savefig(buffer, format="png", dpi=dpi)
    write_bytes(path, buffer.getvalue())
