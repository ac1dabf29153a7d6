"""Ctrl-C is neither lost nor turned into another error."""

import os
import signal
import sys
import time
import weakref

import pytest

import main
from core.interrupts import held_interrupts, repeated_interrupts, terminations_as_interrupts


@pytest.fixture(autouse=True)
def usual_ctrl_c():
    """What a shell starts in the background inherits that Ctrl-C is ignored: these tests, perhaps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


class Thing:
    pass


class Interrupted:
    def __del__(self):
        raise KeyboardInterrupt


def drop_in_a_callback():
    thing = Thing()
    _kept = weakref.ref(thing, lambda _: ctrl_c())
    del thing


@pytest.mark.parametrize("drop", [drop_in_a_callback, Interrupted])
def test_dropped_by_python(drop):
    usual = sys.unraisablehook

    def go_on():
        with repeated_interrupts():
            drop()
            time.sleep(20)

    with pytest.raises(KeyboardInterrupt):
        go_on()
    assert sys.unraisablehook is usual


def test_main_stops(monkeypatch, capsys):
    def go_on(_):
        Interrupted()
        time.sleep(20)

    monkeypatch.setattr("evaluate.run", go_on)
    assert main.main(["--mode=test", "--device=cpu"]) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_other_errors_of_destructors_are_printed(monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", lambda dropped: seen.append(dropped.exc_type))

    class Failing:
        def __del__(self):
            raise ZeroDivisionError

    with repeated_interrupts():
        Failing()
    assert seen == [ZeroDivisionError]


@pytest.mark.parametrize(
    ("number", "usual"),
    [(signal.SIGINT, signal.default_int_handler), (signal.SIGTERM, signal.SIG_DFL)],
)
def test_held_until_the_end_of_the_block(number, usual):
    done = []

    def work():
        with terminations_as_interrupts(), held_interrupts() as asked:
            os.kill(os.getpid(), number)
            time.sleep(0.01)
            done.append(asked.is_set())

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == [True]
    assert signal.getsignal(number) is usual


def test_a_second_one_is_not_held():
    done = []

    def work():
        with held_interrupts():
            ctrl_c()
            ctrl_c()
            time.sleep(20)
            done.append("whole")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not done
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_held_within_held():
    done = []

    def work():
        with held_interrupts():
            with held_interrupts():
                ctrl_c()
                time.sleep(0.01)
            done.append("inner")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["inner"]
