"""The finished parts of a clip, and the lock on their folder."""

import pytest

import video.parts
from core.errors import PlaceError
from video.parts import ClipParts


def test_a_full_disk_leaves_no_lock(tmp_path, monkeypatch):
    def full(*_):
        raise PlaceError("no space")

    output = tmp_path / "clip.mp4"
    with monkeypatch.context() as patched:
        patched.setattr(video.parts, "write_json", full)
        with pytest.raises(PlaceError, match="no space"):
            ClipParts(output, {}, overwrite=False)
    ClipParts(output, {}, overwrite=False).close()
