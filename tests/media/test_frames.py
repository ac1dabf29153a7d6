"""The planes of a clip as they come, and as they go to the encoder."""

import numpy as np
import pytest
from clips import gray, pictures, write_clip

from media.clip import open_clip
from media.frames import ColoredFrame, read_frames, to_library

av = pytest.importorskip("av")


def planes(path):
    """First planes as FFmpeg decodes them."""
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            dtype = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
            yield np.frombuffer(frame.planes[0], dtype).reshape(frame.height, -1)[:, : frame.width]


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "size"),
    [
        ("libx264", "yuv420p", (64, 48)),
        ("mpeg4", "yuv420p", (50, 34)),
        ("mjpeg", "yuvj422p", (64, 48)),
        ("ffv1", "yuv444p", (63, 47)),
        ("ffv1", "yuv422p10le", (64, 48)),
        ("ffv1", "gray", (64, 48)),
    ],
)
def test_luma_goes_to_the_encoder_as_it_came(tmp_path, codec, pix_fmt, size):
    path = write_clip(tmp_path / "clip.mkv", pictures(3, size), codec=codec, pix_fmt=pix_fmt)
    clip = open_clip(path, max_pixels=10**7)
    assert clip.coding.bits == (10 if "10" in pix_fmt else 8)
    for frame, expected in zip(read_frames(clip), planes(path), strict=True):
        assert frame.luma.dtype == expected.dtype
        assert np.array_equal(frame.luma, expected)
        half = (size[0] // 2, size[1] // 2) if clip.is_subsampled else size
        chroma = np.full((2, half[1], half[0]), 2 ** (clip.coding.bits - 1), frame.luma.dtype)
        picture = to_library(ColoredFrame(frame.luma, frame.pts, chroma), clip)
        rows = np.frombuffer(picture.planes[0], frame.luma.dtype).reshape(size[1], -1)
        assert np.array_equal(rows[:, : size[0]], expected)
        assert picture.pts == frame.pts


@pytest.mark.parametrize(("codec", "pix_fmt"), [("rawvideo", "rgb24"), ("qtrle", "rgb24"), ("png", "rgba")])
def test_luma_of_clips_that_have_none(tmp_path, codec, pix_fmt):
    frames = gray(pictures(2))
    path = write_clip(tmp_path / "clip.mov", frames, codec=codec, pix_fmt=pix_fmt)
    clip = open_clip(path, max_pixels=10**7)
    for frame, expected in zip(read_frames(clip), frames, strict=True):
        assert np.abs(clip.coding.gray(frame.luma).astype(int) - expected[..., 0]).max() <= 1


def test_frames_from_a_number_on(tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(12))
    clip = open_clip(path, max_pixels=10**7)
    whole, rest = list(read_frames(clip)), list(read_frames(clip, start=7))
    assert [frame.pts for frame in rest] == [frame.pts for frame in whole[7:]]
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(whole[7:], rest, strict=True))
