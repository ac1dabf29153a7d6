"""Which folders a process works in, as others can see; the lock goes with the process, however it ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

if sys.platform != "win32":
    import fcntl


def try_lock(folder: Path) -> int | None:
    """Lock a folder for this process until `unlock`, or its end; the folder may be emptied meanwhile.

    Returns:
        What `unlock` takes; None where folders cannot be locked: on Windows, and on some network drives.
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
    """Give up what `try_lock` returned."""
    if lock is not None:
        os.close(lock)
