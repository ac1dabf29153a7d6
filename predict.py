"""The predict mode: color a photo, a clip, or what is in a folder, at its own resolution."""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from checkpoint.file import LoadedModel
from config import Config
from core.console import Tell, telling
from core.distributed import world
from core.errors import UserError
from core.files import check_writable, remove_leftovers
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
from inference.folder import Job, color_photos, default_output, files_to_color
from inference.report import Report, Result, warn_of_mixture
from inference.suspicion import suspicion
from inference.weights import choose_weights, describe
from media.clip import open_clip
from media.decode import photo_format
from media.encode import save_picture
from media.encode_clip import check_container, endings_for
from media.ffmpeg import pyav
from media.formats import kind_of
from media.picture import Picture, beside, from_array, load_picture
from media.walk import Files, count_endings
from video.color_clip import color_clip
from video.color_clips import color_clips, leave_out_clips

__all__ = ["Colorizer", "run"]

log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Color --image_path, a photo, a clip or a folder of them, and write what comes out.

    Returns:
        0; 1 when some photos or clips of a folder could not be read.
    Raises:
        UserError: no photo or clip, no weights, or a place that cannot or must not be written.
    """
    path = config.image_path
    if path is None:
        raise UserError("--mode=predict needs a photo, --image_path=FILE, or a folder of them")
    with telling(config.progress) as tell:
        if path.is_dir():
            return _run_folder(config, path, tell)
        run_one = _run_clip if kind_of(path) == "clip" else _run_photo
        start = time.monotonic()
        done = {"name": str(path), "status": "colored", "seconds": 0.0, "reason": "", "warning": ""}
        try:
            done["warning"] = run_one(config, path)
        except UserError as error:
            tell({**done, "status": "failed", "reason": str(error)})
            raise
        tell({**done, "seconds": round(time.monotonic() - start, 3)})
    return 0


def _run_photo(config: Config, path: Path) -> str:
    """Color a photo; returns what looks wrong with it, or ''."""
    check_kind(config, "photo", path)
    output = _check_outputs(config, path)
    original = load_picture(path, max_pixels=config.max_pixels)
    if config.apply_chroma:
        return _apply(config, config.apply_chroma, original, output)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        print("would write {} ({}x{})".format(output, *original.size))
        return ""
    if not world().is_main:  # there is nothing to share
        return ""
    colorizer = _load(config, weights)
    chroma = colorizer.infer(original)
    if config.save_chroma:
        save_chroma(config.save_chroma, chroma)
        print(config.save_chroma)
    if config.save_confidence:
        sure = colorizer.confidence(original)
        save_picture(config.save_confidence, from_array(sure), quality=config.quality)
        print(config.save_confidence)
        del sure
    colored, warning = _finish(config, original, chroma, path)
    del original  # encoding takes memory of its own
    save_picture(output, colored, quality=config.quality)
    print(output)
    return warning


def _apply(config: Config, path: Path, original: Picture, output: Path) -> str:
    """Color with what an earlier prediction kept; no model is loaded."""
    chroma = load_chroma(path)
    if config.dry_run:
        print("would write {} ({}x{})".format(output, *original.size))
    if not world().is_main or config.dry_run:
        return ""
    colored, warning = _finish(config, original, chroma, path)
    save_picture(output, colored, quality=config.quality)
    print(output)
    return warning


def _finish(config: Config, original: Picture, chroma: Chroma, path: Path) -> tuple[Picture, str]:
    """The picture to write, and what looks wrong with it, which is warned of, or ''."""
    colored = apply_chroma(original, chroma, upsample=config.upsample, saturation=config.saturation)
    warning = suspicion(colored, config.saturation * chroma.ab)
    if warning:
        log.warning("%s: what comes out is %s; look at it", path, warning)
    return beside(without_color(original), colored) if config.side_by_side else colored, warning


def _run_clip(config: Config, path: Path) -> str:
    check_kind(config, "clip", path)
    _check_for_clips(config)
    output = config.output_path or path.with_name(f"{path.stem}_colorized{endings_for(path)[0]}")
    check_container(output)
    _check_free(config, {"output_path": output}, {path.resolve(): "the clip itself"})
    clip = open_clip(path, max_pixels=config.max_pixels)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        print("would write {} ({}x{}, {} frames)".format(output, *clip.size, clip.num_frames))
    if world().is_main and not config.dry_run:
        color_clip(_load(config, weights), clip, output, temporal=config.temporal, quality=config.quality)
        print(output)
    return ""


def _check_for_clips(config: Config) -> None:
    """
    Raises:
        UserError: clips cannot be read here, or a flag is not for them.
    """
    pyav()
    if config.side_by_side:  # which is for the photos of a folder
        raise UserError("--side_by_side is for photos, not for clips: leave it out")
    if config.render_size == "auto":  # which would look at every frame in another size
        raise UserError("--render_size=auto is for photos, not for clips: give a number")


def _run_folder(config: Config, folder: Path, tell: Tell) -> int:
    check_kind(config, "folder", folder)
    folder, output = folder.resolve(), (config.output_dir or default_output(folder)).resolve()
    files = files_to_color(folder, output, recursive=config.recursive)
    weights, config = choose_weights(config)
    if config.dry_run:
        print(describe(config, weights.model))
        print(f"would write {len(files.photos)} pictures and {len(files.clips)} clips to {output}")
        return 0
    colorizer = _load(config, weights)
    check_writable(output)
    remove_leftovers(output)
    report = Report(output, tell)
    by = {"weights": colorizer.about}
    for kind, names in (("photo", ("quality", "side_by_side")), ("clip", ("quality", "temporal"))):
        own = {name: getattr(config, name) for name in names}
        by[kind] = json.dumps({**colorizer.settings, **own}, sort_keys=True)
    jobs = {
        kind: Job(folder, output, config.overwrite, report, by["weights"], by[kind])
        for kind in ("photo", "clip")
    }

    def color(path: Path, target: Path) -> str:
        original = load_picture(path, max_pixels=config.max_pixels)
        colored, warning = _finish(config, original, colorizer.infer(original), path)
        save_picture(target, colored, quality=config.quality)
        return warning

    results = color_photos(color, files.photos, jobs["photo"])
    results += _color_clips(config, colorizer, files.clips, jobs["clip"])
    if not world().is_main:  # the exit code of one says it for all, when all is written
        return 0
    report.finish(results)
    return _sum_up(results, files, output, by)


def _sum_up(results: Sequence[Result], files: Files, output: Path, by: dict[str, str]) -> int:
    """Say what became of a folder; returns the exit code."""
    if files.others:
        print(count_endings(files.others))
    if mixture := warn_of_mixture(results, output, by):
        log.warning(mixture)
    counts = Counter(result.status for result in results)
    print(f"{output}: " + ", ".join(f"{counts[s]} {s}" for s in ("colored", "skipped", "failed")))
    return 1 if counts["failed"] else 0


def _color_clips(config: Config, colorizer: Colorizer, paths: Sequence[Path], job: Job) -> list[Result]:
    """Color the clips of a folder; where none of them can be colored, one line says why."""
    if not paths:
        return []
    try:
        _check_for_clips(config)
    except UserError as error:
        return leave_out_clips(paths, job, error)

    def color(path: Path, target: Path) -> str:
        clip = open_clip(path, max_pixels=config.max_pixels)
        color_clip(colorizer, clip, target, temporal=config.temporal, quality=config.quality)
        return ""

    return color_clips(color, paths, job)


def _load(config: Config, weights: LoadedModel) -> Colorizer:
    return Colorizer(
        weights,
        image_size=config.image_size,
        resize=config.resize,
        render_size=config.render_size,
        views=config.views,
        upsample=config.upsample,
        saturation=config.saturation,
        style_image=config.style_image,
        max_pixels=config.max_pixels,
        device=config.device,
    )


def _check_outputs(config: Config, photo: Path) -> Path:
    """Where the picture goes; what would be written is checked before any work is done."""
    output = config.output_path or photo.with_name(f"{photo.stem}_colorized.png")
    photo_format(output)
    if config.save_confidence:
        photo_format(config.save_confidence)
    if config.save_chroma:
        check_ending(config.save_chroma)
    for flag in ("save_chroma", "save_confidence", "style_image"):
        if config.apply_chroma and getattr(config, flag):
            raise UserError(f"--apply_chroma takes no model: leave --{flag} out")
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
