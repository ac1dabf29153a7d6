"""The predict mode: color a photo, or the photos of a folder, at their own resolution."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from config import Config
from data.originals import Original, beside, from_array, load_original
from data.photos import photo_format
from data.saving import save_original
from distributed import world
from errors import UserError
from inference.chroma import Chroma, apply_chroma, load_chroma, save_chroma, without_color
from inference.colorizer import Colorizer
from inference.folder import color_folder, default_output, photos_to_color, write_report
from inference.weights import choose_weights, describe
from models.checkpoint import Weights

__all__ = ["Colorizer", "run"]


def run(config: Config) -> int:
    """Color --image_path, a photo or a folder of photos, and write the pictures.

    Returns:
        0; 1 when some photos of a folder could not be read.
    Raises:
        UserError: no photo, no weights, or a place that cannot or must not be written.
    """
    if config.image_path is None:
        raise UserError("--mode=predict needs a photo, --image_path=FILE, or a folder of them")
    if config.image_path.is_dir():
        return _run_folder(config, config.image_path)
    if config.output_dir or config.recursive:
        raise UserError(f"--output_dir and --recursive are for folders, and {config.image_path} is none")
    output = _output_path(config, config.image_path)
    for path in (config.save_chroma, config.save_confidence):
        _check_free(path, config)
    original = load_original(config.image_path, max_pixels=config.max_pixels)
    if config.apply_chroma:
        return _apply(config, config.apply_chroma, original, output)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        height, width = original.pixels.shape[:2]
        print(f"would write {output} ({width}x{height})")
        return 0
    if not world().is_main:  # there is nothing to share
        return 0
    colorizer = _load(config, weights)
    chroma = colorizer.infer(original)
    _write(config, original, chroma, output)
    if config.save_chroma:
        save_chroma(config.save_chroma, chroma)
        print(config.save_chroma)
    if config.save_confidence:
        sure = colorizer.confidence(original)
        save_original(config.save_confidence, from_array(sure), quality=config.quality)
        print(config.save_confidence)
    return 0


def _apply(config: Config, path: Path, original: Original, output: Path) -> int:
    """Color with what an earlier prediction kept; no model is loaded."""
    chroma = load_chroma(path)
    if world().is_main and not config.dry_run:
        _write(config, original, chroma, output)
    return 0


def _write(config: Config, original: Original, chroma: Chroma, output: Path) -> None:
    colored = apply_chroma(original, chroma, upsample=config.upsample, saturation=config.saturation)
    if config.side_by_side:
        colored = beside(without_color(original), colored)
    save_original(output, colored, quality=config.quality)
    print(output)


def _run_folder(config: Config, folder: Path) -> int:
    if config.output_path:
        raise UserError(f"--output_path is for one photo, and {folder} is a folder: use --output_dir")
    for flag in ("save_chroma", "apply_chroma", "save_confidence"):
        if getattr(config, flag):
            raise UserError(f"--{flag} is for one photo, and {folder} is a folder: leave it out")
    output = config.output_dir or default_output(folder)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        num = len(photos_to_color(folder, output, recursive=config.recursive))
        print(f"would write {num} pictures to {output}")
        return 0
    colorizer = _load(config, weights)

    def colorize(path: Path) -> Original:
        original = load_original(path, max_pixels=config.max_pixels)
        colored = colorizer.color(original)
        return beside(without_color(original), colored) if config.side_by_side else colored

    results = color_folder(
        colorize,
        folder,
        output,
        recursive=config.recursive,
        overwrite=config.overwrite,
        quality=config.quality,
    )
    if not world().is_main:  # the exit code of one says it for all, when all is written
        return 0
    counts = Counter(result.status for result in results)
    write_report(output, results)
    print(f"{output}: " + ", ".join(f"{counts[s]} {s}" for s in ("colored", "skipped", "failed")))
    return 1 if counts["failed"] else 0


def _load(config: Config, weights: Weights) -> Colorizer:
    return Colorizer(
        weights,
        image_size=config.image_size,
        resize=config.resize,
        render_size=config.render_size,
        upsample=config.upsample,
        saturation=config.saturation,
        device=config.device,
    )


def _output_path(config: Config, image_path: Path) -> Path:
    """Where the picture goes, checked before any work is done."""
    path = config.output_path or image_path.with_name(f"{image_path.stem}_colorized.png")
    photo_format(path)
    if path.exists() and image_path.exists() and path.samefile(image_path):
        raise UserError(f"--output_path={path} is the photo itself: name another")
    _check_free(path, config)
    return path


def _check_free(path: Path | None, config: Config) -> None:
    if path is not None and path.exists() and not config.overwrite:
        raise UserError(f"{path} exists: add --overwrite, or name another")
