"""What libtiff says while Pillow reads a file: to Python, instead of to the descriptor of standard error.

libtiff writes its warnings and errors by two functions of the process, which its users may replace. Ours run
in the thread that reads, so that what they tell is of the photo that this thread reads.

Source: libtiff's TIFFError(3tiff) and TIFFWarning(3tiff).
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.machinery
from collections.abc import Callable
from pathlib import Path
from typing import Any

_LONGEST = 1024  # bytes of a line
_PILLOWS_NAME = b"tempfile.tif"  # of every file
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_PLACES = ("../pillow.libs/libtiff*", ".dylibs/libtiff*")
"""Where the packages of Pillow have their own libtiff, from the folder of Pillow on."""

_kept: list[Any] = []  # the library calls it as long as the process lives


def hear_libtiff(tell: Callable[[str, str], object]) -> None:
    """Let Pillow's libtiff tell instead of write; where it cannot be found, nothing changes.

    Args:
        tell: takes the kind of a line, the same for all that differ in numbers alone, and the line. Called in
            the thread that reads.
    """
    for path in _find():
        with contextlib.suppress(OSError, AttributeError):
            libtiff, libc = ctypes.CDLL(str(path)), ctypes.CDLL(None)
            handler = _handler(libc.vsnprintf, tell)
            for setter in (libtiff.TIFFSetErrorHandler, libtiff.TIFFSetWarningHandler):
                setter.argtypes, setter.restype = [_HANDLER], ctypes.c_void_p
                setter(handler)
            _kept.append(handler)


def _find() -> list[Path]:
    spec = importlib.machinery.PathFinder.find_spec("PIL")  # which is not imported for --help
    folder = Path(spec.origin or ".").parent if spec else Path()
    return [path for place in _PLACES for path in folder.glob(place)]


def _handler(vsnprintf: Any, tell: Callable[[str, str], object]) -> Any:
    vsnprintf.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]

    def handle(module: bytes | None, form: bytes | None, arguments: int | None) -> None:
        # What is raised here would be written to standard error, past everybody.
        with contextlib.suppress(Exception):
            line = ctypes.create_string_buffer(_LONGEST)
            vsnprintf(line, _LONGEST, form, arguments)
            text = line.value.decode(errors="replace").rstrip(".")
            source = "" if module in (None, _PILLOWS_NAME) else f"{module.decode(errors='replace')}: "
            tell((form or b"").decode(errors="replace"), f"{source}{text}")

    return _HANDLER(handle)
