"""--invert, --mask and --blend of clips: what they do, and that a resume heeds them."""

from dataclasses import replace

import numpy as np
import pytest
import skimage.data
from clips import SIZE, gray, luma, pictures, write_clip
from PIL import Image

import video.color_clip
from core.files import read_csv
from media.clip import open_clip
from media.frames import read_frames
from media.ycbcr import FULL_RANGE, LIMITED_RANGE, Coding

pytest.importorskip("av")

_ONE = 1 << 16
QUARTER_TURN = (0, -_ONE, 0, _ONE, 0, 0, 0, 0, 1 << 30)  # counterclockwise
MIRRORED = (-_ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)  # left and right exchanged


@pytest.fixture
def color(cli, vivid, tmp_path):
    """Color a clip; the outcome and the codes (frames, 2, h, w) of its colours, or None."""

    def run(path, *flags, weights=vivid, name="out.mp4"):
        output = tmp_path / name
        argv = ("--mode=predict", f"--image_path={path}", f"--output_path={output}", f"--weights={weights}")
        done = cli(*argv, "--overwrite", "--quality=100", "--device=cpu", *flags)
        return done, colors(output) if done.code == 0 else None

    return run


def colors(path):
    clip = open_clip(path, max_pixels=10**6)
    return np.stack([f.chroma.astype(int) for f in read_frames(replace(clip, own=(range(1000),)))])


