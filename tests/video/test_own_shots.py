"""Shots of a clip that are in colour stay so, to the code."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import skimage.data
from clips import gray, pictures, write_clip

from core.remarks import keeping_remarks
from media.clip import open_clip
from media.frames import read_frames
from video.own_color import with_own_colors

pytest.importorskip("av")


@pytest.fixture
def clip(tmp_path):
    """Eight gray frames, then eight in colour of another scene."""
    return write_clip(tmp_path / "half.mp4", gray(pictures(8)) + pictures(8, source=skimage.data.coffee()))


def test_shots_are_found(clip):
    with keeping_remarks() as remarks:
        assert with_own_colors(open_clip(clip, max_pixels=10**6), "auto").own == (range(8, 16),)
    assert str(remarks) == "has colours of its own in 1 of 2 shots, which stay"
    assert with_own_colors(open_clip(clip, max_pixels=10**6), "no").own == ()


def test_times_of_shots_are_those_of_their_frames(tmp_path, caplog):
    frames = gray(pictures(8)) + pictures(8, source=skimage.data.coffee())
    pts = [*range(0, 8000, 1000), *range(8000, 8800, 100)]
    path = write_clip(tmp_path / "clip.mp4", frames, pts=pts, time_base=Fraction(1, 1000))
    with_own_colors(open_clip(path, max_pixels=10**6), "auto")
    assert "which stay (8.0-8.8 s)" in caplog.text


def test_the_search_is_watched_and_ended(clip, capsys):
    opened, calls = open_clip(clip, max_pixels=10**6), []
    assert with_own_colors(opened, "auto", lambda: calls.append(None)).own == (range(8, 16),)
    assert len(calls) == 16
    assert capsys.readouterr().err == ""
    with pytest.raises(ZeroDivisionError):
        with_own_colors(opened, "auto", lambda: 1 // 0)


@pytest.mark.parametrize("temporal", ["steady", "off"])
def test_colours_of_a_shot_stay(cli, vivid, clip, tmp_path, temporal):
    output = tmp_path / "out.mp4"
    argv = ("--mode=predict", f"--image_path={clip}", f"--weights={vivid}", f"--output_path={output}")
    done = cli(*argv, "--quality=100", f"--temporal={temporal}", "--device=cpu")
    assert done.code == 0, done.err
    assert "in 1 of 2 shots, which stay (0.3-0.6 s); --keep_color=no colors them" in done.err
    everything = (range(16),)
    before, after = (
        [
            frame.chroma.astype(int)
            for frame in read_frames(replace(open_clip(path, max_pixels=10**6), own=everything))
        ]
        for path in (clip, output)
    )
    assert np.abs(np.stack(before[:8]) - 128).max() <= 1
    assert np.abs(np.stack(after[:8]) - 128).mean() > 5
    assert np.abs(np.stack(after[8:]) - before[8:]).mean() < 2
