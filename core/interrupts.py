"""Ctrl-C and SIGTERM: not in the middle of what must be whole, and never lost."""

from __future__ import annotations

import _thread
import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AGAIN = 0.1
"""Seconds until a lost KeyboardInterrupt is raised again."""


@contextlib.contextmanager
def terminations_as_interrupts() -> Iterator[None]:
    """Within the block SIGTERM, with which Docker, systemd and batch systems end a process, acts as Ctrl-C.

    In another thread than the main one, or where another handler of it is set, the block changes nothing.
    """
    is_usual = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not is_usual or threading.current_thread() is not threading.main_thread():
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextlib.contextmanager
def held_interrupts() -> Iterator[threading.Event]:
    """Let Ctrl-C, or SIGTERM as it, only set the event, and raise KeyboardInterrupt after the block.

    A second one raises at once.

    For work that would be lost, and for libraries in C++ that turn any exception of a callback into one of
    their own, as matplotlib does while it draws.

    Yields:
        The event, so that the block may end early. In another thread than the main one, or of a signal with
        another handler, it is never set and the block changes nothing.
    Raises:
        KeyboardInterrupt: the signal came.
    """
    asked = threading.Event()

    def ask(*_: Any) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    is_main = threading.current_thread() is threading.main_thread()
    signals = [signal.SIGINT, signal.SIGTERM] if is_main else []
    held = [number for number in signals if signal.getsignal(number) is signal.default_int_handler]
    for number in held:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number in held:
            signal.signal(number, signal.default_int_handler)
    if asked.is_set():
        raise KeyboardInterrupt


@contextlib.contextmanager
def repeated_interrupts() -> Iterator[None]:
    """Within the block a KeyboardInterrupt that Python prints and drops is raised again, a moment later.

    It drops those that come in a destructor or in the callback of a weak reference, of which PyTorch has
    many: without this the program would go on.
    """
    usual = sys.unraisablehook
    main_thread = threading.main_thread().ident
    assert main_thread is not None

    def again() -> None:
        if sys.unraisablehook is not repeat:  # the block is over
            return
        if sys.platform == "win32":
            _thread.interrupt_main()
        else:  # it ends also what waits
            signal.pthread_kill(main_thread, signal.SIGINT)

    def repeat(dropped: sys.UnraisableHookArgs) -> None:
        if not issubclass(dropped.exc_type, KeyboardInterrupt):
            usual(dropped)
            return
        timer = threading.Timer(_AGAIN, again)  # not at once: raised in here, it would be dropped again
        timer.daemon = True
        timer.start()

    sys.unraisablehook = repeat
    try:
        yield
    finally:
        sys.unraisablehook = usual
