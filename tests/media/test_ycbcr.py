"""Codes of Y'CbCr, against FFmpeg's and by hand."""

import numpy as np
import pytest
import torch

from data.color import rgb_to_lab
from media.ffmpeg import MATRICES
from media.ycbcr import FULL_RANGE, LIMITED_RANGE, Coding

av = pytest.importorskip("av")

COLORS = [(200, 60, 30), (30, 160, 60), (40, 50, 190), (230, 220, 40), (128, 128, 128), (255, 255, 255)]


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("color_range", [LIMITED_RANGE, FULL_RANGE])
@pytest.mark.parametrize("matrix", [1, 5, 6])
def test_flat_colors_as_ffmpeg_converts_them(matrix, color_range, bits):
    coding = Coding(matrix, color_range, bits)
    for color in COLORS:
        rgb = np.broadcast_to(np.uint8(color), (16, 16, 3))
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb), format="rgb24").reformat(
            format="yuv444p" if bits == 8 else "yuv444p10le",
            src_colorspace=MATRICES[matrix],
            dst_colorspace=MATRICES[matrix],
            src_color_range=FULL_RANGE,
            dst_color_range=color_range,
        )
        Y, Cb, Cr = (int(np.frombuffer(plane, coding.dtype)[0]) for plane in frame.planes)
        lab = rgb_to_lab(torch.tensor(color).float().view(1, 3, 1, 1) / 255)
        codes = coding.chroma(coding.luma()[Y].view(1, 1, 1, 1), lab).flatten().tolist()
        assert codes == pytest.approx([Cb, Cr], abs=1 if bits == 8 else 4), color


@pytest.mark.parametrize(("color_range", "black", "white"), [(LIMITED_RANGE, 16, 235), (FULL_RANGE, 0, 255)])
def test_black_and_white(color_range, black, white):
    coding = Coding(1, color_range, 8)
    assert coding.gray(np.array([black, white])).tolist() == [0, 255]
    assert coding.gray(np.array([0, 255])).tolist() == [0, 255]
    assert coding.lightness()[[black, white]].tolist() == pytest.approx([0, 100], abs=1e-4)
    assert coding.luma(8)[[8 * black, 8 * white]].tolist() == [0, 1]
    ten = Coding(1, color_range, 10)
    assert ten.gray(np.array([0, 4 * black, 1023])).tolist() == [0, 0, 255]


def test_colours_that_do_not_fit_a_luma_give_up_chroma():
    """Cb and Cr on any luma stay in R'G'B' of [0, 1], in the hue of the colour."""
    coding = Coding(1, FULL_RANGE, 10)
    luma = torch.linspace(0, 1, 21).view(1, 1, 1, 21)
    lab = torch.tensor([50.0, 60, 40]).view(1, 3, 1, 1).expand(1, 3, 1, 21)
    Cb, Cr = (coding.chroma(luma, lab) - 512).div(1023).unbind(1)
    red, blue = luma[0, 0, 0] + 1.5748 * Cb[0, 0], luma[0, 0, 0] + 1.8556 * Cb[0, 0] * 0 + 1.8556 * Cb[0, 0]
    red = luma[0, 0, 0] + 1.5748 * Cr[0, 0]
    for channel in (red, blue):
        assert channel.min() > -2e-3
        assert channel.max() < 1 + 2e-3
    inside = Cr[0, 0].abs() > 0.02
    ratio = (Cb / Cr)[0, 0][inside]
    assert inside.sum() > 10
    assert ratio.max() - ratio.min() < 0.05
    assert Cb[0, 0, [0, -1]].abs().max() < 1e-3
