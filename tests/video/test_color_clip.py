"""Clips through the predict mode: what is kept, what is refused, and what a stop costs."""

import os
import shutil
import signal
import sys
import time
from fractions import Fraction

import numpy as np
import pytest
import skimage.data
from clips import SIZE, damage, gray, luma, pictures, stamps, upright, write_clip
from PIL import Image
from processes import start_forked

import video.color_clip
from core.extras import installing
from media.clip import open_clip
from video.parts import work_folder

av = pytest.importorskip("av")


@pytest.fixture
def color(cli, vivid, tmp_path):
    """Color a clip; the outcome and the file."""

    def run(path, *argv, ending=".mp4"):
        output = tmp_path / f"out{ending}"
        argv = [
            "--mode=predict",
            "--keep_color=no",
            f"--image_path={path}",
            f"--output_path={output}",
            f"--weights={vivid}",
            *argv,
        ]
        return cli(*argv), output

    return run


def files(folder):
    return sorted(path.name for path in folder.iterdir())


def test_size_rate_and_default_name(cli, vivid, tmp_path):
    path = write_clip(tmp_path / "old film.mp4", gray(pictures(12)))
    outcome = cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}")
    output = tmp_path / "old film_colorized.mp4"
    assert outcome.code == 0
    assert outcome.out.splitlines() == [f"weights: {vivid} (model1)", str(output)]
    with av.open(str(output)) as container:
        stream = container.streams.video[0]
        assert (stream.width, stream.height) == SIZE
        assert stream.average_rate == 25
        assert stream.pix_fmt == "yuv420p"
        assert stream.codec_context.name == "h264"
        assert "Colours inferred by colorizer" in container.metadata["comment"]
    assert files(tmp_path) == ["old film.mp4", "old film_colorized.mp4"]
    assert np.ptp(upright(output), axis=-1).mean() > 20


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_rotation_stays_and_the_model_sees_it_upright(color, tmp_path, rotation):
    path = write_clip(tmp_path / "clip.mp4", pictures(4), rotation=rotation)
    outcome, output = color(path)
    assert outcome.code == 0
    source, colored = (open_clip(p, max_pixels=10**7) for p in (path, output))
    assert source.display_matrix == colored.display_matrix is not None
    assert colored.size == SIZE


@pytest.mark.parametrize(
    "colors",
    [
        {},
        {"colorspace": 6, "color_range": 1},
        {"colorspace": 1, "color_range": 1},
        {"colorspace": 1, "color_range": 2},
    ],
)
def test_a_gray_clip_stays_at_its_luma(color, tmp_path, colors):
    ramp = np.tile(np.linspace(0, 255, 64).round().astype(np.uint8)[None, :, None], (48, 1, 3))
    path = write_clip(tmp_path / "clip.mp4", [ramp] * 6, colors=colors, options={"crf": "0"})
    _, output = color(path, "--saturation=0", "--quality=100")
    assert np.abs(luma(output) - luma(path)).max() <= 2  # x264 at its finest, not lossless
    assert abs((luma(output) - luma(path)).mean()) < 0.2
    with av.open(str(output)) as container:
        context = container.streams.video[0].codec_context
        assert context.colorspace == colors.get("colorspace", 6)
        assert context.color_range == colors.get("color_range", 1)


def test_lightness_stays(color, tmp_path, vivid):
    path = write_clip(tmp_path / "clip.mp4", gray(pictures(4, (128, 96))))
    _, output = color(path)
    source, colored = (upright(p) for p in (path, output))
    L, L_colored = (skimage.color.rgb2lab(pixels)[..., 0] for pixels in (source, colored))
    assert abs((L_colored - L).mean()) < 0.5
    assert np.abs(L_colored - L).mean() < 2.5  # colours are stored at half the size


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "ending"),
    [
        ("mpeg4", "yuv420p", ".avi"),
        ("mpeg2video", "yuv420p", ".mpg"),
        ("ffv1", "yuv422p10le", ".mkv"),
        ("ffv1", "gray", ".mkv"),
        ("libx264", "yuv420p", ".ts"),
        ("rawvideo", "rgb24", ".mov"),
    ],
)
def test_kinds_of_clips(color, tmp_path, codec, pix_fmt, ending):
    frames = gray(pictures(8))
    path = write_clip(tmp_path / f"clip{ending}", frames, codec=codec, pix_fmt=pix_fmt)
    outcome, output = color(path, "--saturation=0", "--quality=100")
    assert outcome.code == 0, outcome.err
    assert stamps(output) == stamps(path)
    source, colored = (upright(p) for p in (path, output))
    assert len(colored) == 8
    assert np.abs(colored - source).mean() < 1.5


