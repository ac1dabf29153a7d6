"""Whole clips from parts, without a model: times, sound, metadata, and what a container cannot hold."""

import itertools
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from clips import earlier, packets, pictures, stamps, with_subtitles, write_clip

from media.clip import open_clip
from media.encode_clip import endings_for, join_parts, plan_target
from media.encode_part import write_part
from media.ffmpeg import ClipError
from media.frames import ColoredFrame, read_frames

av = pytest.importorskip("av")


@pytest.fixture
def recoded(tmp_path):
    """Write a clip again, in gray."""

    def run(path, ending=".mp4", **options):
        output, part = tmp_path / f"out{ending}", tmp_path / "part.nut"
        clip = open_clip(path, max_pixels=10**7, **options)
        target = plan_target(clip, output, 80)
        write_part(part, clip, (_gray(frame, clip) for frame in read_frames(clip)), 80)
        join_parts(target, clip, [part], "")
        return output

    return run


def _gray(frame, clip):
    height, width = frame.luma.shape
    size = (height // 2, width // 2) if clip.is_subsampled else (height, width)
    chroma = np.full((2, *size), 2 ** (clip.coding.bits - 1), frame.luma.dtype)
    return ColoredFrame(frame.luma, frame.pts, chroma)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
@pytest.mark.parametrize("source", [".mp4", ".mkv"])
def test_variable_frame_rate(recoded, tmp_path, source, ending):
    pts = [0, 40, 80, 200, 210, 220, 1000, 1040, 2333, 2400]  # ms: what every container has
    path = write_clip(tmp_path / f"clip{source}", pictures(10), pts=pts, time_base=Fraction(1, 1000))
    output = recoded(path, ending)
    assert stamps(output) == stamps(path) == [Fraction(p, 1000) for p in pts]


@pytest.mark.parametrize("num", range(1, 10))
def test_any_number_of_frames(recoded, tmp_path, num):
    """Of parts of 7 frames the library knows no decoding times."""
    path = write_clip(tmp_path / "clip.mp4", pictures(num))
    output = recoded(path)
    assert stamps(output) == [Fraction(i, 25) for i in range(num)]


def test_a_leap_of_hours(recoded, tmp_path):
    pts = [0, 40, 80, 9_000_000, 9_000_040, 20_000_000]
    path = write_clip(tmp_path / "clip.mkv", pictures(6), pts=pts, time_base=Fraction(1, 1000))
    output = recoded(path, ".mkv")
    assert stamps(output) == stamps(path) == [Fraction(p, 1000) for p in pts]


def test_time_stamps_that_milliseconds_cannot_hold(recoded, tmp_path):
    pts = [7 + 1001 * i for i in range(10)]
    path = write_clip(tmp_path / "clip.mp4", pictures(10), pts=pts, time_base=Fraction(1, 30000))
    output = recoded(path)
    assert stamps(output) == stamps(path)
    assert stamps(output)[1] - stamps(output)[0] == Fraction(1001, 30000)
    durations = [open_clip(p, max_pixels=10**7) for p in (path, output)]
    assert len({clip.last_duration * clip.time_base for clip in durations}) == 1


@pytest.mark.parametrize("streams", [0, 1, 3])
@pytest.mark.parametrize("ending", [".mp4", ".mkv"])
def test_audio_is_not_encoded_again(recoded, tmp_path, streams, ending):
    path = write_clip(tmp_path / "clip.mp4", pictures(10), audio=streams)
    output = recoded(path, ending)
    before, after = packets(path, "audio"), packets(output, "audio")
    assert len(before) == len(after) == streams
    assert [[data for _, data in s] for s in before] == [[data for _, data in s] for s in after]
    # Matroska has no times below 0: the beginning of the encoder's lead-in moves everything.
    gaps = [
        [after - before for (before, _), (after, _) in zip(*pair, strict=True)]
        for pair in zip(before, after, strict=True)
    ]
    shift = stamps(output)[0] - stamps(path)[0]
    assert all(abs(gap - shift) <= Fraction(1, 1000) for stream in gaps for gap in stream)
    if ending == ".mp4":
        assert shift == 0


@pytest.mark.parametrize("size", [(63, 48), (64, 47), (33, 31), (16, 2)])
def test_odd_sizes(recoded, tmp_path, size):
    path = write_clip(tmp_path / "clip.mkv", pictures(3, size), codec="ffv1", pix_fmt="yuv444p")
    output = recoded(path)
    assert open_clip(output, max_pixels=10**7).size == size


def test_a_trimmed_clip(recoded, tmp_path):
    """Its file holds frames, and its header counts them, that an edit list leaves out."""
    whole = write_clip(tmp_path / "whole.mp4", pictures(40), audio=1)
    path = earlier(whole, tmp_path / "clip.mp4", Fraction(1, 2))
    output = recoded(path)
    assert 20 < len(stamps(path)) < 40
    assert stamps(output) == stamps(path)


def test_frames_that_an_avi_has_dropped(recoded, tmp_path):
    pts = [0, 1, 2, 3, 8, 9, 10, 15, 16, 17]
    path = write_clip(tmp_path / "clip.avi", pictures(10), pts=pts, codec="mjpeg", pix_fmt="yuvj420p")
    output = recoded(path)
    assert stamps(output) == [Fraction(p, 25) for p in pts]


def test_b_frames_in_an_avi(recoded, tmp_path):
    path = write_clip(tmp_path / "clip.avi", pictures(30))
    output = recoded(path)
    times = stamps(output)
    assert {after - before for before, after in itertools.pairwise(times)} == {Fraction(1, 25)}
    assert len(times) == 30


def test_sound_that_a_container_cannot_hold_becomes_aac(recoded, tmp_path, caplog):
    path = write_clip(tmp_path / "clip.mkv", pictures(25), audio=1, audio_codec="tta")
    assert endings_for(path)[0] == ".mkv"
    assert packets(recoded(path, ".mkv"), "audio") == packets(path, "audio")
    assert not caplog.records
    output = recoded(path, ".mp4")
    assert "its sound (tta) becomes AAC, for .mp4 cannot hold it" in caplog.text
    assert_same_sound(path, output)


def test_the_default_ending_is_one_that_takes_the_subtitles(recoded, tmp_path, caplog):
    plain = write_clip(tmp_path / "plain.mp4", pictures(25), audio=1)
    path = with_subtitles(plain, tmp_path / "clip.mkv")
    assert endings_for(plain)[0] == ".mp4"
    assert endings_for(path)[0] == ".mkv"
    assert endings_for(path, with_subtitles=False)[0] == ".mp4"
    output = recoded(path, ".mkv")
    assert packets(output, "subtitle") == packets(path, "subtitle") != []
    assert not caplog.records
    recoded(path, ".mp4")
    assert "its subtitles are left out, for mp4 cannot hold them" in caplog.text


@pytest.mark.parametrize("source", [".avi", ".mkv"])
@pytest.mark.parametrize("layout", ["stereo", "7.1"])
def test_uncompressed_sound_of_several_channels(recoded, tmp_path, source, layout):
    """These containers state only the number of channels, which .mp4 finds out when it is closed."""
    path = tmp_path / f"clip{source}"
    write_clip(path, pictures(25), audio=1, audio_codec="pcm_s16le", layout=layout)
    ending = endings_for(path)[0]
    output = recoded(path, ending)
    assert sum(len(data) for _, data in packets(output, "audio")[0]) > 0
    if layout == "stereo":
        assert ending == ".mp4"
        assert_same_sound(path, output)


@pytest.mark.parametrize(
    ("layout", "kept"), [("stereo", "stereo"), ("5.1(side)", "5.1"), ("quad", "quad"), ("7.1", "7.1")]
)
@pytest.mark.parametrize("ending", [".mp4", ".mov"])
def test_sound_that_becomes_aac_keeps_its_channels(recoded, tmp_path, ending, layout, kept):
    path = tmp_path / "clip.mkv"
    write_clip(path, pictures(25), audio=1, audio_codec="wavpack", layout=layout, rate=48000)
    output = recoded(path, ending)
    with av.open(str(output)) as container:
        sound = container.streams.audio[0].codec_context
        assert (sound.name, sound.layout.name) == ("aac", kept)
    assert_same_sound(path, output)


def test_sound_that_no_container_holds(recoded, tmp_path):
    path = write_clip(tmp_path / "clip.avi", pictures(25), audio=1, audio_codec="adpcm_ms", rate=32000)
    for ending in endings_for(path):
        assert_same_sound(path, recoded(path, ending))


def assert_same_sound(path, output):
    """The same tone at the same time: by its correlation."""
    before, after = heard(path), heard(output)
    assert abs(len(before) - len(after)) < 2500  # AAC comes in blocks, of which one leads in
    num = min(len(before), len(after))
    assert np.corrcoef(before[:num], after[:num])[0, 1] > 0.95


def heard(path):
    """Samples at 8000 Hz from time 0 on."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=8000)
    with av.open(str(path)) as container:
        parts = []
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                lead_in = -min(0, round(piece.pts * piece.time_base * 8000)) if not parts else 0
                parts.append(piece.to_ndarray()[0][lead_in:])
    return np.concatenate(parts)


SOURCES = {
    "a.mp4": ("libx264", "aac"),
    "b.mov": ("libx264", "pcm_s16le"),
    "c.mkv": ("libx264", "flac"),
    "d.avi": ("mpeg4", "mp2"),
    "e.mpg": ("mpeg2video", "mp2"),
    "f.ts": ("libx264", "aac"),
    "g.m2ts": ("mpeg2video", "ac3"),
    "h.vob": ("mpeg2video", "ac3"),
    "i.webm": ("libvpx-vp9", "libopus"),
    "j.flv": ("flv", "libmp3lame"),
    "k.wmv": ("wmv2", "libmp3lame"),
    "l.3gp": ("mpeg4", "aac"),
    "m.ogv": ("libtheora", "libvorbis"),
    "n.mxf": ("mpeg2video", ""),
}


@pytest.mark.parametrize("name", SOURCES)
def test_as_long_as_the_source(recoded, tmp_path, name):
    codec, sound = SOURCES[name]
    for needed in (codec, sound):
        if needed and needed not in av.codecs_available:
            pytest.skip(f"no {needed}")
    path = write_clip(
        tmp_path / name, pictures(50), codec=codec, audio=bool(sound), audio_codec=sound, rate=48000
    )
    output = recoded(path, endings_for(path)[0])
    times, source_times = stamps(output), stamps(path)
    assert len(times) == 50
    assert times == pytest.approx(source_times, abs=1e-3)
    with av.open(str(output)) as result:  # what FFmpeg says of a program stream is too short
        assert result.duration == pytest.approx(2_000_000, abs=100_000)
        assert 0 <= min(float(times[0]), result.start_time / 1e6) < 0.1


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_time_codes(recoded, tmp_path, caplog, ending):
    path = write_clip(tmp_path / "clip.mkv", pictures(3), metadata={"timecode": "01:02:03:04"})
    with av.open(str(recoded(path, ending))) as result:
        found = {**result.metadata, **result.streams[0].metadata}
    found = {key.lower(): value for key, value in found.items()}
    assert len(stamps(tmp_path / f"out{ending}")) == 3
    assert found["timecode"] == "01:02:03:04"
    assert not caplog.records


def test_a_time_code_that_cannot_be_kept(tmp_path, caplog):
    path = write_clip(tmp_path / "clip.mkv", pictures(2), metadata={"timecode": "01:02:03:04"})
    clip = replace(open_clip(path, max_pixels=10**7), rate=Fraction(60000))
    assert plan_target(clip, tmp_path / "out.mp4", 80).left_out == {"timecode"}
    assert "its time code cannot be kept in .mp4, and is left out" in caplog.text


def test_the_time_code_of_a_stream_is_carried_over(recoded, tmp_path):
    tape = write_clip(tmp_path / "tape.mov", pictures(3), metadata={"timecode": "01:02:03:04"})
    with av.open(str(recoded(tape, ".mov"))) as result:
        assert result.streams[0].metadata["timecode"] == "01:02:03:04"


def test_a_rate_that_is_a_clock(recoded, tmp_path):
    """Raw DV says 60000."""
    frames = [np.full((576, 720, 3), 90 + i, np.uint8) for i in range(5)]
    path = write_clip(tmp_path / "tape.dv", frames, codec="dvvideo")
    assert open_clip(path, max_pixels=10**7).rate == 25
    with av.open(str(recoded(path))) as result:
        assert result.streams[0].average_rate == 25


def fields(num, size=(64, 48)):
    """A stripe that moves 4 pixels between the fields of each frame."""
    frames = []
    for i in range(num):
        frame = np.full((size[1], size[0], 3), 60, np.uint8)
        for field in (0, 1):
            frame[field::2, 8 * (i % 4) + 4 * field : 8 * (i % 4) + 4 * field + 12] = 200
        frames.append(frame)
    return frames


def interlaced(path, size=(64, 48)):
    options = {"flags": "+ildct+ilme", "x264-params": "tff=1", "crf": "5"}
    pix_fmt = "yuv420p" if size[1] % 4 == 0 else "yuv444p"
    return write_clip(path, fields(8, size), encoder=options, pix_fmt=pix_fmt)


def combing(path):
    """How much neighbouring rows differ, of those that the fields hold apart."""
    rows = np.stack([frame.luma.astype(int) for frame in read_frames(open_clip(path, max_pixels=10**7))])
    return np.abs(np.diff(rows, axis=1)).mean()


@pytest.mark.parametrize("size", [(64, 48), (64, 46)])
def test_combed_frames_are_marked(recoded, tmp_path, size):
    path = interlaced(tmp_path / "clip.mkv", size)
    output = recoded(path)
    assert open_clip(path, max_pixels=10**7).field_order == "tff"
    with av.open(str(output)) as result:
        assert all(frame.interlaced_frame for frame in result.decode(video=0))
    assert combing(output) > 10


def test_deinterlacing(recoded, tmp_path):
    path = interlaced(tmp_path / "clip.mkv")
    output = recoded(path, deinterlace=True)
    assert combing(output) < 0.3 * combing(path)
    assert stamps(output) == stamps(path)
    with av.open(str(output)) as result:
        assert not any(frame.interlaced_frame for frame in result.decode(video=0))


def test_a_clip_that_cannot_be_encoded(tmp_path):
    path = write_clip(tmp_path / "clip.mkv", pictures(2), codec="ffv1")
    clip = replace(open_clip(path, max_pixels=10**7), size=(17000, 16))
    with pytest.raises(ClipError, match="cannot be encoded"):
        plan_target(clip, tmp_path / "out.mp4", 80)


@pytest.mark.parametrize("ending", [".mp4", ".mov", ".mkv"])
def test_the_name_and_language_of_the_video(recoded, tmp_path, ending):
    plain, path = write_clip(tmp_path / "plain.mp4", pictures(3)), tmp_path / "clip.mkv"
    with av.open(str(plain)) as source, av.open(str(path), "w") as target:
        copy = target.add_stream_from_template(source.streams.video[0])
        copy.metadata.update({"title": "Camera A", "language": "eng", "BPS": "5"})
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    with av.open(str(recoded(path, ending))) as result:
        found = result.streams.video[0].metadata
    assert found["language"] == "eng"
    assert "BPS" not in found
    assert found.get("title") == "Camera A" or ending != ".mkv"


def test_transparency_is_told_of(recoded, tmp_path, caplog):
    path = write_clip(tmp_path / "clip.mov", pictures(3), codec="prores_ks", pix_fmt="yuva444p10le")
    recoded(path)
    assert caplog.messages == [f"{path}: its transparency is left out"]


def test_a_cover_picture_is_told_of(recoded, tmp_path, caplog):
    movie = write_clip(tmp_path / "movie.mp4", pictures(3))
    photo = write_clip(tmp_path / "cover.avi", pictures(1), codec="mjpeg", pix_fmt="yuvj420p")
    path = tmp_path / "clip.mp4"
    with av.open(str(movie)) as clip, av.open(str(photo)) as cover, av.open(str(path), "w") as target:
        copies = [target.add_stream_from_template(part.streams.video[0]) for part in (clip, cover)]
        copies[1].disposition = av.stream.Disposition.attached_pic
        for copy, part in zip(copies, (clip, cover), strict=True):
            for packet in part.demux(video=0):
                if packet.dts is not None:
                    packet.stream = copy
                    target.mux(packet)
    recoded(path)
    assert caplog.messages == [f"{path}: its cover picture is left out"]
