"""The predict mode: color a photo, a clip, or what is in a folder, at its own resolution."""

from __future__ import annotations

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
from inference.chroma import check_ending, load_chroma, save_chroma
from inference.colorizer import Colorizer
from inference.folder import Job, color_photos, default_output, files_to_color
from inference.guided import Guide
from inference.painter import Painter, targets_of
from inference.report import Report, Result, warn_of_mixture
from inference.samples import check_samples, seeds, written
from inference.side_by_side import contact_sheet
from inference.weights import choose_weights, describe
from media.clip import is_clip, open_clip
from media.damaged import using_damaged
from media.decode import photo_format
from media.encode import ANIMATED, save_picture
from media.encode_clip import check_container, endings_for
from media.ffmpeg import pyav
from media.formats import kind_of
from media.pages import Pages, look_for_pages
from media.picture import Picture, from_array, load_picture
from media.sidecar import copy_sidecar
from media.walk import Files, count_endings
from models.registry import WITHOUT_WEIGHTS
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
    with telling(config.progress) as tell, using_damaged(config.damaged == "use"):
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
    """Color a photo; returns what looks wrong with the picture, or ''."""
    check_kind(config, "photo", path)
    if config.output_path:
        if is_clip(config.output_path):
            raise UserError(f"{path} is a photo, and {config.output_path} would be a clip: name a picture")
        photo_format(config.output_path)
    pages = look_for_pages(path)
    output = _check_outputs(config, path, pages)
    original = load_picture(path, max_pixels=config.max_pixels)
    if config.apply_chroma or config.model in WITHOUT_WEIGHTS:
        return _color_without_model(config, original, output)
    weights, config = choose_weights(config)
    check_samples(config, weights, pages.num)
    guide = Guide(config, weights.model.accepts)
    if config.dry_run:
        print(describe(config, weights.model))
        many = f", {pages.num} pictures" if pages.num > 1 else ""
        for target in written(config, output):
            print("would write {} ({}x{}{})".format(target, *original.size, many))
        return ""
    if not world().is_main:  # there is nothing to share
        return ""
    colorizer = Colorizer.from_config(config, weights)
    painter = Painter(config, guide, colorizer)
    if config.samples:
        return _write_samples(painter, original, output)
    if pages.num > 1:
        del original
        warning = painter.color_file(path, output)
        print(*targets_of(output, pages), sep="\n")
        return warning
    chroma = painter.look(original)
    if config.save_confidence:
        sure = colorizer.confidence(original, chroma)
        save_picture(config.save_confidence, from_array(sure), quality=config.quality)
        print(config.save_confidence)
        del sure
    chroma = guide(original, chroma)
    if config.save_chroma:
        save_chroma(config.save_chroma, chroma)
        print(config.save_chroma)
    colored, warning = painter.finish(original, chroma, path)
    del original  # encoding takes memory of its own
    save_picture(output, colored, quality=config.quality)
    copy_sidecar(path, output, painter.about, overwrite=config.overwrite)
    print(output)
    return warning


def _color_without_model(config: Config, original: Picture, output: Path) -> str:
    """Color with what an earlier prediction kept, or with what a person gives alone."""
    chroma = load_chroma(config.apply_chroma) if config.apply_chroma else None
    guide = Guide(config)
    guided = guide(original, chroma)
    if config.dry_run:
        print("would write {} ({}x{})".format(output, *original.size))
    if not world().is_main or config.dry_run:
        return ""
    colored, warning = Painter(config, guide).finish(original, guided, output)
    save_picture(output, colored, quality=config.quality)
    print(output)
    return warning


def _write_samples(painter: Painter, original: Picture, output: Path) -> str:
    """Write every picture as soon as it is drawn, and the sheet of all; returns what looks wrong, or ''."""
    config, guide, colorizer = painter.config, painter.guide, painter.colorizer
    assert colorizer is not None
    drawn, warnings = {}, {}
    *paths, sheet = written(config, output)
    for seed, path in zip(seeds(config), paths, strict=True):
        drawn[f"seed {seed}"] = chroma = guide(original, guide.look(colorizer, original, seed))
        colored, warnings[path] = painter.finish(original, chroma, path)
        save_picture(path, colored, quality=config.quality)
        print(path)
    together = contact_sheet(original, drawn, upsample=config.upsample, saturation=config.saturation)
    save_picture(sheet, together, quality=config.quality)
    print(sheet)
    return "; ".join(warning for warning in warnings.values() if warning)


