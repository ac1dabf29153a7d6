"""report.csv: a row as soon as a file is done, with what made it; what is mixed is told."""

import errno
import json
import os
import re
import sys
import time

import numpy as np
import pytest
import skimage.data
import tifffile
import torch
from PIL import Image
from processes import start_forked

from core import files
from core.files import read_csv
from inference.report import Report, Result, warn_of_mixture
from inference.suspicion import suspicion
from media.picture import Picture

PHOTO = skimage.data.chelsea()[100:132, 100:148]


@pytest.fixture
def folder(tmp_path):
    """Four photos of as many formats, and what is none."""
    root = tmp_path / "old"
    root.mkdir()
    Image.fromarray(PHOTO).save(root / "a.png")
    Image.fromarray(PHOTO).save(root / "b.jp2")
    Image.fromarray(PHOTO).save(root / "c.txt", "PNG")
    Image.fromarray(PHOTO[..., 0]).save(root / "d.ppm")
    (root / "e.xyz").write_text("something")
    (root / "f.ts").write_text("const x = 1;")
    return root


def argv(folder, weights, *more):
    return ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", *more]


def rows(folder):
    return {row["name"]: row for row in read_csv(folder.with_name("old_colorized") / "report.csv")}


def test_every_format_and_what_is_left_out(cli, folder, vivid):
    outcome = cli(*argv(folder, vivid))
    assert outcome.code == 0, outcome.err
    assert "4 colored, 0 skipped, 0 failed" in outcome.out
    assert "2 files were no photos or clips: .ts 1, .xyz 1" in outcome.out
    output = folder.with_name("old_colorized")
    names = ["a.png", "b.jp2.png", "c.txt.png", "d.ppm.png", "report.csv"]
    assert sorted(path.name for path in output.iterdir()) == names
    for row in rows(folder).values():
        assert "model1, weights sha256" in row["weights"]
        assert json.loads(row["settings"])["saturation"] == 1
        assert float(row["seconds"]) > 0


def test_two_settings_in_one_folder_are_told(cli, folder, vivid):
    assert cli(*argv(folder, vivid)).code == 0
    (folder.with_name("old_colorized") / "a.png").unlink()
    assert "were made with" not in cli(*argv(folder, vivid)).err
    outcome = cli(*argv(folder, vivid, "--saturation=2"))
    assert "4 files that were there" in outcome.err
    assert "were made with other settings: --overwrite" in outcome.err
    saturations = [json.loads(row["settings"])["saturation"] for row in rows(folder).values()]
    assert saturations == [1, 1, 1, 1]
    assert "were made with" not in cli(*argv(folder, vivid, "--saturation=2", "--overwrite")).err
    assert {json.loads(row["settings"])["saturation"] for row in rows(folder).values()} == {2}


@pytest.mark.parametrize("name", ["sample_seed", "every", "deinterlace"])
def test_what_an_older_report_does_not_say_is_no_alarm(name):
    now = json.dumps({"saturation": 1, name: 3})
    for noted, is_other in (({}, False), ({name: 3}, False), ({name: 2}, True), ({"saturation": 2}, True)):
        there = Result("a.png", "skipped", weights="w", settings=json.dumps({"saturation": 1, **noted}))
        assert bool(warn_of_mixture([there], {("w", now)})) == is_other
    for odd in ("", "{", "3"):
        assert warn_of_mixture([Result("a.png", "skipped", weights="w", settings=odd)], {("w", now)})


def test_rows_of_earlier_runs_stay(cli, folder, vivid):
    (folder / "in").mkdir()
    (folder / "a.png").rename(folder / "in" / "a.png")
    assert cli(*argv(folder, vivid, "--recursive")).code == 0
    before = rows(folder)["in/a.png"]
    assert cli(*argv(folder, vivid)).code == 0
    assert rows(folder)["in/a.png"] == before


def test_rows_are_there_after_a_full_disk(cli, folder, vivid, monkeypatch):
    calls = []

    def fail(_):
        calls.append(None)
        if len(calls) > 4:  # the place is tried, the report begun, two pictures written
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", fail)
    assert cli(*argv(folder, vivid)).code == 2
    done = {path.name for path in folder.with_name("old_colorized").glob("*.png")}
    assert len(done) == 2
    assert {row["status"] for row in rows(folder).values()} == {"colored"}
    assert len(rows(folder)) == 2


def stop_after_a_row():
    add = Report.add

    def add_and_wait(self, result):
        add(self, result)
        time.sleep(60)

    Report.add = add_and_wait


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_rows_are_there_after_a_kill(cli, folder, vivid):
    child = start_forked(*argv(folder, vivid), prepare=stop_after_a_row)
    until = time.monotonic() + 120
    report = folder.with_name("old_colorized") / "report.csv"
    while not (report.exists() and (found := rows(folder))) and time.monotonic() < until:
        time.sleep(0.02)
    child.kill()
    child.join()
    assert found
    assert {row["status"] for row in found.values()} == {"colored"}
    assert cli(*argv(folder, vivid)).code == 0
    assert len(rows(folder)) == 4


def test_a_row_that_was_cut_short(cli, folder, vivid):
    assert cli(*argv(folder, vivid)).code == 0
    report = folder.with_name("old_colorized") / "report.csv"
    report.write_text(report.read_text() + 'e.png,"co')
    assert cli(*argv(folder, vivid)).code == 0
    assert set(rows(folder)) == {"a.png", "b.jp2", "c.txt", "d.ppm"}


