"""Standard input and standard output in place of files, both named `-`."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from config import Config
from core.distributed import world
from core.errors import PlaceError, UserError
from inference.outputs import targets_of
from inference.variants import variants
from media.formats import kind_of, written_ending
from media.pages import find_pages

PIPE = Path("-")
_INPUT, _OUTPUT = "standard input", "standard output"


@contextlib.contextmanager
def through_pipes(config: Config) -> Iterator[Config]:
    """Within the block a temporary file replaces each `-`; the output is sent to standard output afterwards.

    If the output goes through the pipe, whatever else is printed goes to standard error. Messages call the
    temporary files standard input and standard output, and never name their folder.

    Raises:
        UserError: the request is not possible through a pipe, no data come, or the reader closed the pipe.
    """
    reads, writes = config.image_path == PIPE, config.output_path == PIPE
    if config.format and not writes:
        raise UserError("--format is for --output_path=-: of a file the ending of its name says it")
    if config.format == "onnx":
        raise UserError("--format=onnx is for a model: name a format of pictures, such as png")
    if not reads and not writes:
        yield config
        return
    _check(config)
    with tempfile.TemporaryDirectory(prefix="colorizer-") as folder, _unnamed(f"{folder}{os.sep}"):
        if reads:
            config = config.replace(image_path=_receive(Path(folder, _INPUT)))
        if not writes:
            yield config
            return
        target = _target(config, Path(folder))
        with contextlib.redirect_stdout(_Shortened(f"{folder}{os.sep}")):
            yield config.replace(output_path=target)
        if target.is_file():  # not after --dry_run
            _send(target, sys.stdout)


def _check(config: Config) -> None:
    if world().size > 1:
        raise UserError("several processes cannot share a pipe: start one, or name files")
    if config.image_path == PIPE:
        if config.output_path is None:
            raise UserError(
                "--image_path=- has no place beside it: add --output_path=FILE or --output_path=-"
            )
        if sys.stdin is None or sys.stdin.isatty():
            raise UserError("--image_path=-: standard input is no pipe: pipe a photo into it, or name a file")
    if config.output_path == PIPE:
        if sys.stdout.isatty():
            raise UserError("--output_path=-: standard output is a terminal: redirect it, or name a file")
        if config.progress == "json":
            raise UserError("--progress=json and --output_path=- both take standard output: name a file")
        if variants(config):
            raise UserError("several pictures cannot go to standard output: name a file with --output_path")


def _receive(file: Path) -> Path:
    """Save standard input to a file."""
    with open(file, "wb") as kept:
        shutil.copyfileobj(sys.stdin.buffer, kept)
    if not file.stat().st_size:
        raise UserError("standard input is empty: pipe a photo into it")
    if kind_of(file) == "clip":
        raise UserError("standard input is a clip, and clips do not go through pipes: name its file")
    return file


def _target(config: Config, folder: Path) -> Path:
    """The temporary output file; its format is that of --format, or else that of the photo."""
    photo = config.image_path
    assert photo is not None
    if kind_of(photo) == "clip":
        raise UserError(f"{photo} is a clip, and clips do not go through pipes: name a file to write")
    pages = find_pages(photo, max_pixels=config.max_pixels)  # it reports a file that is no photo
    ending = f".{config.format}" if config.format else written_ending(photo)
    target = folder / f"{_OUTPUT}{ending}"
    if len(targets_of(target, pages)) > 1:
        raise UserError(f"{photo} holds {pages.num} pictures, and one goes through a pipe: use --format=tif")
    return target


def _send(file: Path, output: TextIO) -> None:
    try:
        # Bypasses Python's own buffered stream, which would report a broken pipe again at exit.
        with open(file, "rb") as source, open(output.fileno(), "wb", closefd=False) as sink:
            shutil.copyfileobj(source, sink)
    except BrokenPipeError as error:
        raise UserError("standard output was closed before the whole picture had gone through it") from error
    except OSError as error:
        raise PlaceError(f"cannot write standard output ({error.strerror}): free the place") from error


class _Shortened(io.TextIOBase):
    """Standard error, with a folder removed from what is written."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def write(self, text: str) -> int:
        return sys.stderr.write(text.replace(self._folder, ""))


@contextlib.contextmanager
def _unnamed(folder: str) -> Iterator[None]:
    """Within the block a folder is removed from log lines and errors."""

    def shorten(record: logging.LogRecord) -> bool:
        record.msg, record.args = record.getMessage().replace(folder, ""), ()
        return True

    handlers = list(logging.getLogger().handlers)
    for handler in handlers:
        handler.addFilter(shorten)
    try:
        yield
    except UserError as error:
        raise type(error)(str(error).replace(folder, "")) from error
    finally:
        for handler in handlers:
            handler.removeFilter(shorten)
