"""Coloring a folder: every photo to the same place below another folder, each process its share."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import torch

from core.device import is_out_of_memory
from core.distributed import gather, num_cores, share
from core.errors import UserError
from core.figures import progress_bar
from core.files import check_writable, remove_leftovers, write_csv
from data.listing import SUFFIXES, find_photos
from media.decode import PhotoError
from media.encode import save_picture
from media.picture import Picture, count_pixels

REPORT = "report.csv"
COLUMNS = ("name", "status", "reason")

# Of the photos that are in memory at once; a pixel takes about 20 bytes from file to file.
_PIXELS_PER_CORE = 25_000_000


@dataclass(frozen=True)
class Result:
    """What became of a photo: 'colored', 'skipped' because it was there, or 'failed' and why."""

    name: str
    status: str
    reason: str = ""


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


def color_folder(
    colorize: Callable[[Path], Picture],
    folder: Path,
    output: Path,
    *,
    recursive: bool,
    overwrite: bool,
    quality: int,
) -> list[Result]:
    """Color the photos of a folder under the same names, and list in report.csv what became of each.

    A photo that cannot be read costs a line and does not end the run. What is there already is skipped,
    so that a run that was stopped goes on where it was.

    Args:
        colorize: a path -> the colored photo.
        folder: where the photos are.
        output: where they go.
        recursive: whether the folders below count too.
        overwrite: color also what is there already.
        quality: of JPEG and WebP.
    Returns:
        One result per photo, by name, those of all processes.
    Raises:
        UserError: no photo there, or a place that cannot be written.
    """
    folder, output = folder.resolve(), output.resolve()
    paths = photos_to_color(folder, output, recursive=recursive)
    if not paths:
        hint = (
            "name another" if recursive else "name another, or look into the folders below with --recursive"
        )
        raise UserError(f"--image_path={folder} holds no photo: {hint}")
    check_writable(output)
    remove_leftovers(output)
    budget = PixelBudget(_PIXELS_PER_CORE * num_cores())

    def color(path: Path) -> Result:
        name = path.relative_to(folder)
        if (output / name).exists() and not overwrite:
            return Result(name.as_posix(), "skipped")
        with budget.hold(count_pixels(path)):
            reason = _color(colorize, path, output / name, quality)
        return Result(name.as_posix(), "failed" if reason else "colored", reason)

    results = _color_all(color, share(paths))
    return [result for part in gather(results) for result in part]


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


def photos_to_color(
    folder: Path, output: Path, *, recursive: bool, suffixes: tuple[str, ...] = SUFFIXES
) -> list[Path]:
    """The photos of a folder, or other files by their endings, without those of an output folder inside it.

    Raises:
        UserError: the two are one, and the originals would be written over.
    """
    folder, output = folder.resolve(), output.resolve()
    if output == folder:
        raise UserError(f"--output_dir={output} is the folder of the photos: name another")
    paths = find_photos(folder, recursive=recursive, suffixes=suffixes)
    if folder in output.parents:
        paths = [path for path in paths if output not in path.parents]
    sources = set(paths)
    for path in paths:
        if output / path.relative_to(folder) in sources:
            raise UserError(f"--output_dir={output} would write over {path.name}: name another")
    return paths


def write_report(output: Path, results: list[Result]) -> None:
    """Write report.csv."""
    write_csv(output / REPORT, [vars(result) for result in results], COLUMNS)


def _color(colorize: Callable[[Path], Picture], path: Path, target: Path, quality: int) -> str:
    """Why it failed, or ''.

    Raises:
        UserError: the place cannot be written, as with a full disk: no other photo would fare better.
    """
    try:
        picture = colorize(path)
    except UserError as error:
        return str(error)
    except (MemoryError, RuntimeError) as error:
        return _too_large(path, error)
    try:
        save_picture(target, picture, quality=quality)
    except PhotoError as error:
        return str(error)
    except (MemoryError, RuntimeError) as error:
        return _too_large(path, error)
    return ""


def _too_large(path: Path, error: Exception) -> str:
    if not is_out_of_memory(error):
        raise error
    return f"{path} is too large for the memory of this machine"