def mask(path, size=SIZE):
    """White on the left half, upright."""
    width, height = size
    pixels = np.zeros((height, width), np.uint8)
    pixels[:, : width // 2] = 255
    Image.fromarray(pixels).save(path)
    return path


@pytest.mark.parametrize(
    ("bits", "color_range"), [(8, LIMITED_RANGE), (8, FULL_RANGE), (10, LIMITED_RANGE), (10, FULL_RANGE)]
)
def test_the_negative_of_codes(bits, color_range):
    coding = Coding(1, color_range, bits)
    black, white, _ = (int(level) for level in coding.levels())
    codes = np.array([[black, white, 0, 2**bits - 1]], coding.dtype)
    found = coding.negative(codes, is_luma=True)
    assert found.dtype == coding.dtype
    assert found[0, :2].tolist() == [white, black]
    assert 0 <= found.min() <= found.max() <= 2**bits - 1
    middle = 2 ** (bits - 1)
    codes = np.array([middle, middle + 20, middle - 20], coding.dtype)
    assert coding.negative(codes, is_luma=False).tolist() == [middle, middle - 20, middle + 20]


def test_a_negative_is_inverted(color, tmp_path):
    """Its luma, before the model sees it, and the colours of its own."""
    frames = gray(pictures(6)) + pictures(6, source=skimage.data.coffee())
    positive = write_clip(tmp_path / "positive.mp4", frames, encoder={"qp": "0"})
    negative = write_clip(tmp_path / "negative.mp4", [255 - frame for frame in frames], encoder={"qp": "0"})
    done, expected = color(positive)
    assert done.code == 0, done.err
    expected_luma = luma(tmp_path / "out.mp4")
    done, found = color(negative, "--invert")
    assert done.code == 0, done.err
    assert np.abs(luma(tmp_path / "out.mp4") - expected_luma).max() <= 6
    assert "in 1 of 2 shots, which stay" in done.err
    assert np.abs(found[6:] - expected[6:]).mean() < 1.5
    assert np.abs(found[:6] - expected[:6]).mean() < 0.2 * np.abs(expected[:6] - 128).mean()


@pytest.mark.parametrize("matrix", [None, QUARTER_TURN, MIRRORED])
def test_what_a_mask_leaves(color, tmp_path, matrix):
    """Black: its own colours; white: those without a mask; nothing is looked for."""
    path = write_clip(tmp_path / "clip.mp4", pictures(5), matrix=matrix)
    size = SIZE[::-1] if matrix == QUARTER_TURN else SIZE
    done, everywhere = color(path, "--keep_color=no")
    assert done.code == 0, done.err
    done, found = color(path, f"--mask={mask(tmp_path / 'mask.png', size)}")
    assert done.code == 0, done.err
    assert "colours of its own" not in done.err
    own, turns = colors(path), int(matrix == QUARTER_TURN)
    found, own, everywhere = (np.rot90(codes, turns, (2, 3)) for codes in (found, own, everywhere))
    if matrix == MIRRORED:
        found, own, everywhere = found[..., ::-1], own[..., ::-1], everywhere[..., ::-1]
    middle = found.shape[-1] // 2
    left, right = np.s_[..., : middle - 1], np.s_[..., middle + 1 :]
    assert np.abs(found[right] - own[right]).mean() < 1.5
    assert np.abs(found[left] - everywhere[left]).mean() < 1.5
    assert np.abs(own[left] - everywhere[left]).mean() > 10


def test_a_mask_of_another_size(color, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(2))
    done, _ = color(path, f"--mask={mask(tmp_path / 'mask.png', (10, 10))}")
    assert done.code == 2
    assert "mask.png is 10x10, and what it is for 64x48: the sizes must agree" in done.error


def test_colours_of_two_models(color, other, vivid, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", gray(pictures(5)))
    _, one = color(path, name="one.mp4")
    _, two = color(path, weights=other, name="two.mp4")
    done, none = color(path, f"--blend={other}:0")
    assert done.code == 0, done.err
    assert (none == one).all()
    distance = np.abs(two - one).mean()
    _, all_other = color(path, f"--blend={other}:1")
    assert np.abs(all_other - two).mean() < 0.3 * distance  # at the size of the first
    _, masked = color(path, f"--blend={other}:{mask(tmp_path / 'mask.png')}")
    middle = masked.shape[-1] // 2
    assert np.abs(masked - one)[..., middle + 2 :].mean() < 0.2 * distance
    assert np.abs(masked - all_other)[..., : middle - 2].mean() < 0.2 * distance


@pytest.mark.parametrize("flag", ["--invert", "--mask", "--blend"])
def test_a_resume_heeds_them(color, other, tmp_path, monkeypatch, flag):
    monkeypatch.setattr(video.color_clip, "PART_FRAMES", 3)
    path = write_clip(tmp_path / "clip.mp4", gray(pictures(7)))
    given = {"--mask": f"--mask={mask(tmp_path / 'mask.png')}", "--blend": f"--blend={other}:0.5"}
    flags = (given.get(flag, flag), "--temporal=off")
    assert color(path, *flags)[0].code == 0
    expected = (tmp_path / "out.mp4").read_bytes()

    def stop(*_):
        raise KeyboardInterrupt

    for earlier, goes_on in ((flags, True), (("--temporal=off",), False)):
        with monkeypatch.context() as patch:
            patch.setattr(video.color_clip, "join_parts", stop)
            assert color(path, *earlier)[0].code == 130
        done, _ = color(path, *flags)
        assert ("going on after 7 frames" in done.out) == goes_on
        assert (tmp_path / "out.mp4").read_bytes() == expected


def test_a_folder_of_clips_and_photos(cli, vivid, other, tmp_path):
    folder = tmp_path / "old"
    folder.mkdir()
    write_clip(folder / "a.mp4", gray(pictures(3)))
    Image.fromarray(pictures(1)[0]).convert("L").save(folder / "b.png")
    flags = (f"--mask={mask(tmp_path / 'mask.png')}", f"--blend={other}:0.5", "--invert", "--device=cpu")
    done = cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}", *flags)
    assert done.code == 0, done.err
    rows = read_csv(tmp_path / "old_colorized" / "report.csv")
    assert [row["status"] for row in rows] == ["colored", "colored"]
    found = np.abs(colors(tmp_path / "old_colorized" / "a.mp4") - 128).mean(axis=(0, 1, 2))
    middle = len(found) // 2
    assert found[: middle - 1].mean() > 10 * found[middle + 1 :].mean()
