"""Which photos of a folder are a data set."""

from pathlib import Path

import pytest
from PIL import Image

from config import Config
from core.errors import UserError
from data.pipeline import open_listing


@pytest.fixture
def root(tmp_path):
    """Photos, and pictures that runs wrote in their folder."""
    names = ["a/x.png", "a/runs.png", "runs/mine/loss.png", "runs/other/loss.png", "runs/other/in/x.png"]
    for path in (tmp_path / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (4, 4), "red").save(path)
    for name in ("config.json", "manifest.csv"):
        (tmp_path / "runs" / "other" / name).touch()
    return tmp_path


def config(root):
    return Config(mode="train", data_dir=str(root), run_dir=root / "runs" / "mine")


def test_pictures_of_runs_are_no_photos(root):
    assert [photo.name for photo in open_listing(config(root)).photos] == ["a/runs.png", "a/x.png"]


def test_from_within_the_folder(root, monkeypatch):
    monkeypatch.chdir(root)
    here = config(root).replace(data_dir=".", run_dir=Path("runs/mine"))
    assert [photo.name for photo in open_listing(here).photos] == ["a/runs.png", "a/x.png"]


def test_a_folder_of_runs_alone(root):
    with pytest.raises(UserError, match="holds no photo but those of runs"):
        open_listing(config(root).replace(data_dir=str(root / "runs")))


def test_photos_within_the_folder_of_a_run_are_taken_where_they_are_asked_for(root):
    asked = config(root).replace(data_dir=str(root / "runs" / "other"))
    assert len(open_listing(asked).photos) == 2
