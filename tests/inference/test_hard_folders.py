"""Folders as they come: odd names, circles, files that are none, full disks, and runs that were killed."""

import errno
import os
import signal
import subprocess
import sys
import time

import pytest
import skimage.data
from PIL import Image
from processes import MAIN

from core import files
from core.files import read_csv
from media.photo import load_photo

PHOTO = Image.fromarray(skimage.data.chelsea()[100:132, 100:148])
NUM = 12


@pytest.fixture
def folder(tmp_path):
    """Twelve small photos."""
    root = tmp_path / "old"
    root.mkdir()
    for i in range(NUM):
        PHOTO.save(root / f"{i:02}.png")
    return root


def pictures(output):
    """Names of the whole pictures of a folder; what is no whole picture is an error."""
    found = sorted(path for path in output.glob("*.png") if load_photo(path, max_pixels=10**6))
    return [path.name for path in found]


def leftovers(output):
    return list(output.glob(files.TEMPORARY))


def test_odd_names(cli, vivid, tmp_path):
    root = tmp_path / "old photos"
    names = ["two  spaces.png", "línea ŭnikodo 写真.png", "new\nline.png", "a.jpg", "a.png", "%d{x}'\".png"]
    names += [os.fsdecode(b"latin-1 \xe9.png")] if sys.platform == "linux" else []
    for name in names:
        (root / "in\nner").mkdir(parents=True, exist_ok=True)
        PHOTO.save(root / "in\nner" / name)
    outcome = cli("--mode=predict", f"--image_path={root}", f"--weights={vivid}", "--recursive")
    output = tmp_path / "old photos_colorized"
    assert outcome.code == 0
    assert f"{len(names)} colored, 0 skipped, 0 failed" in outcome.out
    assert sorted(path.name for path in (output / "in\nner").iterdir()) == sorted(names)
    rows = read_csv(output / "report.csv")
    assert sorted(row["name"] for row in rows) == sorted(f"in\nner/{name}" for name in names)


@pytest.mark.skipif(sys.platform == "win32", reason="no FIFO there, and links need rights")
def test_what_is_no_file(cli, vivid, folder, tmp_path):
    (folder / "folder.jpg").mkdir()
    PHOTO.save(folder / "folder.jpg" / "in.png")
    (folder / "circle").symlink_to(folder)
    (folder / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "self.jpg").symlink_to(folder / "self.jpg")
    os.mkfifo(folder / "pipe.jpg")
    outcome = cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}", "--recursive")
    output = tmp_path / "old_colorized"
    assert outcome.code == 1
    assert f"{NUM + 1} colored, 0 skipped, 3 failed" in outcome.out
    failed = {row["name"] for row in read_csv(output / "report.csv") if row["status"] == "failed"}
    assert failed == {"dangling.jpg", "self.jpg", "pipe.jpg"}
    for name in failed:
        assert outcome.err.count(name) == 1
    assert not (output / "circle").exists()
    assert (output / "folder.jpg" / "in.png").exists()


def test_an_output_that_cannot_be_written(cli, vivid, folder, tmp_path, monkeypatch):
    def read_only(*_):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(files.os, "fsync", read_only)
    outcome = cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}")
    assert outcome.code == 2
    assert "cannot write" in outcome.error
    assert os.strerror(errno.EROFS) in outcome.error
    assert list((tmp_path / "old_colorized").iterdir()) == []


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)), 2, os.strerror(errno.ENOSPC)),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=["disk full", "Ctrl-C"],
)
def test_stopped_half_way(cli, vivid, folder, tmp_path, monkeypatch, error, code, message):
    calls = []

    def fail(_):
        calls.append(None)
        if len(calls) > 4:
            raise error

    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}", "--keep_color=no"]
    output = tmp_path / "old_colorized"
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", fail)
        outcome = cli(*argv)
    assert outcome.code == code
    assert message in outcome.error
    assert outcome.err.count("\n") == 1
    done = pictures(output)
    assert 0 < len(done) < NUM
    assert leftovers(output) == []
    outcome = cli(*argv)
    assert outcome.code == 0
    assert f"{NUM - len(done)} colored, {len(done)} skipped, 0 failed" in outcome.out
    assert pictures(output) == sorted(path.name for path in folder.iterdir())


# The program, but every file takes a while between its first byte and its name.
SLOW = """
import sys, time
from core import files
files.os.fsync = lambda _: time.sleep(0.3)
import main
sys.exit(main.main(sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal there")
def test_killed_half_way(cli, vivid, folder, tmp_path):
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    output = tmp_path / "old_colorized"
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(MAIN.parent)}
    child = subprocess.Popen([sys.executable, "-c", SLOW, *argv], env=environment)
    deadline = time.monotonic() + 120
    while True:  # stopped to be looked at: a file that is being written has its name a moment later
        child.send_signal(signal.SIGSTOP)
        assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
        if list(output.glob("*.png")) and leftovers(output):
            break
        child.send_signal(signal.SIGCONT)
        assert time.monotonic() < deadline
        time.sleep(0.02)
    child.send_signal(signal.SIGKILL)
    assert child.wait() == -signal.SIGKILL
    done = pictures(output)
    assert 0 < len(done) < NUM
    dead, alive = leftovers(output)[0], output / files.TEMPORARY.replace("*", "of another process")
    os.utime(dead, (0, 0))
    alive.touch()
    outcome = cli(*argv)
    assert f"{NUM - len(done)} colored, {len(done)} skipped, 0 failed" in outcome.out
    assert pictures(output) == sorted(path.name for path in folder.iterdir())
    assert not dead.exists()
    assert alive.exists()
