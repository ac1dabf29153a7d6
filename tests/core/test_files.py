"""Writing whole or not at all."""

import os

import pytest

from core import files
from core.errors import UserError


def test_a_failed_write_leaves_what_was_there(tmp_path, monkeypatch):
    path = tmp_path / "x.json"
    files.write_json(path, {"a": 1})

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match=r"x\.json.*No space"):
        files.write_json(path, {"a": 2})
    assert files.read_json(path) == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["x.json"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file"):
        files.write_text(tmp_path / "file" / "x.txt", "")


def test_csv_keeps_odd_names(tmp_path):
    rows = [
        {"name": 'a "b",\nc.jpg'},
        {"name": os.fsdecode(b"caf\xe9.jpg")},
        {"name": "été.jpg"},
        {"name": "a\rb.jpg"},
    ]
    files.write_csv(tmp_path / "x.csv", rows, ["name"])
    assert files.read_csv(tmp_path / "x.csv") == rows


def test_missing_and_damaged_files_are_named(tmp_path):
    (tmp_path / "x.json").write_text("{")
    for read, name in ((files.read_json, "x.json"), (files.read_csv, "y.csv")):
        with pytest.raises(UserError, match=name):
            read(tmp_path / name)
