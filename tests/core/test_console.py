"""Progress where nobody watches a bar: lines now and then, or JSON."""

import json
import sys

from core import console
from core.console import ProgressLines, telling


def test_lines_now_and_then(capsys, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(console.time, "monotonic", lambda: clock[0])
    with ProgressLines(10, desc="coloring", unit="photos", mininterval=0) as bar:
        for second in (1, 2, 40, 41, 80):
            clock[0] = second
            bar.update()
        bar.write("a word", file=sys.stderr)
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(",")[0] for line in lines] == [
        "coloring: 3 of 10 photos",
        "coloring: 5 of 10 photos",
        "a word",
    ]


def test_json_is_alone_on_standard_output(capsys):
    with telling("json") as tell:
        print("for people")
        tell({"name": "línea\nŭnikodo", "status": "colored"})
    captured = capsys.readouterr()
    assert [json.loads(line) for line in captured.out.splitlines()] == [
        {"name": "línea\nŭnikodo", "status": "colored"}
    ]
    assert captured.err == "for people\n"


def test_by_default_nothing_is_told(capsys):
    with telling("auto") as tell:
        tell({"name": "x"})
    assert capsys.readouterr().out == ""
