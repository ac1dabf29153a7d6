"""What the packets of a clip tell before any is decoded."""

import pytest
from clips import damage, pictures, stamps, write_clip

from media.use_damaged import using_damaged

av = pytest.importorskip("av")


def test_corrupt_packets_of_a_clip_are_told_of(tmp_path, caplog):
    path = write_clip(tmp_path / "clip.ts", pictures(40), audio=1)
    damage(path, 14, most=400)
    with using_damaged(True):
        assert len(stamps(path)) < 40
    told = "is damaged in 1 packet of its video: frames may look wrong or be missing"
    assert caplog.messages == [f"{path} {told}"]


def test_corrupt_packets_of_sound_are_told_of(tmp_path, caplog):
    sound = {"audio": 1, "audio_codec": "pcm_s16le"}
    path = write_clip(tmp_path / "clip.avi", pictures(10), codec="mpeg4", **sound)
    with av.open(str(path)) as container:
        last = max((p for p in container.demux(audio=0) if p.size), key=lambda packet: packet.pos)
    path.write_bytes(path.read_bytes()[: last.pos + last.size // 2])
    with using_damaged(True):
        assert len(stamps(path)) == 10
    assert caplog.messages[0] == f"{path} is damaged in 1 packet of its sound, left out"
