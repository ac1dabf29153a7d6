"""The output files of a prediction, and which flags can be combined: checked before any work is done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from config import Config
from core.errors import UserError
from inference.chroma import check_place
from media.decode import photo_format
from media.encode import ANIMATED
from media.pages import Pages
from models.registry import WITHOUT_WEIGHTS

_ONE_PICTURE = ("save_chroma", "save_confidence", "apply_chroma", "hints", "mask")
# Not --weights: a command to which --apply_chroma is added may name those that the colours are from.
_OF_MODELS = (
    *("save_chroma", "save_confidence", "samples", "sample_seed", "prompt"),
    *("image_size", "resize", "render_size", "views"),
)
_READ = ("weights", "apply_chroma", "hints", "mask", "reference")


def output_of(config: Config, photo: Path, pages: Pages) -> Path:
    """The picture to write.

    Raises:
        UserError: its format cannot hold what is in the photo's file.
    """
    ending = ".tif" if pages.num > 1 and not pages.is_animation else ".png"
    output = config.output_path or photo.with_name(f"{photo.stem}_colorized{ending}")
    if pages.is_animation and photo_format(output) not in ANIMATED:
        raise UserError(f"{photo} is an animation, which {output} cannot hold: use .png, .webp or .gif")
    return output


def targets_of(target: Path, pages: Pages) -> list[Path]:
    """The files to write: one per page if the format holds one picture only."""
    if pages.num == 1 or pages.is_animation or photo_format(target) == "TIFF":
        return [target]
    digits = len(str(pages.num))
    numbers = range(1, pages.num + 1)
    return [target.with_name(f"{target.stem}_{number:0{digits}}{target.suffix}") for number in numbers]


def check_flags(config: Config, photo: Path, pages: Pages) -> None:
    """
    Raises:
        UserError: a flag does not apply to what is in the photo's file, or to what colors it.
    """
    for flag in _ONE_PICTURE:
        if pages.num > 1 and getattr(config, flag):
            raise UserError(f"--{flag} is for one picture, and {photo} holds {pages.num}: leave it out")
    if config.save_confidence:
        photo_format(config.save_confidence)
    if config.save_chroma:
        check_place(config.save_chroma)
    check_model_flags(config)


def check_model_flags(config: Config) -> None:
    """
    Raises:
        UserError: a flag is for a model, for two or for a reference, and there is none.
    """
    if config.apply_chroma or config.model in WITHOUT_WEIGHTS:
        _check_without_model(config)
    if config.blend and (config.samples or config.model in WITHOUT_WEIGHTS):
        alone = "--samples" if config.samples else _stands_for_model(config)
        raise UserError(f"--blend mixes the colours of two models, which {alone} has not: leave it out")
    if "matching" in config.given and not (config.reference or config.reference_dir):
        raise UserError("--matching is for a reference: name one with --reference, or leave --matching out")


def check_places(config: Config, photo: Path, targets: Sequence[Path]) -> None:
    """
    Args:
        config: of the prediction; the other files that it reads or writes are checked too.
        photo: its file.
        targets: all pictures to write.
    Raises:
        UserError: a file to write exists already, or is one that is read.
    """
    taken = {photo.resolve(): "the photo itself"}
    if config.blend:  # weights or colours, and a share or a mask
        taken |= {Path(part).resolve(): "a file of the blend" for part in config.blend.rsplit(":", 1)}
    if config.reference_dir:
        taken |= {path.resolve(): "one of the references" for path in config.reference_dir.rglob("*")}
    for flag in _READ:
        if path := getattr(config, flag):
            taken[path.resolve()] = f"the file of the {flag.removeprefix('apply_')}"
    besides = {flag: getattr(config, flag) for flag in ("save_chroma", "save_confidence")}
    for target in targets:
        check_free(config, {"output_path": target, **besides}, dict(taken))


def check_free(config: Config, flags: Mapping[str, Path | None], taken: dict[Path, str]) -> None:
    """
    Raises:
        UserError: a file to write is one of `taken`, or exists already.
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


def _check_without_model(config: Config) -> None:
    weights = () if config.apply_chroma else ("weights",)
    for flag in (*_OF_MODELS, *weights, *config.model_settings):
        if flag in config.given or flag in config.model_settings:
            raise UserError(f"{_stands_for_model(config)} takes no model: leave --{flag} out")


def _stands_for_model(config: Config) -> str:
    return "--apply_chroma" if config.apply_chroma else f"--model={config.model}"
