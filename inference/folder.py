"""Coloring a folder: every photo to the same place below another folder, each process its share."""

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
from inference.report import Report, Result
from media.formats import WRITTEN
from media.picture import count_pixels
from media.walk import Files, sort_files

Color = Callable[[Path, Path], None]
"""Colors a file, given it and the one to write."""

PIXELS_PER_CORE = 25_000_000
"""So many pixels of photos are in memory for each core; one takes about 20 bytes from file to file."""


@dataclass(frozen=True)
class FolderJob:
    """What is the same for all files of one kind in a folder.

    Attributes:
        folder: where they are.
        output: where they go.
        overwrite: whether to color also what is there already.
        report: takes down what became of each.
        weights, settings: what their colours are made with.
        series: file -> the one of the folder whose colours it shares, where there is one.
    """

    folder: Path
    output: Path
    overwrite: bool
    report: Report
    weights: str
    settings: str
    series: Mapping[Path, Path] = field(default_factory=dict)

    def run(self, color: Color, path: Path, *, target: Path, is_there: bool) -> Result:
        """Color one file, unless it is there; what is wrong with it costs a line.

        Raises:
            PlaceError: the place cannot be written.
        """
        name = path.relative_to(self.folder).as_posix()
        series = self.series[path].relative_to(self.folder).as_posix() if path in self.series else ""
        if is_there and not self.overwrite:
            result = Result(name, "skipped", "", "", 0.0, *self.report.made_by(name), series)
        else:
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
    """So many pixels at once are in the hands of several threads; a larger photo has them to itself."""

    def __init__(self, total: int) -> None:
        self._total = self._free = total
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, num_pixels: int | None) -> Iterator[None]:
        """Wait until there is room for a photo, and keep it; None: nobody knows how large it is."""
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
    """Beside the folder: photos -> photos_colorized.

    Raises:
        UserError: there is no place beside it.
    """
    folder = folder.resolve()
    if not folder.name:
        raise UserError(f"--image_path={folder} has nothing beside it: name a folder with --output_dir")
    return folder.with_name(f"{folder.name}_colorized")


def color_photos(color: Color, paths: Sequence[Path], job: FolderJob) -> list[Result]:
    """Color the photos of a folder under the same names.

    A photo that cannot be read costs a line and does not end the run. What is there already is skipped,
    so that a run that was stopped goes on where it was.

    Args:
        color: a photo.
        paths: of all photos.
        job: where they go.
    Returns:
        One result per photo, by name, those of all processes.
    Raises:
        UserError: a place that cannot be written.
    """
    budget = PixelBudget(PIXELS_PER_CORE * num_cores())

    def within_budget(path: Path, target: Path) -> None:
        with budget.hold(count_pixels(path)):
            color(path, target)

    def color_one(path: Path) -> Result:
        target = target_of(job.output / path.relative_to(job.folder))
        return job.run(within_budget, path, target=target, is_there=target.exists())

    results = _color_all(color_one, share(paths))
    return [result for part in gather(results) for result in part]


def target_of(place: Path) -> Path:
    """The file that a photo goes to: its own name, and .png where its format is not written, or is GIF.

    For the 256 colours of a GIF are few.
    """
    is_kept = WRITTEN.get(place.suffix.lower(), "GIF") != "GIF"
    return place if is_kept else place.with_name(f"{place.name}.png")


def files_to_color(folder: Path, output: Path, *, recursive: bool) -> Files:
    """The files of a folder, without those of an output folder inside it.

    Raises:
        UserError: there is no photo or clip, or originals would be written over.
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
    targets.update(output / path.relative_to(folder) for path in files.clips)
    for target, num in targets.items():
        if target in sources:
            raise UserError(f"--output_dir={output} would write over {target.name}: name another")
        if num > 1:
            raise UserError(f"{num} photos would become {target}: rename all but one")
    return files


def _color_all(color: Callable[[Path], Result], paths: Sequence[Path]) -> list[Result]:
    """Color one photo for each core at a time, from file to file.

    So decoding, network and encoding of several overlap, and none of them has to be divided among cores.
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
        finally:  # after a full disk or Ctrl-C what is under way is finished, the rest is not begun
            pool.shutdown(wait=False, cancel_futures=True)
    return [future.result() for future in futures]


def _attempt(color: Color, path: Path, target: Path) -> str:
    """Why it failed, or ''.

    Raises:
        PlaceError: the place cannot be written, as with a full disk: no other photo would fare better.
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
