"""Color a folder: each photo goes to the same relative path in another folder; processes share them."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import torch

from core.device import is_out_of_memory
from core.distributed import gather, num_cores, share
from core.errors import PlaceError, UserError
from core.figures import progress_bar
from core.remarks import keeping_remarks
from inference.outputs import targets_of
from inference.report import Report, Result
from media.decode import PhotoError
from media.encode_clip import CONTAINERS
from media.formats import WRITTEN, written_ending
from media.pages import find_pages
from media.picture import count_pixels
from media.walk import Files, sort_files

Color = Callable[[Path, Path], None]
"""(source file, file to write): colors one file."""

PIXELS_PER_CORE = 25_000_000
"""Pixels of photos in memory at once, per core; each takes about 20 bytes while its photo is processed."""


@dataclass(frozen=True)
class FolderJob:
    """What is common to all photos, or to all clips, of a folder that is colored.

    Attributes:
        folder: of the sources.
        output: folder of the results.
        overwrite: whether to color again what is there already.
        report: records the result of each file.
        weights, settings: with which they are colored.
        series: file -> the file of the folder whose colours it is matched to, if there is one.
    """

    folder: Path
    output: Path
    overwrite: bool
    report: Report
    weights: str
    settings: str
    series: Mapping[Path, Path] = field(default_factory=dict)

    def run(self, color: Color, path: Path, *, target: Path, is_there: bool) -> Result:
        """Color one file unless its result exists; a faulty file is reported and does not end the run.

        Raises:
            PlaceError: the place cannot be written.
        """
        name = path.relative_to(self.folder).as_posix()
        if is_there and not self.overwrite:
            result = self.report.skipped(name)
        else:
            series = self.series[path].relative_to(self.folder).as_posix() if path in self.series else ""
            start = time.monotonic()
            with keeping_remarks() as remarks:
                reason = _attempt(color, path, target)
            seconds = round(time.monotonic() - start, 3)
            by = ("", "") if reason else (self.weights, self.settings)
            status = "failed" if reason else "colored"
            result = Result(name, status, reason, str(remarks), seconds, *by, series)
        self.report.add(result)
        return result


class PixelBudget:
    """Limits the total number of pixels that several threads process at once; a larger photo runs alone."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, num_pixels: int | None) -> Iterator[None]:
        """Wait until the pixels of a photo are free, and hold them; None, an unknown size, holds all."""
        num = self._total if num_pixels is None else min(num_pixels, self._total)
        with self._changed:
            self._changed.wait_for(lambda: self._free >= num)
            self._free -= num
        try:
            yield
        finally:
            with self._changed:
                self._free += num
                self._changed.notify_all()


def default_output(folder: Path) -> Path:
    """The default output folder, beside the sources: photos -> photos_colorized.

    Raises:
        UserError: the folder is a root directory, and has nothing beside it.
    """
    folder = folder.resolve()
    if not folder.name:
        raise UserError(f"--image_path={folder} has nothing beside it: name a folder with --output_dir")
    return folder.with_name(f"{folder.name}_colorized")


def color_photos(color: Color, paths: Sequence[Path], job: FolderJob) -> list[Result]:
    """Color the photos of a folder under the same names.

    A photo that cannot be read is reported in one line and does not end the run. Photos whose results exist
    are skipped, so that an interrupted run can be continued.

    Args:
        color: colors one photo.
        paths: of all photos.
        job: where they go.
    Returns:
        One result per photo, of all processes.
    Raises:
        UserError: a place cannot be written.
    """
    budget = PixelBudget(PIXELS_PER_CORE * num_cores())

    def within_budget(path: Path, target: Path) -> None:
        with budget.hold(count_pixels(path)):
            color(path, target)

    def color_one(path: Path) -> Result:
        target = target_of(job.output / path.relative_to(job.folder))
        is_there = target.exists() or _has_all_pages(path, target)
        return job.run(within_budget, path, target=target, is_there=is_there)

    results = _color_all(color_one, share(paths))
    return [result for part in gather(results) for result in part]


def target_of(place: Path) -> Path:
    """The file that a photo is written to: its own name, and .png if its format is not written, or is GIF.

    The 256 colours of a GIF are too few.
    """
    is_kept = WRITTEN.get(place.suffix.lower(), "GIF") != "GIF"
    return place if is_kept else place.with_name(f"{place.name}.png")


def _has_all_pages(path: Path, target: Path) -> bool:
    """Whether each page of a TIFF has its picture, where `target` is of a format that holds one only."""
    try:
        if not path.is_file() or written_ending(path) != ".tif":  # a pipe would wait for a writer
            return False
        pages = find_pages(path, max_pixels=sys.maxsize)
    except (OSError, PhotoError):  # it is reported when it is colored
        return False
    return all(picture.exists() for picture in targets_of(target, pages))


def clip_targets(place: Path) -> list[Path]:
    """The possible output files of a clip."""
    if place.suffix.lower() in CONTAINERS:
        return [place]
    return [place.with_name(place.name + ending) for ending in CONTAINERS]


def files_to_color(folder: Path, output: Path, *, recursive: bool) -> Files:
    """The files of a folder, without those of an output folder inside it.

    Raises:
        UserError: there is no photo or clip, or originals would be overwritten.
    """
    folder, output = folder.resolve(), output.resolve()
    if output == folder:
        raise UserError(f"--output_dir={output} is the folder of the photos: name another")
    files = sort_files(folder, recursive=recursive)
    if folder in output.parents:
        files = files.outside(output)
    sources = {*files.photos, *files.clips}
    if not sources:
        hint = "" if recursive else ", or look into the folders below with --recursive"
        raise UserError(f"--image_path={folder} holds no photo: name another{hint}")
    targets = Counter(target_of(output / path.relative_to(folder)) for path in files.photos)
    for path in files.clips:
        targets.update(clip_targets(output / path.relative_to(folder)))
    for target, num in targets.items():
        if target in sources:
            raise UserError(f"--output_dir={output} would write over {target.name}: name another")
        if num > 1:
            raise UserError(f"{num} files would become {target}: rename all but one")
    return files


def _color_all(color: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Color as many photos in parallel as there are cores.

    Decoding, prediction and encoding of several photos overlap, and none has to be split among cores.
    """
    with (
        progress_bar("coloring", len(paths)) as bar,
        ThreadPoolExecutor(num_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        futures = [pool.submit(color, path) for path in paths]
        try:
            for future in as_completed(futures):
                bar.update()
                if reason := future.result().reason:
                    bar.write(reason, file=sys.stderr)
        finally:  # after a full disk or Ctrl-C: photos in progress are finished, others are not begun
            pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]


def _attempt(color: Color, path: Path, target: Path) -> str:
    """Color a file; returns why that failed, or ''.

    Raises:
        PlaceError: the place cannot be written, as with a full disk: other photos would fail too.
    """
    try:
        color(path, target)
    except PlaceError:
        raise
    except UserError as error:
        return str(error)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        return f"{path} is too large for the memory of this machine"
    return ""