def _run_clip(config: Config, path: Path) -> str:
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
    return ""


def _check_for_clips(config: Config) -> None:
    """
    Raises:
        UserError: clips cannot be read here, or a flag is not for them.
    """
    pyav()
    if config.side_by_side:  # which is for the photos of a folder
        raise UserError("--side_by_side is for photos, not for clips: leave it out")
    for flag in ("hints", "reference_dir", "sample_seed"):
        if getattr(config, flag) is not None:
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


def _run_folder(config: Config, folder: Path, tell: Tell) -> int:
    check_kind(config, "folder", folder)
    folder, output = folder.resolve(), (config.output_dir or default_output(folder)).resolve()
    files = files_to_color(folder, output, recursive=config.recursive)
    weights = None
    if config.model not in WITHOUT_WEIGHTS:
        weights, config = choose_weights(config)
        check_samples(config, weights)
    guide = Guide(config, frozenset() if weights is None else weights.model.accepts)
    if config.dry_run:
        if weights is not None:
            print(describe(config, weights.model))
        print(f"would write {len(files.photos)} pictures and {len(files.clips)} clips to {output}")
        return 0
    colorizer = None if weights is None else Colorizer.from_config(config, weights)
    painter = Painter(config, guide, colorizer)
    check_writable(output)
    remove_leftovers(output)
    report = Report(output, tell)

    def job(*names: str) -> Job:
        return Job(folder, output, config.overwrite, report, painter.about, painter.settings(*names))

    of_photos, of_clips = job("side_by_side"), job("temporal")
    results = color_photos(painter.color_file, files.photos, of_photos)
    results += _color_clips(painter, files.clips, of_clips)
    if not world().is_main:  # the exit code of one says it for all, when all is written
        return 0
    report.finish(results)
    return _sum_up(results, files, (of_photos, of_clips))


def _sum_up(results: Sequence[Result], files: Files, jobs: Sequence[Job]) -> int:
    """Say what became of a folder; returns the exit code."""
    if files.others:
        print(count_endings(files.others))
    if mixture := warn_of_mixture(results, {(job.weights, job.settings) for job in jobs}):
        log.warning("%s: %s", jobs[0].output, mixture)
    counts = Counter(result.status for result in results)
    print(f"{jobs[0].output}: " + ", ".join(f"{counts[s]} {s}" for s in ("colored", "skipped", "failed")))
    return 1 if counts["failed"] else 0


def _color_clips(painter: Painter, paths: Sequence[Path], job: Job) -> list[Result]:
    """Color the clips of a folder; where none of them can be colored, one line says why."""
    if not paths:
        return []
    config, colorizer = painter.config, painter.colorizer
    try:
        _check_for_clips(config)
        if colorizer is None:
            raise UserError(f"--model={config.model} is for photos, not for clips: name another model")
        _check_reference(config, colorizer.weights)
    except UserError as error:
        return leave_out_clips(paths, job, error)

    def color(path: Path, target: Path) -> str:
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
        return ""

    return color_clips(color, paths, job)


def _check_outputs(config: Config, photo: Path, pages: Pages) -> Path:
    """Where the picture goes; what would be written is checked before any work is done."""
    ending = ".tif" if pages.num > 1 and not pages.is_animation else ".png"
    output = config.output_path or photo.with_name(f"{photo.stem}_colorized{ending}")
    if photo_format(output) not in ANIMATED and pages.is_animation:
        raise UserError(f"{photo} is an animation, which {output} cannot hold: use .png, .webp or .gif")
    for flag in ("save_chroma", "save_confidence", "apply_chroma", "hints"):
        if pages.num > 1 and getattr(config, flag):
            raise UserError(f"--{flag} is for one picture, and {photo} holds {pages.num}: leave it out")
    if config.save_confidence:
        photo_format(config.save_confidence)
    if config.save_chroma:
        check_ending(config.save_chroma)
    modelless = "--apply_chroma" if config.apply_chroma else f"--model={config.model}"
    for flag in ("save_chroma", "save_confidence", "samples", "sample_seed"):
        if (config.apply_chroma or config.model in WITHOUT_WEIGHTS) and getattr(config, flag) is not None:
            raise UserError(f"{modelless} takes no model: leave --{flag} out")
    targets = targets_of(output, pages)
    for target in targets[1:]:
        _check_free(config, {"output_path": target}, {photo.resolve(): "the photo itself"})
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
    for path in written(config, output):
        _check_free(config, flags | {"output_path": path}, dict(taken))
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
