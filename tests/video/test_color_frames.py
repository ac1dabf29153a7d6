"""Frames at work side by side: in order, few at a time, on the luma that they came with."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import skimage.data
import torch
from clips import pictures, write_clip

from inference.chroma import Chroma
from inference.colorizer import Colorizer
from media.clip import open_clip
from media.frames import read_frames
from video.color_frames import ClipColors, color_frames, in_order
from video.temporal import SteadyChroma

pytest.importorskip("av")


def test_in_order_and_no_more_than_asked_for():
    taken, gate = [], threading.Event()

    def items():
        for i in range(20):
            taken.append(i)
            yield i

    def work(i):
        if i % 2 == 0:  # the even ones take longer
            gate.wait(0.01)
        return i * i

    with ThreadPoolExecutor(4) as pool:
        for i, answer in enumerate(in_order(pool, work, items(), 3)):
            assert answer == i * i
            assert len(taken) <= i + 4


def test_an_error_comes_where_its_item_would():
    with ThreadPoolExecutor(2) as pool:
        answers = in_order(pool, lambda i: 1 // (3 - i), range(9), 2)
        assert [next(answers) for _ in range(3)] == [0, 0, 1]
        with pytest.raises(ZeroDivisionError):
            next(answers)


@pytest.mark.parametrize("steady", [True, False])
def test_luma_stays_and_colours_come(tmp_path, vivid, steady):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", pictures(7)), max_pixels=10**7)
    frames = list(read_frames(clip))
    colorizer = Colorizer.load(vivid, device="cpu")
    colored = list(color_frames(colorizer, clip, iter(frames), SteadyChroma() if steady else None))
    assert len(colored) == 7
    for frame, (result, state) in zip(frames, colored, strict=True):
        assert np.array_equal(result.luma, frame.luma)
        assert result.pts == frame.pts
        assert result.chroma.shape == (2, 24, 32)
        assert np.abs(result.chroma.astype(int) - 128).mean() > 3
        assert bool(state) == steady


class LittleMemory:
    """A colorizer whose memory runs out after some frames, so that it sees half the size."""

    upsample, saturation = "guided", 1.0
    device, fast_precision = torch.device("cpu"), torch.float32

    def __init__(self, num):
        self.num = num

    def predict_together(self, pictures):
        return [self.predict_whole(picture) for picture in pictures]

    def predict_whole(self, picture):
        self.num -= 1
        side = 32 if self.num >= 0 else 16
        return Chroma(torch.full((1, 2, side, side), 30.0), picture.size, "")


def test_a_smaller_size(tmp_path):
    clip = open_clip(write_clip(tmp_path / "clip.mp4", pictures(5)), max_pixels=10**7)
    colored = list(color_frames(LittleMemory(3), clip, read_frames(clip), SteadyChroma()))
    assert [state["ab"].shape for _, state in colored] == 5 * [(1, 2, 32, 32)]
    assert all((state["ab"] - 30).abs().max() < 1e-3 for _, state in colored)


@pytest.mark.parametrize(("start", "asked"), [(0, [0, 3, 5, 6, 9]), (4, [4, 5, 6, 9])])
def test_every_third_frame_and_the_first_of_a_shot(tmp_path, monkeypatch, start, asked):
    """Frame 5 is another shot; frame 4 the first after a stop."""
    shots = pictures(5) + pictures(5, source=skimage.data.astronaut())
    clip = open_clip(write_clip(tmp_path / "clip.mkv", shots, codec="ffv1"), max_pixels=10**7)
    frames = list(read_frames(clip))[start:]
    model, seen = LittleMemory(99), []

    def predict(picture):
        seen.append(picture.pixels.tobytes())
        return LittleMemory.predict_whole(model, picture)

    monkeypatch.setattr(model, "predict_whole", predict)
    colored = list(color_frames(model, clip, iter(frames), SteadyChroma(), start=start, every=3))
    monkeypatch.undo()
    steps = ClipColors(model, clip)
    numbers = {steps._shown(frame).pixels.tobytes(): start + i for i, frame in enumerate(frames)}
    assert sorted(numbers[pixels] for pixels in seen[1:]) == asked  # the first asks for the size alone
    assert all((state["ab"] - 30).abs().max() < 1e-3 for _, state in colored)
