"""Coloring a folder: the same names, one bad file is one line, what is there is skipped."""

import sys

import pytest
import torch
from conftest import crops, fill
from PIL import Image
from processes import run_forked

from checkpoint.file import save_weights
from core.errors import UserError
from core.files import read_csv
from inference.folder import files_to_color
from models.registry import build_model


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "model1.safetensors"
    save_weights(path, "model1", build_model("model1"), {"image_size": 32})
    return path


@pytest.fixture
def folder(tmp_path):
    """16 photos in two folders, and one that is none."""
    root = fill(tmp_path / "old photos")
    (root / "class0" / "bad.jpg").write_bytes(b"no photo")
    (root / "notes.txt").write_text("not a photo")
    return root


def names(root):
    return sorted(p.relative_to(root).as_posix() for p in root.rglob("*") if p.is_file())


def test_the_whole_tree(cli, folder, weights, tmp_path):
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--recursive"]
    outcome = cli(*argv)
    assert outcome.code == 1
    assert outcome.err.count("bad.jpg") == 1
    output = tmp_path / "old photos_colorized"
    assert "16 colored, 0 skipped, 1 failed" in outcome.out
    assert names(output) == sorted([*set(names(folder)) - {"class0/bad.jpg", "notes.txt"}, "report.csv"])
    rows = read_csv(output / "report.csv")
    assert len(rows) == 17
    (failed,) = [row for row in rows if row["status"] == "failed"]
    assert failed["name"] == "class0/bad.jpg"
    assert "bad.jpg" in failed["reason"]
    with Image.open(output / "class0" / "photo 00.png") as picture:
        assert picture.size == (64, 64)

    # Again: what is there is left alone, what is missing comes back.
    (output / "class0" / "photo 00.png").unlink()
    times = {path: path.stat().st_mtime_ns for path in output.rglob("photo*")}
    outcome = cli(*argv)
    assert "1 colored, 15 skipped, 1 failed" in outcome.out
    assert times.items() <= {path: path.stat().st_mtime_ns for path in output.rglob("photo*")}.items()


def test_only_the_folder_itself(cli, folder, weights, tmp_path):
    argv = ["--mode=predict", f"--weights={weights}", f"--output_dir={tmp_path / 'out'}"]
    assert cli(*argv, f"--image_path={folder / 'class1'}").code == 0
    assert len(names(tmp_path / "out")) == 8 + 1
    outcome = cli(*argv, f"--image_path={folder}")
    assert outcome.code == 2
    assert "--recursive" in outcome.error


def test_an_output_inside_the_folder_is_not_colored_again(cli, folder, weights):
    argv = ["--mode=predict", f"--image_path={folder / 'class1'}", f"--weights={weights}", "--recursive"]
    argv.append(f"--output_dir={folder / 'class1' / 'colored'}")
    assert cli(*argv).code == 0
    outcome = cli(*argv)
    assert "0 colored, 8 skipped, 0 failed" in outcome.out


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--output_path=x.png"], "use --output_dir"),
        (["--output_dir={folder}"], "is the folder of the photos"),
        (["--output_dir={folder}/photo.txt"], "cannot write"),
    ],
)
def test_wrong_places(cli, folder, weights, flags, message):
    (folder / "photo.txt").write_text("a file")
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--recursive"]
    outcome = cli(*argv, *(flag.format(folder=folder) for flag in flags))
    assert outcome.code == 2
    assert message in outcome.error


def test_dry_run(cli, folder, weights, tmp_path):
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--recursive", "--dry_run"]
    assert "would write 17 pictures" in cli(*argv).out
    assert not (tmp_path / "old photos_colorized").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun needs libuv there")
def test_two_processes(folder, weights, tmp_path):
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--recursive"]
    done = run_forked(*argv, "--device=cpu")
    assert "16 colored, 0 skipped, 1 failed" in done.out
    assert done.err.count("is not a photo") == 1
    rows = read_csv(tmp_path / "old photos_colorized" / "report.csv")
    assert [row["name"] for row in rows] == sorted(row["name"] for row in rows)
    assert len(rows) == len({row["name"] for row in rows}) == 17


def test_the_originals_under_another_name_of_their_folder(cli, folder, weights, tmp_path):
    before = {path: path.read_bytes() for path in folder.rglob("photo*")}
    link = tmp_path / "link"
    link.symlink_to(folder)
    argv = ["--mode=predict", f"--weights={weights}", "--recursive", "--overwrite"]
    for output in (link, folder / "class0" / ".."):
        outcome = cli(*argv, f"--image_path={folder}", f"--output_dir={output}")
        assert outcome.code == 2
        assert "is the folder of the photos" in outcome.error
    assert before == {path: path.read_bytes() for path in folder.rglob("photo*")}


def test_a_picture_that_its_format_cannot_hold(cli, weights, tmp_path):
    """WebP ends at 16 383 pixels, which a gray | color picture passes sooner than the photo."""
    folder = tmp_path / "wide"
    folder.mkdir()
    Image.new("RGB", (9000, 20), "gray").save(folder / "a.webp")
    Image.new("RGB", (90, 20), "gray").save(folder / "b.webp")
    outcome = cli("--mode=predict", f"--image_path={folder}", f"--weights={weights}", "--side_by_side")
    assert outcome.code == 1
    assert "1 colored, 0 skipped, 1 failed" in outcome.out
    assert "a.webp cannot hold this picture" in outcome.err


def test_pages_under_the_name_of_another_format(cli, weights, tmp_path):
    """Each page of such a TIFF becomes a picture, and they are colored once."""
    root, output = tmp_path / "scans", tmp_path / "scans_colorized"
    root.mkdir()
    first, *others = [Image.fromarray(crop).convert("L") for crop in crops(3)]
    first.save(root / "deed.jpg", "TIFF", save_all=True, append_images=others)
    argv = ["--mode=predict", f"--image_path={root}", f"--weights={weights}"]
    assert "1 colored, 0 skipped" in cli(*argv).out
    assert names(output) == ["deed_1.jpg", "deed_2.jpg", "deed_3.jpg", "report.csv"]
    assert "0 colored, 1 skipped" in cli(*argv).out
    (output / "deed_2.jpg").unlink()
    assert "1 colored, 0 skipped" in cli(*argv).out


def test_clips_that_would_be_the_same_file(tmp_path):
    for name in ("a.avi", "a.avi.mp4"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=r"2 files would become .*a\.avi\.mp4: rename all but one"):
        files_to_color(tmp_path, tmp_path.with_name("out"), recursive=False)


def test_pictures_that_would_land_on_photos(cli, folder, weights):
    """photos/a to photos: what comes out of a/a/x.jpg would be a/x.jpg."""
    inner = folder / "class0"
    fill(inner / "class0")
    for path in sorted((inner / "class0").rglob("*.*")):
        path.rename(inner / "class0" / path.name)
    before = {path: path.read_bytes() for path in folder.rglob("*.*")}
    argv = ["--mode=predict", f"--image_path={inner}", f"--output_dir={folder}", f"--weights={weights}"]
    outcome = cli(*argv, "--recursive", "--overwrite")
    assert {path: path.read_bytes() for path in before} == before
    assert outcome.code == 2
    assert "would write over" in outcome.error
