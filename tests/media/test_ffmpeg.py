"""Decoding: what damaged data cost."""

from fractions import Fraction

import pytest
from clips import damage, earlier, pictures, stamps, write_clip

from media.clip import open_clip
from media.ffmpeg import DamagedClip, PartlyDamagedClip
from media.frames import read_frames
from media.use_damaged import using_damaged

pytest.importorskip("av")


@pytest.mark.parametrize("number", [0, 14])
@pytest.mark.parametrize("ending", [".mp4", ".avi"])
@pytest.mark.parametrize("deinterlace", [False, True])
def test_a_damaged_frame_costs_no_other(tmp_path, caplog, ending, number, deinterlace):
    path = write_clip(tmp_path / f"clip{ending}", pictures(30), codec="mpeg4")
    damage(path, number)
    with pytest.raises(PartlyDamagedClip, match="or color what is there with --damaged=use"):
        list(read_frames(open_clip(path, max_pixels=10**6)))
    with using_damaged(True):
        clip = open_clip(path, max_pixels=10**6, deinterlace=deinterlace)
        times = [frame.pts * clip.time_base for frame in read_frames(clip)]
    assert times == [Fraction(i, 25) for i in range(30) if i != number]
    told = "is damaged at 1 place; the 29 frames that can be decoded are colored"
    assert caplog.messages == [f"{path} {told}"]


def test_a_clip_without_an_intact_frame(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(1), codec="mpeg4")
    damage(path, 0)
    with using_damaged(True), pytest.raises(DamagedClip, match="none of its frames can be decoded"):
        open_clip(path, max_pixels=10**6)


def test_frames_before_0_are_left_out(tmp_path):
    """They come without times: a Matroska cannot tell when they are to be shown."""
    whole = write_clip(tmp_path / "whole.mp4", pictures(20))
    path = earlier(whole, tmp_path / "clip.mkv", Fraction(1, 5), options={"avoid_negative_ts": "disabled"})
    assert stamps(path) == [Fraction(i, 25) for i in range(15)]
