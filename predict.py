"""The predict mode: color a photo, a clip, or the photos and clips of a folder, at their own resolution."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from config import Config
from core.console import Tell, telling
from core.distributed import world
from core.errors import UserError
from core.files import check_writable, remove_leftovers
from core.remarks import keeping_remarks
from core.settings import check_kind
from inference.colorizer import Colorizer
from inference.corrector import Corrector
from inference.folder import FolderJob, clip_targets, color_photos, default_output, files_to_color
from inference.outputs import check_model_flags
from inference.painter import Painter
from inference.pipes import PIPE, through_pipes
from inference.predict_photo import run_photo
from inference.prompt import check_prompt
from inference.report import Report, Result, warn_of_mixture
from inference.variants import check_one_size, check_variants
from inference.weights import choose_weights, describe
from media.formats import kind_of
from media.use_damaged import using_damaged
from media.walk import Files, count_endings
from models.registry import WITHOUT_WEIGHTS
from video.parts import work_folder
from video.predict_clips import color_clips_of, run_clip
from video.remains import sweep, work_folders

__all__ = ["Colorizer", "run"]

log = logging.getLogger(__name__)


def run(config: Config) -> int:
    """Color --image_path, a photo, a clip or a folder of them, and write the results.

    Returns:
        0; 1 if some photos or clips of a folder failed.
    Raises:
        UserError: no photo or clip, no weights, or the output cannot be written or must not be replaced.
    """
    path = config.image_path
    if path is None:
        raise UserError("--mode=predict needs a photo, --image_path=FILE, or a folder of them")
    with telling(config.progress) as tell, using_damaged(config.damaged == "use"):
        start = time.monotonic()
        done = {
            "name": str(path),
            "status": "planned" if config.dry_run else "colored",
            "seconds": 0.0,
            "reason": "",
            "warning": "",
        }
        try:
            if path.is_dir() and path != PIPE:
                return _run_folder(config, path, tell)
            with through_pipes(config) as piped, keeping_remarks() as remarks:
                _run_file(piped)
        except UserError as error:  # for a folder, only errors that stop the whole run get here
            tell({**done, "status": "failed", "reason": str(error)})
            raise
        seconds = round(time.monotonic() - start, 3)
        tell({**done, "seconds": seconds, "warning": str(remarks)})
    return 0


def _run_file(config: Config) -> None:
    """Color a photo or a clip."""
    path = config.image_path
    assert path is not None
    if kind_of(path) != "clip":
        run_photo(config, path)
        return
    check_one_size(config, "clip", path)
    run_clip(config, path)


def _run_folder(config: Config, folder: Path, tell: Tell) -> int:
    check_kind(config, "folder", folder)
    check_one_size(config, "folder", folder)
    folder, output = folder.resolve(), (config.output_dir or default_output(folder)).resolve()
    files = files_to_color(folder, output, recursive=config.recursive)
    check_model_flags(config)
    loaded = None
    if config.model in WITHOUT_WEIGHTS:
        if config.album:
            raise UserError(
                f"--album is for models that guess, and --model={config.model} does not: leave it out"
            )
    else:
        loaded, config = choose_weights(config)
        check_variants(config, loaded)
    check_prompt(config, loaded)
    corrector = Corrector(config, frozenset() if loaded is None else loaded.model.accepts)
    if config.dry_run:
        if loaded is not None:
            print(describe(config, loaded.model))
        print(f"would write {len(files.photos)} pictures and {len(files.clips)} clips to {output}")
        return 0
    colorizer = None if loaded is None else Colorizer.from_config(config, loaded)
    check_writable(output)
    remove_leftovers(output)
    report = Report(output, tell)
    painter = Painter(config, corrector, colorizer, files.photos)

    def job(*names: str, **more: Any) -> FolderJob:
        settings = painter.settings(*names)
        return FolderJob(folder, output, config.overwrite, report, painter.about, settings, **more)

    of_clips = job("temporal", "every", "deinterlace")
    if painter.album:
        of_photos = job("side_by_side", "sample_seed", "album", series=painter.album.first)
    else:
        of_photos = job("side_by_side", "sample_seed")
    results = color_photos(painter.color_file, files.photos, of_photos)
    results += color_clips_of(painter, files.clips, of_clips)
    if not world().is_main:  # only the main process reports, after all have written
        return 0
    report.finish(results)
    places = [output / result.name for result in results if result.status == "failed"]
    told = sweep(
        [*work_folders(output, recursive=True), *work_folders(folder, recursive=config.recursive)],
        wanted={work_folder(target) for place in places for target in clip_targets(place)},
    )
    if told:
        log.warning("%s: %s", output, told)
    return _sum_up(results, files, (of_photos, of_clips))


def _sum_up(results: Sequence[Result], files: Files, jobs: Sequence[FolderJob]) -> int:
    """Print a summary of a folder; returns the exit code."""
    if files.others:
        print(count_endings(files.others))
    if mixture := warn_of_mixture(results, {(job.weights, job.settings) for job in jobs}):
        log.warning("%s: %s", jobs[0].output, mixture)
    counts = Counter(result.status for result in results)
    print(f"{jobs[0].output}: " + ", ".join(f"{counts[s]} {s}" for s in ("colored", "skipped", "failed")))
    return 1 if counts["failed"] else 0
