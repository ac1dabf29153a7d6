"""Chroma planes against colours joined to the whole frame, as photos are."""

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import skimage.color
import skimage.data
import torch
import torch.nn.functional as F
from skimage.color import deltaE_ciede2000, rgb2lab

from inference.chroma import Chroma, apply_chroma
from inference.model_view import lightness_seen
from media.clip import Clip
from media.ffmpeg import MATRICES, exact_scaling
from media.frames import ColoredFrame, to_library
from media.picture import from_array
from media.ycbcr import FULL_RANGE, LIMITED_RANGE, Coding
from video.planes import _at_chroma, chroma_planes

av = pytest.importorskip("av")


def clip_of(size, coding, turns=0):
    rate, begin = Fraction(25), Fraction(0)
    return Clip(Path(), size, 1 / rate, rate, begin, 1, 0, None, coding, 2, 2, None, turns, False, 10**7)


def decoded(frame, coding):
    """(H, W, 3) uint8 as FFmpeg shows a frame."""
    return frame.reformat(
        format="rgb24",
        src_colorspace=MATRICES[coding.matrix],
        dst_colorspace=MATRICES[coding.matrix],
        src_color_range=coding.color_range,
        dst_color_range=FULL_RANGE,
        interpolation=exact_scaling(),
    ).to_ndarray()


@pytest.fixture(scope="module")
def photo():
    """A gray photo, and its colours, small, as strong as those of a model are: half the true ones."""
    rgb = skimage.data.astronaut()[:360, :480]
    gray = np.repeat(skimage.color.rgb2gray(rgb)[..., None], 3, axis=2)
    ab = torch.from_numpy(rgb2lab(rgb)).permute(2, 0, 1)[None, 1:].float()
    return (gray * 255).round().astype(np.uint8), F.interpolate(ab / 2, (112, 112), mode="area")


@pytest.mark.parametrize("size", [(480, 360), (479, 360)])
@pytest.mark.parametrize(
    "coding",
    [
        Coding(6, LIMITED_RANGE, 8),
        Coding(1, LIMITED_RANGE, 8),
        Coding(1, FULL_RANGE, 8),
        Coding(1, LIMITED_RANGE, 10),
    ],
)
def test_as_colours_joined_to_the_whole_frame(photo, size, coding):
    gray, ab = photo[0][:, : size[0]], photo[1]
    clip = clip_of(size, coding)
    conversion = {
        "src_colorspace": MATRICES[coding.matrix],
        "dst_colorspace": MATRICES[coding.matrix],
        "src_color_range": FULL_RANGE,
        "dst_color_range": coding.color_range,
        "format": clip.pixel_format,
        "interpolation": exact_scaling(),
    }
    original = from_array(gray)
    L = lightness_seen(original, (112, 112))
    joined = apply_chroma(original, Chroma(ab, original.size, ""), upsample="guided", saturation=1).pixels
    whole = av.VideoFrame.from_ndarray(joined, format="rgb24").reformat(**conversion)
    source = av.VideoFrame.from_ndarray(np.ascontiguousarray(gray), format="rgb24").reformat(**conversion)
    luma = np.frombuffer(source.planes[0], coding.dtype).reshape(360, -1)[:, : size[0]]
    chroma = chroma_planes(clip, luma, L, ab, upsample="guided")
    planes = to_library(ColoredFrame(luma, 0, chroma), clip)
    shown, expected = (rgb2lab(decoded(frame, coding)) for frame in (planes, whole))
    assert np.linalg.norm(expected[..., 1:], axis=-1).mean() > 7
    # 8 bits alone cost 0.5, and FFmpeg's Cb and Cr of full range are half a code too small.
    off, off_before = (deltaE_ciede2000(lab, rgb2lab(joined)).mean() for lab in (shown, expected))
    assert off - off_before < 0.3 if coding.bits == 8 else off < 0.65


def test_a_turned_clip_has_turned_colours(photo):
    gray, ab = photo
    L = lightness_seen(from_array(gray), (112, 112))
    coding = Coding(1, FULL_RANGE, 8)
    upright = chroma_planes(clip_of((480, 360), coding), gray[..., 0], L, ab, upsample="bilinear")
    stored = np.rot90(gray[..., 0], -1)
    turned = chroma_planes(clip_of((360, 480), coding, 1), stored, L, ab, upsample="bilinear")
    assert np.abs(np.rot90(turned, 1, (1, 2)).astype(int) - upright).mean() < 1


def test_where_chroma_lies_by_hand():
    """Two rows together; a column and half of each of its neighbours, of which the first has one."""
    luma = np.array([[10, 20, 30, 40], [50, 60, 70, 80]], np.uint8)
    expected = [[3 * 60 + 80, 80 + 2 * 100 + 120]]
    assert _at_chroma(luma, clip_of((4, 2), Coding(1, FULL_RANGE, 8))).tolist() == expected


def test_chroma_of_fields_by_hand():
    """Rows 0 and 2 are of one field, 1 and 3 of the other."""
    luma = np.repeat(np.array([[10, 20, 30, 40]], np.uint8).T, 2, axis=1)
    clip = replace(clip_of((2, 4), Coding(1, FULL_RANGE, 8)), field_order="tff")
    assert _at_chroma(luma, clip).tolist() == [[4 * 10 + 4 * 30], [4 * 20 + 4 * 40]]