def test_the_report_of_another_program_stays(cli, folder, vivid):
    report = folder.with_name("old_colorized") / "report.csv"
    report.parent.mkdir()
    for content in (b"date;what\n1.1.;scanned\n", b"name,status,reason,price\na,b,c,1\n", b"\xff\x00\n" * 9):
        report.write_bytes(content)
        outcome = cli(*argv(folder, vivid, "--overwrite"))
        assert outcome.code == 2
        fix = "move it away, or name another --output_dir"
        assert outcome.error == f"error: {report} is not a report of this program: {fix}"
        assert report.read_bytes() == content
        assert [path.name for path in report.parent.iterdir()] == ["report.csv"]


@pytest.mark.parametrize("columns", [3, 7, 8])
def test_own_reports_of_any_age_and_damaged_ones_are_taken(cli, folder, vivid, columns):
    report = folder.with_name("old_colorized") / "report.csv"
    report.parent.mkdir()
    names = ["name", "status", "reason", "warning", "seconds", "weights", "settings", "series"]
    for row in ("", "z.png,colored,,,x,w,s,z.png"):
        report.write_text(",".join(names[:columns]) + f"\n{row}\n")
        assert cli(*argv(folder, vivid)).code == 0
        assert set(rows(folder)) == {"a.png", "b.jp2", "c.txt", "d.ppm"}
    report.write_bytes(b"")
    assert cli(*argv(folder, vivid)).code == 0
    assert set(rows(folder)) == {"a.png", "b.jp2", "c.txt", "d.ppm"}


def test_json_for_programs(cli, folder, vivid):
    (folder / "bad.jpg").write_bytes(b"no photo")
    outcome = cli(*argv(folder, vivid, "--progress=json"))
    assert outcome.code == 1
    told = [json.loads(line) for line in outcome.out.splitlines()]
    assert {line["name"]: line["status"] for line in told} == {
        **dict.fromkeys(("a.png", "b.jp2", "c.txt", "d.ppm"), "colored"),
        "bad.jpg": "failed",
    }
    assert all(line["reason"] for line in told if line["status"] == "failed")
    outcome = cli(*argv(folder / "bad.jpg", vivid, "--progress=json"))
    assert outcome.code == 2
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["status"] == "failed"
    (folder / "none").mkdir()
    outcome = cli(*argv(folder / "none", vivid, "--progress=json"))
    assert outcome.code == 2
    (line,) = outcome.out.splitlines()
    assert json.loads(line)["name"] == str(folder / "none")
    assert "holds no photo" in json.loads(line)["reason"]


@pytest.mark.parametrize(
    ("value", "chroma", "warning"),
    [(255, 20, "nearly all white"), (3, 20, "nearly all black"), (120, 20, "without colour"), (120, 0, "")],
)
def test_what_looks_misread(value, chroma, warning):
    picture = Picture(np.full((300, 200, 3), value, np.uint8))
    assert suspicion(picture, torch.full((1, 2, 8, 8), float(chroma))).startswith(warning)
    assert bool(suspicion(picture, torch.full((1, 2, 8, 8), float(chroma)))) == bool(warning)


def test_a_colored_photo_looks_right():
    assert suspicion(Picture(skimage.data.chelsea()), torch.full((1, 2, 8, 8), 20.0)) == ""
    snow = np.full((200, 200, 3), 255, np.uint8)
    snow[:, :10] = 90  # a twentieth of a picture that is white otherwise
    assert suspicion(Picture(snow), torch.zeros(1, 2, 8, 8)) == ""


def test_a_blank_result_is_marked(cli, folder, vivid):
    Image.new("L", (64, 48), 0).save(folder / "black.png")
    outcome = cli(*argv(folder, vivid))
    assert outcome.code == 0
    assert rows(folder)["black.png"]["warning"] == "nearly all black"
    assert "black.png: what comes out is nearly all black" in outcome.err


def test_what_is_odd_about_a_file_is_in_its_row(cli, folder, vivid):
    """How it was read too, not only what came out."""
    pixels = skimage.data.chelsea()
    Image.fromarray(pixels).convert("L").save(folder / "cut.jpg", quality=95)
    data = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(data[: len(data) * 7 // 10])
    tifffile.imwrite(folder / "dark.tif", pixels[..., 0].astype(np.uint16) * 16)
    assert cli(*argv(folder, vivid, "--damaged=use")).code == 0
    warnings = {name: row["warning"] for name, row in rows(folder).items()}
    assert re.fullmatch(r"is damaged; about [67]\d % of it is there and is colored", warnings["cut.jpg"])
    assert "its samples end far from the white of its format; 4095 is taken" in warnings["dark.tif"]
    assert warnings["a.png"] == "has colours of its own, which stay"


def test_warnings_stay_when_a_run_is_continued(cli, folder, vivid):
    Image.fromarray(PHOTO[..., 0] > 100).save(folder / "scan.png")
    assert cli(*argv(folder, vivid)).code == 0
    before = rows(folder)
    assert "1-bit scan" in before["scan.png"]["warning"]
    (folder.with_name("old_colorized") / "a.png").unlink()
    assert cli(*argv(folder, vivid)).code == 0
    after = rows(folder)
    assert {name: row["status"] == "skipped" for name, row in after.items()} == {
        name: name != "a.png" for name in before
    }
    for name in before.keys() - {"a.png"}:
        assert after[name] == before[name] | {"status": "skipped"}
