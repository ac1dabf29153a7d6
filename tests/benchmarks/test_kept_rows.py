"""--only of the experiments: some rows are measured anew, the others stay."""

import json

import pytest

from benchmarks.studies import experiments
from benchmarks.studies.kept import merge, with_weights
from core.errors import UserError
from core.files import sha256

HERE, THERE = {"cores": 2}, {"cores": 4}
FLAGS = ["--data_dir=some/photos", "--epochs=1"]


def file_of(machine, *names, pairs=(), **more):
    rows = [{"name": name, "card": {"weights_sha256": "0"}} | more for name in names]
    compared = {
        "speed": "how",
        "models": {name: {"photos_per_second": machine["cores"]} for name in names},
        "differences": [{"of": of, "minus": minus, "psnr": machine["cores"]} for of, minus in pairs],
    }
    about = {"title": "t", "command": "c", "common": "f", "machine": machine}
    return about | {"rows": rows, "compared": compared}


def test_other_rows_and_their_differences_stay():
    kept = file_of(HERE, "a", "b", "c", pairs=[("b", "a"), ("c", "a"), ("c", "b")], age="old")
    found = file_of(THERE, "b", "d", pairs=[("d", "b")], age="new")
    merged = merge(kept, found, ["a", "b", "c", "d", "e"])
    assert [(row["name"], row["age"], row.get("machine")) for row in merged["rows"]] == [
        ("a", "old", None),
        ("b", "new", THERE),
        ("c", "old", None),
        ("d", "new", THERE),
    ]
    assert merged["machine"] == HERE
    pairs = {(pair["of"], pair["minus"]): pair["psnr"] for pair in merged["compared"]["differences"]}
    assert pairs == {("c", "a"): 2, ("d", "b"): 4}
    assert {n: m["photos_per_second"] for n, m in merged["compared"]["models"].items()} == {
        "a": 2,
        "b": 4,
        "c": 2,
        "d": 4,
    }


def test_a_row_of_the_same_machine_has_none_of_its_own():
    merged = merge(file_of(HERE, "a"), file_of(HERE, "b"), ["a", "b"])
    assert ["machine" in row for row in merged["rows"]] == [False, False]


def test_only_weights_that_were_scored_are_compared_again(tmp_path):
    kept = file_of(HERE, "a", "b", "c")
    files = {name: tmp_path / name for name in "abcd"}
    for name in "ab":
        files[name].write_bytes(name.encode())
    kept["rows"][0]["card"]["weights_sha256"] = sha256(files["a"])
    assert with_weights(kept, files) == ["a"]
    assert with_weights(None, files) == []


@pytest.fixture
def trained_rows(monkeypatch, tmp_path):
    """The experiment on gamma without trainings: what is called, in order, by name of the row."""
    calls = []

    def row(name, row, folder, flags, photos):
        calls.append(row)
        return {"name": row, "card": {"weights_sha256": "0"}}

    monkeypatch.setattr(experiments, "_row", row)
    monkeypatch.setattr(experiments, "RESULTS", tmp_path)
    return calls


def write(found, tmp_path):
    (tmp_path / "gamma.json").write_text(json.dumps(found))


def test_only_trains_what_is_named(trained_rows, tmp_path):
    whole = experiments.run("gamma", FLAGS, None)
    assert trained_rows == ["power (published)", "signed", "fixed at 1"]
    whole["rows"][0]["card"]["weights_sha256"] = "as it was"
    write(whole, tmp_path)
    found = experiments.run("gamma", FLAGS, None, "fixed at 1,signed")
    assert trained_rows[3:] == ["signed", "fixed at 1"]
    assert [row["name"] for row in found["rows"]] == ["power (published)", "signed", "fixed at 1"]
    assert found["rows"][0]["card"]["weights_sha256"] == "as it was"
    assert found["command"] == whole["command"]


def test_only_beside_rows_of_another_command(trained_rows, tmp_path):
    write(experiments.run("gamma", FLAGS, None), tmp_path)
    del trained_rows[:]
    with pytest.raises(UserError, match=r"--only keeps .*gamma\.json.*--epochs=1.*--epochs=2.*leave --only"):
        experiments.run("gamma", [FLAGS[0], "--epochs=2"], None, "signed")
    assert trained_rows == []


def test_only_of_a_row_that_is_not_there(trained_rows):
    with pytest.raises(UserError, match="--only=signed,other: there is no row 'other', only power"):
        experiments.run("gamma", FLAGS, None, "signed,other")


def test_the_program_says_so_in_one_line(trained_rows, capsys):
    assert experiments.main_of(["gamma", "--only=other", *FLAGS]) == 2
    assert capsys.readouterr().err.startswith("error: --only=other: there is no row 'other'")
