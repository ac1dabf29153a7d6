"""Where the page keeps photos: no path can be guessed or made up, and nothing stays."""

import os

import pytest

from core.errors import UserError
from web.folder import Folder, safe_name


@pytest.fixture
def folder():
    folder = Folder(max_bytes=1000, keep_seconds=60)
    yield folder
    folder.close()
    assert not folder.path.exists()


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


def test_a_session_owns_what_it_takes(folder):
    upload = folder.new_upload("../x.png")
    upload.write_bytes(b"photo")
    mine, other = folder.session("me"), folder.session("you")
    assert folder.path in mine.parents
    assert mine != other
    taken = folder.take(upload, mine)
    assert taken.read_bytes() == b"photo"
    assert mine in taken.parents
    with pytest.raises(UserError, match=r"x\.png is here no more"):
        folder.take(upload, other)
    for path in (taken, folder.path / "x.png", folder.path.parent / "upload-1" / "x.png"):
        with pytest.raises(UserError, match="only photos that were uploaded"):
            folder.take(path, other)
    folder.forget("me")
    assert not mine.exists()
    assert other.exists()


def test_what_was_not_used_for_long_is_deleted(folder):
    old, young = folder.new_upload("old.png"), folder.new_upload("young.png")
    droppings = folder.path / "tmpabc"
    session = folder.session("me")
    droppings.touch()
    for path in (old.parent, droppings, session):
        os.utime(path, (1, 1))
    folder.session("me")  # used again
    folder.sweep()
    assert {path.name for path in folder.path.iterdir()} == {young.parent.name, session.name}


def test_room_is_limited(folder):
    folder.new_upload("x.png").write_bytes(bytes(500))
    with folder.reserve(300), pytest.raises(UserError, match="try again"), folder.reserve(300):
        pass
    with folder.reserve(500):
        pass
