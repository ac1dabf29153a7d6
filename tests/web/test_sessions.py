"""Where the page keeps photos: no path can be guessed or made up, and nothing stays."""

import contextlib
import os
import re
import time

import pytest

from core.errors import UserError
from web.sessions import Busy, Gone, Sessions
from web.upload import Upload, safe_name


@pytest.fixture
def sessions():
    sessions = Sessions(max_bytes=1000, max_sessions=3, keep_seconds=60)
    yield sessions
    sessions.close()
    assert not sessions.path.exists()


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("old photo.jpg", "old photo.jpg"),
        ("Großmutter 祖母.JPEG", "Großmutter 祖母.JPEG"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\old.tif", "old.tif"),
        ("<script>alert(1)</script>.jpg", "script.jpg"),
        ("a<b>.png", "ab.png"),
        ("...", "photo"),
        ("", "photo"),
        ("..", "photo"),
        (".jpg", "jpg"),
        ("line\nbreak\0\u202egpj.png", "linebreakgpj.png"),
        ("ß" * 200 + ".jpeg", "ß" * 72 + ".jpeg"),
        ("x." + "y" * 300, "x." + "y" * 9),
    ],
)
def test_safe_name(name, safe):
    assert safe_name(name) == safe
    assert len(safe_name(name).encode()) <= 150


def test_a_person_has_a_part_of_his_own(sessions):
    mine, other = sessions.new(), sessions.new()
    assert sessions.get(mine) != sessions.get(other)
    assert sessions.get(mine).parent == sessions.path
    assert len(mine) >= 32
    sessions.forget(mine)
    assert not (sessions.path / mine).exists()
    assert sessions.get(other).exists()
    for token in (mine, "", ".", "..", "../..", "/etc"):
        with pytest.raises(Gone, match="here no more"):
            sessions.get(token)
        sessions.forget(token)
    assert sessions.get(other).exists()


def test_what_a_killed_server_left_is_deleted(tmp_path, monkeypatch):
    """And not what another one uses, or has only just made."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    long_ago = time.time() - 3600
    with contextlib.closing(Sessions(max_bytes=1000, max_sessions=3, keep_seconds=60)) as used:
        left, new, other = (tmp_path / name for name in ("colorizer-page-a", "colorizer-page-b", "else"))
        for folder in (left, new, other):
            (folder / "token" / "photo").mkdir(parents=True)
        for folder in (left, other, used.path):
            os.utime(folder, (long_ago, long_ago))
        Sessions(max_bytes=1000, max_sessions=3, keep_seconds=60).close()
        assert {*tmp_path.iterdir()} == {used.path, new, other}
        os.utime(new, (long_ago, long_ago))
        used.sweep()
        assert {*tmp_path.iterdir()} == {used.path, other}


def test_what_was_not_used_for_long_is_deleted(sessions):
    old, young = sessions.new(), sessions.new()
    sessions.keep_seconds = -1
    sessions._used[young] += 10
    (sessions.path / "left by a photo that came late").mkdir()
    sessions.sweep()
    assert [path.name for path in sessions.path.iterdir()] == [young]
    with pytest.raises(Gone):
        sessions.get(old)


def test_people_are_limited(sessions):
    tokens = [sessions.new() for _ in range(3)]
    with pytest.raises(Busy, match="try again"):
        sessions.new()
    sessions.forget(tokens[0])
    sessions.new()


def test_room_is_limited(sessions):
    (sessions.get(sessions.new()) / "x.png").write_bytes(bytes(500))
    with sessions.reserve(300), pytest.raises(Busy, match="try again"), sessions.reserve(300):
        pass
    with sessions.reserve(500):
        pass


def test_a_photo_has_a_folder_of_its_own(sessions):
    session = sessions.get(sessions.new())
    photo, other = (Upload.new(session, "../x.png", at_most=2) for _ in range(2))
    assert photo.file.name == "x.png"
    assert photo.file != other.file
    assert photo.file.is_relative_to(session)
    assert Upload.find(session, photo.id) == photo
    with pytest.raises(UserError, match="2 photos are here"):
        Upload.new(session, "y.png", at_most=2)
    photo.delete()
    for name in (photo.id, "..", "", ".", f"../{session.name}/{other.id}", f"{other.id}/upload", "0" * 16):
        with pytest.raises(Gone):
            Upload.find(session, name)
    assert re.fullmatch("[0-9a-f]{16}", Upload.new(session, "y.png", at_most=2).id)


def test_a_deleted_photo_is_gone_although_work_still_writes_into_its_folder(sessions):
    session = sessions.get(sessions.new())
    photo = Upload.new(session, "x.mp4", at_most=2)
    photo.delete()
    photo.keep_size((4, 3))
    with pytest.raises(Gone):
        Upload.find(session, photo.id)


def test_a_photo_of_somebody_who_left(sessions):
    token = sessions.new()
    session = sessions.get(token)
    photo = Upload.new(session, "x.png", at_most=2)
    sessions.forget(token)
    with pytest.raises(Gone):
        Upload.new(session, "x.png", at_most=2)
    for name in ("file", "size"):
        with pytest.raises(Gone):
            getattr(photo, name)
