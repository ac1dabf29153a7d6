"""Redirect libtiff's warnings from standard error to Python while Pillow reads a file.

libtiff passes its warnings and errors to two global handlers, which may be replaced. Ours run in the thread
that reads, so that a warning can be attributed to the photo that this thread reads.

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
_PILLOWS_NAME = b"tempfile.tif"  # libtiff knows every file by this name
_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
_PLACES = ("../pillow.libs/libtiff*", ".dylibs/libtiff*")
"""Where Pillow's wheels have their own libtiff, relative to the folder of Pillow."""

_kept: list[Any] = []  # the library may call them as long as the process lives


def hear_libtiff(tell: Callable[[str, str], object]) -> None:
    """Pass the warnings of Pillow's libtiff to `tell`; if the library is not found, nothing changes.

    Args:
        tell: takes the format string of a warning, which tells its kind, and the whole line. It is called in
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
    spec = importlib.machinery.PathFinder.find_spec("PIL")  # found without importing it, for a fast --help
    folder = Path(spec.origin or ".").parent if spec else Path()
    return [path for place in _PLACES for path in folder.glob(place)]


def _handler(vsnprintf: Any, tell: Callable[[str, str], object]) -> Any:
    vsnprintf.argtypes = [ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_void_p]

    def handle(module: bytes | None, form: bytes | None, arguments: int | None) -> None:
        # An exception cannot leave a ctypes callback: it would only be printed to standard error.
        with contextlib.suppress(Exception):
            line = ctypes.create_string_buffer(_LONGEST)
            vsnprintf(line, _LONGEST, form, arguments)
            text = line.value.decode(errors="replace").rstrip(".")
            source = "" if module in (None, _PILLOWS_NAME) else f"{module.decode(errors='replace')}: "
            tell((form or b"").decode(errors="replace"), f"{source}{text}")

    return _HANDLER(handle)
