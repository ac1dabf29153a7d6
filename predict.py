"""The predict mode: color a photo, a clip, or what is in a folder, at its own resolution."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.distributed import world
from core.errors import UserError
from core.settings import check_kind
from inference.chroma import (
    Chroma,
    apply_chroma,
    check_ending,
    load_chroma,
    save_chroma,
    without_color,
)
from inference.colorizer import Colorizer
from inference.folder import Result, color_folder, default_output, photos_to_color, write_report
from inference.guided import Guide
from inference.weights import choose_weights, describe
from media.clip import is_clip, open_clip
from media.decode import photo_format
from media.encode import save_picture
from media.encode_clip import check_container, endings_for
from media.ffmpeg import pyav
from media.picture import Picture, beside, from_array, load_picture
from models.registry import WITHOUT_WEIGHTS
from video.color_clip import color_clip
from video.color_clips import clips_to_color, color_clips

__all__ = ["Colorizer", "run"]


def run(config: Config) -> int:
    """Color --image_path, a photo, a clip or a folder of them, and write what comes out.

    Returns:
        0; 1 when some photos or clips of a folder could not be read.
    Raises:
        UserError: no photo or clip, no weights, or a place that cannot or must not be written.
    """
    if config.image_path is None:
        raise UserError("--mode=predict needs a photo, --image_path=FILE, or a folder of them")
    if config.image_path.is_dir():
        return _run_folder(config, config.image_path)
    if is_clip(config.image_path):
        return _run_clip(config, config.image_path)
    check_kind(config, "photo", config.image_path)
    output = _check_outputs(config, config.image_path)
    original = load_picture(config.image_path, max_pixels=config.max_pixels)
    if config.apply_chroma or config.model in WITHOUT_WEIGHTS:
        return _color_without_model(config, original, output)
    weights, config = choose_weights(config)
    guide = Guide(config, weights.model.accepts)
    if config.dry_run:
        print(describe(config, weights.model))
        print("would write {} ({}x{})".format(output, *original.size))
        return 0
    if not world().is_main:  # there is nothing to share
        return 0
    colorizer = Colorizer.from_config(config, weights)
    chroma = guide.look(colorizer, original)
    if config.save_confidence:
        sure = colorizer.confidence(original, chroma)
        save_picture(config.save_confidence, from_array(sure), quality=config.quality)
        print(config.save_confidence)
        del sure
    chroma = guide(original, chroma)
    if config.save_chroma:
        save_chroma(config.save_chroma, chroma)
        print(config.save_chroma)
    colored = _finish(config, original, chroma)
    del original  # encoding takes memory of its own
    save_picture(output, colored, quality=config.quality)
    print(output)
    return 0


def _color_without_model(config: Config, original: Picture, output: Path) -> int:
    """Color with what an earlier prediction kept, or with what a person gives alone."""
    chroma = load_chroma(config.apply_chroma) if config.apply_chroma else None
    guided = Guide(config)(original, chroma)
    if config.dry_run:
        print("would write {} ({}x{})".format(output, *original.size))
    if world().is_main and not config.dry_run:
        save_picture(output, _finish(config, original, guided), quality=config.quality)
        print(output)
    return 0


def _finish(config: Config, original: Picture, chroma: Chroma) -> Picture:
    """The picture to write."""
    colored = apply_chroma(original, chroma, upsample=config.upsample, saturation=config.saturation)
    return beside(without_color(original), colored) if config.side_by_side else colored


def _run_clip(config: Config, path: Path) -> int:
    check_kind(config, "clip", path)
    _check_for_clips(config)
    output = config.output_path or path.with_name(f"{path.stem}_colorized{endings_for(path)[0]}")
    check_container(output)
    _check_free(config, {"output_path": output}, {path.resolve(): "the clip itself"})
    clip = open_clip(path, max_pixels=config.max_pixels, deinterlace=config.deinterlace)
    weights, config = choose_weights(config)
    _check_reference(config, weights)
    if config.dry_run:
        print(describe(config, weights.model))
        print("would write {} ({}x{}, {} frames)".format(output, *clip.size, clip.num_frames))
    if world().is_main and not config.dry_run:
        color_clip(
            Colorizer.from_config(config, weights),
            clip,
            output,
            temporal=config.temporal,
            every=config.every,
            quality=config.quality,
        )
        print(output)
    return 0


def _check_for_clips(config: Config) -> None:
    """
    Raises:
        UserError: clips cannot be read here, or a flag is not for them.
    """
    pyav()
    if config.side_by_side:  # which is for the photos of a folder
        raise UserError("--side_by_side is for photos, not for clips: leave it out")
    for flag in ("hints", "reference_dir"):
        if getattr(config, flag):
            raise UserError(f"--{flag} is for photos, not for clips: leave it out")
    if config.render_size == "auto":  # which would look at every frame in another size
        raise UserError("--render_size=auto is for photos, not for clips: give a number")
    if config.every > 1 and config.temporal == "off":  # when nothing tells the colours of the others
        raise UserError(f"--every={config.every} needs --temporal=steady: leave one of the two out")


def _check_reference(config: Config, weights: LoadedModel) -> None:
    """
    Raises:
        UserError: the model does not take a reference itself, and clips are not solved.
    """
    if config.reference and "reference" not in weights.model.accepts:
        raise UserError(f"--reference: {weights.name} takes none for clips: leave it out, or color photos")


def _run_folder(config: Config, folder: Path) -> int:
    check_kind(config, "folder", folder)
    output = config.output_dir or default_output(folder)
    clips = clips_to_color(folder, output, recursive=config.recursive)
    weights = None
    if config.model not in WITHOUT_WEIGHTS:
        weights, config = choose_weights(config)
    guide = Guide(config, frozenset() if weights is None else weights.model.accepts)
    if config.dry_run:
        if weights is not None:
            print(describe(config, weights.model))
        num = len(photos_to_color(folder, output, recursive=config.recursive))
        print(f"would write {num} pictures and {len(clips)} clips to {output}")
        return 0
    colorizer = None if weights is None else Colorizer.from_config(config, weights)

    def colorize(path: Path) -> Picture:
        original = load_picture(path, max_pixels=config.max_pixels)
        chroma = None if colorizer is None else guide.look(colorizer, original)
        return _finish(config, original, guide(original, chroma))

    results = []
    if not clips or photos_to_color(folder, output, recursive=config.recursive):
        results = color_folder(
            colorize,
            folder,
            output,
            recursive=config.recursive,
            overwrite=config.overwrite,
            quality=config.quality,
        )
    results += _color_clips(config, colorizer, folder, output) if clips else []
    if not world().is_main:  # the exit code of one says it for all, when all is written
        return 0
    counts = Counter(result.status for result in results)
    write_report(output, results)
    print(f"{output}: " + ", ".join(f"{counts[s]} {s}" for s in ("colored", "skipped", "failed")))
    return 1 if counts["failed"] else 0


def _color_clips(config: Config, colorizer: Colorizer | None, folder: Path, output: Path) -> list[Result]:
    """Color the clips of a folder; where none of them can be colored, one line says why."""
    try:
        _check_for_clips(config)
        if colorizer is None:
            raise UserError(f"--model={config.model} is for photos, not for clips: name another model")
        _check_reference(config, colorizer.weights)
    except UserError as error:
        clips = clips_to_color(folder, output, recursive=config.recursive)
        if world().is_main:
            print(f"{len(clips)} clips are left out: {error}", file=sys.stderr)
        names = (path.relative_to(folder.resolve()).as_posix() for path in clips)
        return [Result(name, "failed", str(error)) for name in names]

    def color(path: Path, target: Path) -> None:
        assert colorizer is not None
        clip = open_clip(path, max_pixels=config.max_pixels, deinterlace=config.deinterlace)
        color_clip(
            colorizer,
            clip,
            target,
            temporal=config.temporal,
            every=config.every,
            quality=config.quality,
        )

    return color_clips(color, folder, output, recursive=config.recursive, overwrite=config.overwrite)


def _check_outputs(config: Config, photo: Path) -> Path:
    """Where the picture goes; what would be written is checked before any work is done."""
    output = config.output_path or photo.with_name(f"{photo.stem}_colorized.png")
    photo_format(output)
    if config.save_confidence:
        photo_format(config.save_confidence)
    if config.save_chroma:
        check_ending(config.save_chroma)
    modelless = "--apply_chroma" if config.apply_chroma else f"--model={config.model}"
    for flag in ("save_chroma", "save_confidence"):
        if (config.apply_chroma or config.model in WITHOUT_WEIGHTS) and getattr(config, flag):
            raise UserError(f"{modelless} takes no model: leave --{flag} out")
    flags = {
        "output_path": output,
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
    _check_free(config, flags, taken)
    return output


def _check_free(config: Config, flags: Mapping[str, Path | None], taken: dict[Path, str]) -> None:
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
