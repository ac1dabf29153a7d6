"""What is left of clips that were never finished: taken up, told of, or removed."""

import os
import signal
import time

import pytest
from clips import pictures, write_clip
from processes import start_forked

import video.color_clip
from core.locks import try_lock, unlock
from video.parts import work_folder
from video.remains import sweep, work_folders

pytest.importorskip("av")


@pytest.fixture
def folder(tmp_path):
    """Two clips, of which the first takes some seconds."""
    album = tmp_path / "album"
    album.mkdir()
    write_clip(album / "a.mp4", pictures(20) * 8)
    write_clip(album / "b.mp4", pictures(3))
    return album


@pytest.fixture
def argv(folder, vivid):
    return ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}", "--render_size=32"]


def in_short_parts():
    video.color_clip.PART_FRAMES = 10


def wait_for(path):
    until = time.monotonic() + 240
    while not path.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_of_a_killed_process(cli, argv, folder, tmp_path):
    output = tmp_path / "album_colorized"
    remains = work_folder(output / "a.mp4")
    child = start_forked(*argv, prepare=in_short_parts)
    wait_for(remains / "state.safetensors")
    os.kill(child.pid, signal.SIGSTOP)  # it is there, and for as long as it likes
    try:
        assert sweep(work_folders(output, recursive=True), []) == ""
        outcome = cli(*argv)
        assert outcome.code == 1
        assert f"{output / 'a.mp4'} is being colored by another process: wait" in outcome.err
        assert "unfinished" not in outcome.err
        assert (remains / "state.safetensors").exists()
    finally:
        child.kill()
        child.join()
    (folder / "a.mp4").rename(tmp_path / "away.mp4")
    outcome = cli(*argv)
    assert outcome.code == 0
    assert "1 clip of an earlier run is unfinished and not taken up" in outcome.err
    assert f"MB (a.mp4): the same settings and --overwrite go on; else delete {remains}" in outcome.err
    (tmp_path / "away.mp4").rename(folder / "a.mp4")
    outcome = cli(*argv)
    assert outcome.code == 0
    assert "going on after" in outcome.out
    assert "unfinished" not in outcome.err
    assert not work_folders(output, recursive=True)


def keep(output, name, *files):
    """Remains of a clip as a kill leaves them."""
    folder = work_folder(output / name)
    folder.mkdir(parents=True)
    for file in files:
        (folder / file).write_bytes(b"x" * 1_000_000)
    return folder


def test_without_a_finished_part_there_is_nothing_to_take_up(cli, argv, folder, tmp_path):
    (folder / "a.mp4").unlink()
    output = tmp_path / "album_colorized"
    empty = keep(output, "gone.mp4", "000000000.nut")
    held = keep(output, "begun.mp4", "000000000.nut")
    lock = try_lock(held)
    try:
        outcome = cli(*argv)
    finally:
        unlock(lock)
    assert outcome.code == 0
    assert not empty.exists()
    assert held.exists()
    assert "unfinished" not in outcome.err


def test_several_beside_the_sources_too(cli, argv, folder, tmp_path):
    (folder / "a.mp4").unlink()
    places = [
        keep(tmp_path / "album_colorized" / "below", "x.mp4", "state.safetensors", "000000000.nut"),
        keep(folder, "b_colorized.mp4", "state.safetensors"),
    ]
    outcome = cli(*argv)
    assert outcome.code == 0
    assert "2 clips of earlier runs are unfinished and not taken up, 3.0 MB" in outcome.err
    assert all(str(place) in outcome.err and place.exists() for place in places)


def test_overwrite_removes_those_of_its_own_targets(cli, argv, folder, tmp_path):
    (folder / "a.mp4").unlink()
    write_clip(folder / "c.avi", pictures(3), codec="mpeg4")
    output = tmp_path / "album_colorized"
    own = [keep(output, name, "state.safetensors") for name in ("b.mp4", "c.avi.mp4", "c.avi.mkv")]
    other = keep(output, "d.mp4", "state.safetensors")
    assert cli(*argv, "--overwrite").code == 0
    assert not any(place.exists() for place in own)
    assert other.exists()
