"""Where a prediction writes, checked before any work is done."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from config import Config
from core.errors import UserError
from inference.chroma import check_ending
from inference.painter import targets_of
from inference.variants import written
from media.decode import photo_format
from media.encode import ANIMATED
from media.pages import Pages
from models.registry import WITHOUT_WEIGHTS


def check_outputs(config: Config, photo: Path, pages: Pages) -> Path:
    """Where the picture goes; what would be written is checked before any work is done."""
    ending = ".tif" if pages.num > 1 and not pages.is_animation else ".png"
    output = config.output_path or photo.with_name(f"{photo.stem}_colorized{ending}")
    if photo_format(output) not in ANIMATED and pages.is_animation:
        raise UserError(f"{photo} is an animation, which {output} cannot hold: use .png, .webp or .gif")
    for flag in ("save_chroma", "save_confidence", "apply_chroma", "hints", "mask"):
        if pages.num > 1 and getattr(config, flag):
            raise UserError(f"--{flag} is for one picture, and {photo} holds {pages.num}: leave it out")
    if config.save_confidence:
        photo_format(config.save_confidence)
    if config.save_chroma:
        check_ending(config.save_chroma)
    modelless = "--apply_chroma" if config.apply_chroma else f"--model={config.model}"
    names = ("save_chroma", "save_confidence", "samples", "sample_seed", "prompt")
    asks = {name: getattr(config, name) for name in names}
    asks["render_size"] = config.render_sizes or None
    for flag, asked in asks.items():
        if (config.apply_chroma or config.model in WITHOUT_WEIGHTS) and asked is not None:
            raise UserError(f"{modelless} takes no model: leave --{flag} out")
    if config.blend and (config.samples or config.model in WITHOUT_WEIGHTS):
        alone = "--samples" if config.samples else modelless
        raise UserError(f"--blend mixes the colours of two models, which {alone} has not: leave it out")
    targets = targets_of(output, pages)
    for target in targets[1:]:
        check_free(config, {"output_path": target}, {photo.resolve(): "the photo itself"})
    flags = {
        "output_path": targets[0],
        "save_chroma": config.save_chroma,
        "save_confidence": config.save_confidence,
    }
    taken = {photo.resolve(): "the photo itself"}
    if config.weights:
        taken[config.weights.resolve()] = "the file of the weights"
    if config.apply_chroma:
        taken[config.apply_chroma.resolve()] = "the file of the chroma"
    if config.hints:
        taken[config.hints.resolve()] = "the file of the hints"
    if config.mask:
        taken[config.mask.resolve()] = "the file of the mask"
    for path in written(config, output):
        check_free(config, flags | {"output_path": path}, dict(taken))
    return output


def check_free(config: Config, flags: Mapping[str, Path | None], taken: dict[Path, str]) -> None:
    """
    Raises:
        UserError: one of the files to write is one of those that are taken, or there already.
    """
    for flag, path in flags.items():
        if path is None:
            continue
        if path.resolve() in taken:
            raise UserError(f"--{flag}={path} is {taken[path.resolve()]}: name another")
        if path.is_dir():
            raise UserError(f"{path} is a folder: name a file with --{flag}")
        if path.exists() and not config.overwrite:
            raise UserError(f"{path} exists: add --overwrite, or name another with --{flag}")
        taken[path.resolve()] = f"that of --{flag} too"
