"""The predict mode: color one photo at its own resolution."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from config import Config
from data.photos import load_photo, photo_format, save_photo
from errors import UserError
from inference.colorizer import Colorizer, gray_picture
from inference.weights import choose_weights, describe

__all__ = ["Colorizer", "run"]


def run(config: Config) -> int:
    """Color --image_path and write the picture.

    Raises:
        UserError: no photo, no weights, or a place that cannot or must not be written.
    """
    if config.image_path is None:
        raise UserError("--mode=predict needs a photo: --image_path=FILE")
    output = _output_path(config, config.image_path)
    photo = load_photo(config.image_path, max_pixels=config.max_pixels)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        print(f"would write {output} ({photo.width}x{photo.height})")
        return 0
    colorizer = Colorizer(weights, image_size=config.image_size, resize=config.resize, device=config.device)
    picture = colorizer(photo)
    if config.side_by_side:
        picture = np.concatenate((gray_picture(np.asarray(photo)), picture), axis=1)
    save_photo(output, picture)
    print(output)
    return 0


def _output_path(config: Config, image_path: Path) -> Path:
    """Where the picture goes, checked before any work is done."""
    if not image_path.name:
        raise UserError(f"--image_path={image_path} is a folder, not a photo: name a photo")
    path = config.output_path or image_path.with_name(f"{image_path.stem}_colorized.png")
    photo_format(path)
    if path.exists() and image_path.exists() and path.samefile(image_path):
        raise UserError(f"--output_path={path} is the photo itself: name another")
    if path.exists() and not config.overwrite:
        raise UserError(f"{path} exists: add --overwrite, or name another with --output_path")
    return path
