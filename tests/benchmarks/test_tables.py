"""The marked tables of pages that are written by hand."""

import pytest

from benchmarks.figures import tables
from core.files import write_json

ROW = {"median": 2.0, "low": 1.0, "high": 3.0}


@pytest.fixture
def docs(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "DOCS", tmp_path)
    (tmp_path / "guided").mkdir()
    return tmp_path / "guided"


def test_what_is_marked_is_written_and_nothing_else(docs):
    found = {"command": "python -m x", "size": [1224, 816], "seconds": {"unet": ROW | {"first": 4.0}}}
    write_json(docs / "hint_time.json", found)
    page = "before\n\n<!-- hint_time -->\nold\n<!-- end -->\n\nafter <!-- end -->\n"
    filled = tables.fill(page, "guided")
    assert filled.startswith("before\n\n<!-- hint_time -->\n`python -m x`, a photo of 1224×816:\n\n")
    assert "| unet | 2.00 [1.00, 3.00] | 4.00 |\n<!-- end -->\n\nafter <!-- end -->\n" in filled
    assert "old" not in filled
    assert tables.fill(filled, "guided") == filled


@pytest.mark.parametrize("page", tables.PAGES)
def test_the_tables_of_the_pages_are_those_of_their_files(page):
    text = (tables.ROOT / page).read_text(encoding="utf-8")
    assert "<!-- end -->" in text
    assert tables.fill(text, tables.PAGES[page]) == text


def test_another_table_of_a_file(docs, monkeypatch):
    write_json(docs / "x.json", {"a": 1})
    monkeypatch.setitem(tables.TABLES["guided"], "x.part", lambda found: [f"{found['a']}"])
    filled = tables.fill("<!-- x.part -->\n<!-- end -->\n", "guided")
    assert filled == "<!-- x.part -->\n1\n<!-- end -->\n"


def test_a_table_that_is_not_known(docs):
    write_json(docs / "weather.json", {})
    with pytest.raises(KeyError, match="weather"):
        tables.fill("<!-- weather -->\n<!-- end -->", "guided")