def test_quality_is_that_of_the_encoder(color, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(10))
    sizes = []
    for quality in (30, 95):
        _, output = color(path, f"--quality={quality}", "--overwrite")
        sizes.append(output.stat().st_size)
    assert sizes[0] < 0.6 * sizes[1]


def test_steady_has_less_flicker_than_off(cli, tmp_path):
    """A static scene under grain, with the weights that ship."""
    rng = np.random.default_rng(0)
    still = gray([skimage.data.chelsea()[40:200, 60:260]])[0].astype(float)
    grain = [rng.normal(0, 6, still.shape[:2])[..., None] for _ in range(12)]
    frames = [(still + noise).clip(0, 255).astype(np.uint8) for noise in grain]
    path = write_clip(tmp_path / "clip.mkv", frames, codec="ffv1", pix_fmt="gray")
    flicker = {}
    for temporal in ("off", "steady"):
        argv = ["--mode=predict", f"--image_path={path}", "--weights=model1", f"--temporal={temporal}"]
        assert cli(*argv, f"--output_path={tmp_path / temporal}.mp4").code == 0
        ab = skimage.color.rgb2lab(upright(tmp_path / f"{temporal}.mp4").astype(np.uint8))[..., 1:]
        flicker[temporal] = np.linalg.norm(np.diff(ab, axis=0)[4:], axis=-1).mean()
    assert flicker["steady"] < 0.5 * flicker["off"]


@pytest.mark.parametrize("flag", ["--temporal=steady", "--temporal=off", "--every=3"])
def test_a_stop_changes_no_frame(color, tmp_path, monkeypatch, flag):
    monkeypatch.setattr(video.color_clip, "PART_FRAMES", 5)
    path = write_clip(tmp_path / "clip.mp4", pictures(13), audio=1)
    _, output = color(path, flag)
    whole = output.read_bytes()
    output.unlink()
    write_part, calls = video.color_clip.write_part, []

    def stop(*args):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        write_part(*args)

    monkeypatch.setattr(video.color_clip, "write_part", stop)
    outcome, _ = color(path, flag)
    assert outcome.code == 130
    assert not output.exists()
    assert work_folder(output).is_dir()
    monkeypatch.setattr(video.color_clip, "write_part", write_part)
    outcome, _ = color(path, flag)
    assert "going on after 12 frames" in outcome.out
    assert output.read_bytes() == whole
    assert not work_folder(output).exists()


