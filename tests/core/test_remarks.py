"""What is odd about a file: on the screen once, and kept in short."""

from __future__ import annotations

import threading

import pytest

from core.remarks import keep, keeping_remarks, remark


def test_a_line_comes_once_and_its_short_form_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    with keeping_remarks() as remarks:
        remark("a.jpg is odd; --flag helps", "is odd")
        remark("a.jpg is odd; --flag helps", "is odd")
        keep("was told of")
    assert [record.getMessage() for record in caplog.records] == ["a.jpg is odd; --flag helps"]
    assert str(remarks) == "is odd; was told of"


def test_remarks_of_a_part_are_its_own(caplog: pytest.LogCaptureFixture) -> None:
    with keeping_remarks() as whole:
        remark("a.tif is odd", "is odd")
        with keeping_remarks() as part:
            remark("a.tif is odd", "is odd")
            remark("a.tif is rare", "is rare")
    assert (str(whole), str(part)) == ("is odd", "is odd; is rare")
    assert len(caplog.records) == 2


def test_outside_of_a_block_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        remark("b.jpg is odd", "is odd")
    assert len(caplog.records) == 2


def test_threads_keep_their_own() -> None:
    def work() -> None:
        remark("b.jpg is odd", "is odd")

    with keeping_remarks() as remarks:
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert str(remarks) == ""
