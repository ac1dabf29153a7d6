"""Advisory locks on folders, released by the system when the process ends for any reason."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def try_lock(folder: Path) -> int | None:
    """Lock a folder until `unlock` or the end of the process; its files may be removed meanwhile.

    Returns:
        A descriptor for `unlock`; None if folders cannot be locked: on Windows and some network drives.
    Raises:
        BlockingIOError: another process has locked it.
        OSError: the folder cannot be opened.
    """
    if sys.platform == "win32":
        return None
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            raise
        return None
    return descriptor


def unlock(lock: int | None) -> None:
    """Release a lock of `try_lock`; None does nothing."""
    if lock is not None:
        os.close(lock)