@pytest.fixture
def usual_ctrl_c():
    """What a shell starts in the background inherits that Ctrl-C is ignored: these tests, perhaps."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("usual_ctrl_c")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_finishes_the_frame_and_loses_none(color, tmp_path, monkeypatch, number):
    path = write_clip(tmp_path / "clip.mp4", pictures(9))
    color_frames = video.color_clip.color_frames

    def interrupted(*args, **options):
        for index, colored in enumerate(color_frames(*args, **options)):
            yield colored
            if index == 3:
                os.kill(os.getpid(), number)

    with monkeypatch.context() as patch:
        patch.setattr(video.color_clip, "color_frames", interrupted)
        outcome, output = color(path)
    assert outcome.code == 130
    assert "6 frames are kept in" in outcome.err
    assert not output.exists()
    outcome, output = color(path)
    assert "going on after 6 frames" in outcome.out
    assert stamps(output) == stamps(path)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


@pytest.mark.parametrize("harm", ["state.safetensors", "000000000.nut", "job.json"])
def test_remains_that_are_damaged(color, tmp_path, monkeypatch, harm):
    monkeypatch.setattr(video.color_clip, "PART_FRAMES", 3)
    path = write_clip(tmp_path / "clip.mp4", pictures(7))
    with monkeypatch.context() as patch:
        patch.setattr(video.color_clip, "join_parts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert color(path)[0].code == 130
    remains = work_folder(tmp_path / "out.mp4") / harm
    if remains.suffix == ".nut":
        remains.unlink()
    else:
        remains.write_bytes(b"{ half")
    outcome, output = color(path)
    assert outcome.code == 0
    assert "going on" not in outcome.out
    assert len(stamps(output)) == 7


@pytest.mark.parametrize("temporal", ["steady", "off"])
def test_damage_found_on_the_way_costs_no_finished_part(color, tmp_path, monkeypatch, temporal):
    monkeypatch.setattr(video.color_clip, "PART_FRAMES", 4)
    path = write_clip(tmp_path / "clip.mp4", pictures(20), codec="mpeg4")
    damage(path, 14)
    flags = [f"--temporal={temporal}"]
    at_once, output = color(path, *flags, "--damaged=use")
    assert at_once.code == 0
    expected = output.read_bytes()
    output.unlink()
    refused, _ = color(path, *flags)
    assert refused.code == 2
    assert "clip.mp4 is damaged" in refused.error
    assert refused.error.endswith("get an intact copy, or color what is there with --damaged=use")
    assert not output.exists()
    done, _ = color(path, *flags, "--damaged=use")
    assert "going on after" in done.out
    assert "is damaged at 1 place; the 19 frames that can be decoded are colored" in done.err
    assert stamps(output) == [Fraction(i, 25) for i in range(20) if i != 14]
    assert output.read_bytes() == expected
    assert files(tmp_path) == ["clip.mp4", "out.mp4"]


def test_a_source_that_is_gone_for_a_moment_costs_no_work(color, tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.mp4", pictures(4), audio=1)
    join_parts = video.color_clip.join_parts

    def join(*args):
        path.rename(tmp_path / "away")
        try:
            join_parts(*args)
        finally:
            (tmp_path / "away").rename(path)

    with monkeypatch.context() as patch:
        patch.setattr(video.color_clip, "join_parts", join)
        outcome, output = color(path)
    assert outcome.code == 2
    assert "does not exist" in outcome.error
    outcome, output = color(path)
    assert "going on after 4 frames" in outcome.out
    assert len(stamps(output)) == 4


@pytest.fixture
def stopped(color, tmp_path, monkeypatch):
    """A clip of which all 8 frames are finished, at a quality of 80, but not joined."""
    path = write_clip(tmp_path / "clip.mp4", pictures(8))
    with monkeypatch.context() as patch:
        patch.setattr(video.color_clip, "join_parts", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        assert color(path, "--quality=80")[0].code == 130
    return path


def test_other_settings_cost_no_finished_frame(color, stopped, tmp_path):
    refused, output = color(stopped, "--quality=90")
    assert refused.code == 2
    assert refused.error == (
        f"error: 8 finished frames of {output}, of other settings (quality 80), would be lost: the same "
        "command as then goes on with them, --overwrite begins anew"
    )
    other = shutil.copy(stopped, tmp_path / "other.mp4")
    assert f"of another clip ({stopped})" in color(other, "--quality=80")[0].error
    assert "going on after 8 frames" in color(stopped, "--quality=80")[0].out


def test_other_settings_begin_anew_if_they_shall(color, stopped):
    outcome, output = color(stopped, "--saturation=0.5", "--overwrite")
    assert "going on" not in outcome.out
    begun_anew = output.read_bytes()
    assert color(stopped, "--saturation=0.5", "--overwrite")[0].code == 0
    assert output.read_bytes() == begun_anew


def test_finished_frames_of_a_clip_that_was_changed_since_are_of_no_use(color, stopped):
    os.utime(stopped, (1, 1))
    outcome, _ = color(stopped, "--quality=80")
    assert outcome.code == 0
    assert "going on" not in outcome.out


def in_short_parts():
    video.color_clip.PART_FRAMES = 30


def test_a_killed_process_is_taken_up(cli, vivid, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(20) * 5)
    output = tmp_path / "out.mp4"
    argv = ["--mode=predict", f"--image_path={path}", f"--output_path={output}", f"--weights={vivid}"]
    argv.append("--render_size=32")  # quickly
    child = start_forked(*argv, prepare=in_short_parts)
    first = work_folder(output) / "state.safetensors"
    until = time.monotonic() + 120
    while not first.exists() and time.monotonic() < until:
        time.sleep(0.02)
    child.kill()
    child.join()
    assert not output.exists()
    done = cli(*argv)
    assert done.code == 0
    assert "going on after" in done.out
    assert len(stamps(output)) == 100
    assert files(tmp_path) == ["clip.mp4", "out.mp4"]


def bad(tmp_path, kind):
    """A file that is not what it should be."""
    path = tmp_path / "bad.mp4"
    if kind == "missing":
        return path
    if kind == "folder of none":
        return tmp_path / "no" / "clip.mp4"
    if kind == "text":
        path.write_text("#EXTM3U\nfile:///etc/passwd\n")
    elif kind == "list":
        path.write_text("ffconcat version 1.0\nfile good.mp4\n")
    elif kind == "empty":
        path.touch()
    elif kind == "photo":
        Image.fromarray(skimage.data.chelsea()).save(path, "JPEG")
    elif kind == "sound":
        write_clip(path, pictures(1), audio=1)
        sound = tmp_path / "sound.mp4"
        with av.open(str(path)) as source, av.open(str(sound), "w") as target:
            stream = target.add_stream_from_template(source.streams.audio[0])
            for packet in source.demux(audio=0):
                if packet.dts is not None:
                    packet.stream = stream
                    target.mux(packet)
        sound.replace(path)
    elif kind in ("cut", "cut in front", "cut matroska"):
        path = path.with_suffix(".mkv") if "mat" in kind else path
        options = {"movflags": "faststart"} if kind == "cut in front" else {}
        write_clip(path, pictures(60), options=options)
        data = path.read_bytes()
        path.write_bytes(data[: len(data) // 2])
    elif kind == "size changes":
        parts = [
            write_clip(tmp_path / f"{i}.ts", pictures(10, size))
            for i, size in enumerate(((64, 48), (96, 64)))
        ]
        path = path.with_suffix(".ts")
        path.write_bytes(b"".join(part.read_bytes() for part in parts))
        for part in parts:
            part.unlink()
    elif kind == "hdr":
        write_clip(path, pictures(3), colors={"color_trc": 16, "color_primaries": 9})
    elif kind == "large":
        write_clip(path, pictures(3, (320, 200)))
    return path


@pytest.mark.parametrize(
    "kind",
    [
        "missing",
        "folder of none",
        "text",
        "list",
        "empty",
        "photo",
        "sound",
        "cut",
        "cut in front",
        "cut matroska",
        "size changes",
        "hdr",
        "large",
    ],
)
def test_bad_clips_cost_one_line(color, tmp_path, kind):
    path = bad(tmp_path, kind)
    before = files(tmp_path)
    outcome, output = color(path, "--max_pixels=60000")
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert outcome.err.startswith("error: ")
    assert path.name in outcome.err
    assert not output.exists()
    assert files(tmp_path) == before


@pytest.mark.parametrize("audio", [0, 1])
def test_times_that_begin_again(color, tmp_path, audio):
    part = write_clip(
        tmp_path / "part.mpg", pictures(25), codec="mpeg2video", audio=audio, audio_codec="mp2", rate=32000
    )
    path = tmp_path / "clip.mpg"
    path.write_bytes(2 * part.read_bytes())
    outcome, output = color(path)
    assert outcome.code == 2
    assert "begin again" in outcome.error
    assert not work_folder(output).exists()


@pytest.mark.parametrize(
    "argv",
    [
        ["--output_path=x.avi"],
        ["--side_by_side"],
        ["--save_chroma=x.safetensors"],
        ["--render_size=auto"],
        ["--recursive"],
        ["--temporal=maybe"],
        ["--every=2", "--temporal=off"],
    ],
)
def test_flags_that_are_not_for_clips(cli, vivid, tmp_path, argv):
    path = write_clip(tmp_path / "clip.mp4", pictures(2))
    outcome = cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}", *argv)
    assert outcome.code == 2
    assert outcome.err.count("\n") == 1
    assert files(tmp_path) == ["clip.mp4"]


def test_never_over_a_file(color, tmp_path):
    path = write_clip(tmp_path / "out.mp4", pictures(2))
    data = path.read_bytes()
    assert "the clip itself" in color(path, "--overwrite")[0].error
    other = shutil.copy(path, tmp_path / "clip.mp4")
    assert "--overwrite" in color(other)[0].error
    assert path.read_bytes() == data


def test_without_pyav(color, tmp_path, monkeypatch):
    path = write_clip(tmp_path / "clip.mp4", pictures(2))
    monkeypatch.setitem(sys.modules, "av", None)
    outcome, _ = color(path)
    assert outcome.code == 2
    assert outcome.err == f"error: clips need PyAV: {installing('video')}\n"


def test_a_folder_of_photos_and_clips(cli, vivid, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    write_clip(folder / "a.mp4", pictures(3))
    write_clip(folder / "b.avi", pictures(3), codec="mpeg4")
    (folder / "c.mov").write_text("no clip")
    Image.fromarray(skimage.data.chelsea()).save(folder / "d.png")
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    outcome = cli(*argv)
    assert outcome.code == 1
    assert "3 colored, 0 skipped, 1 failed" in outcome.out
    output = tmp_path / "album_colorized"
    assert files(output) == ["a.mp4", "b.avi.mp4", "d.png", "report.csv"]
    assert "2 clips" not in outcome.err
    outcome = cli(*argv)
    assert "0 colored, 3 skipped, 1 failed" in outcome.out


@pytest.mark.parametrize("flag", ["--every=2", "--deinterlace"])
def test_clips_made_otherwise_are_told(cli, vivid, tmp_path, flag):
    folder = tmp_path / "old"
    folder.mkdir()
    write_clip(folder / "a.mp4", pictures(3))
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    assert cli(*argv).code == 0
    assert "were made with" not in cli(*argv).err
    assert "1 files that were there were made with other settings" in cli(*argv, flag).err


def test_a_folder_without_pyav(cli, vivid, tmp_path, monkeypatch):
    folder = tmp_path / "album"
    folder.mkdir()
    for name in "ab":
        write_clip(folder / f"{name}.mp4", pictures(3))
    Image.fromarray(skimage.data.chelsea()).save(folder / "d.png")
    monkeypatch.setitem(sys.modules, "av", None)
    outcome = cli("--mode=predict", f"--image_path={folder}", f"--weights={vivid}")
    assert outcome.code == 1
    assert f"2 clips are left out: clips need PyAV: {installing('video')}\n" in outcome.err
    assert "1 colored, 0 skipped, 2 failed" in outcome.out


def test_a_folder_takes_the_container_that_holds_the_audio(cli, vivid, tmp_path):
    folder = tmp_path / "album"
    folder.mkdir()
    write_clip(folder / "a.avi", pictures(3), codec="mpeg4", audio=1, audio_codec="pcm_u8")
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    assert cli(*argv).code == 0
    assert files(tmp_path / "album_colorized") == ["a.avi.mov", "report.csv"]
    assert "0 colored, 1 skipped" in cli(*argv).out


def test_an_output_folder_above_the_clips(cli, vivid, tmp_path):
    folder = tmp_path / "all" / "in"
    folder.mkdir(parents=True)
    write_clip(folder / "a.mp4", pictures(3))
    argv = ["--mode=predict", f"--image_path={folder}", f"--weights={vivid}"]
    assert cli(*argv, f"--output_dir={tmp_path / 'all'}").code == 0
    assert files(tmp_path / "all") == ["a.mp4", "in", "report.csv"]


def test_dry_run(cli, vivid, tmp_path):
    path = write_clip(tmp_path / "clip.mp4", pictures(7))
    outcome = cli("--mode=predict", f"--image_path={path}", f"--weights={vivid}", "--dry_run")
    assert outcome.out.splitlines()[-1].endswith("clip_colorized.mp4 (64x48, 7 frames)")
    assert files(tmp_path) == ["clip.mp4"]


def test_an_interlaced_clip_gets_a_warning(color, tmp_path):
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1"}
    path = write_clip(tmp_path / "clip.mp4", pictures(3), encoder=options)
    outcome, output = color(path)
    assert outcome.code == 0
    assert "clip.mp4 is interlaced, and colored as it is: --deinterlace makes whole frames" in outcome.err
    outcome, output = color(path, "--deinterlace", "--overwrite")
    assert "interlaced" not in outcome.err
    assert len(stamps(output)) == 3
