"""Write docs/video.md from docs/video/*.json.

    python -m benchmarks.figures.video

Each table names the program that measured it.
"""

from __future__ import annotations

from typing import Any

from benchmarks.common import ROOT
from benchmarks.studies.bench_video import RESULTS
from core.files import read_json, write_text

PAGE = ROOT / "docs" / "video.md"


def page() -> str:
    """The text of docs/video.md, from docs/video/*.json alone."""
    return "\n".join(
        [
            _HEAD,
            *_flicker(read_json(RESULTS / "flicker.json")),
            *_returning(read_json(RESULTS / "returning.json")),
            *_flow(read_json(RESULTS / "flow.json")),
            *_speed(read_json(RESULTS / "speed.json")),
            *_every(read_json(RESULTS / "every.json")),
            *_encoding(read_json(RESULTS / "encoding.json")),
            *_damaged(read_json(RESULTS / "fuzz.json")),
        ]
    )


def _flicker(found: dict[str, Any]) -> list[str]:
    lines = ["| clip | frames | cuts before frame | off | steady | its own |", "|---|---|---|---|---|---|"]
    scored = [
        "| clip | PSNR: gray | off | steady | ΔE76: gray | off | steady |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, clip in found["clips"].items():
        flicker = [clip["flicker"][key] for key in ("off", "steady", "true")]
        cells = [str(clip["frames"]), ", ".join(map(str, clip["cuts"])) or "none"]
        cells += ["" if value is None else f"{value:.2f}" for value in flicker]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
        if clip["scores"]:
            kinds = ("gray", "off", "steady")
            cells = [f"{clip['scores'][kind][m]:.2f}" for m in ("psnr", "delta_e_76") for kind in kinds]
            scored.append(f"| {name} | " + " | ".join(cells) + " |")
    return [
        _FLICKER,
        f"`{found['command']}`:\n",
        *lines,
        _SCORES,
        *scored,
        "",
    ]


def _returning(found: dict[str, Any]) -> list[str]:
    lines = [
        "| shot | first frame: without | with | last frame: without | with | error: without | with |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, shot in found["shots"].items():
        kinds = shot["without"], shot["with"]
        values = [kind[key] for key in ("first", "last", "error") for kind in kinds]
        cells = ["" if value is None else f"{value:.2f}" for value in values]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    shots = [shot["with"]["pulled"] for shot in found["shots"].values()]
    num, wrong = (sum(shot[key] for shot in shots) for key in ("after", "before"))
    return [
        _RETURNING,
        f"`{found['command']}`, with `{found['weights']}`:\n",
        *lines,
        f"\nOf {len(shots)} shots that came back {num} were known again, and {wrong} were taken for another "
        "when they were seen first.\n",
    ]


def _flow(found: dict[str, Any]) -> list[str]:
    lines = ["| flow | flicker | what remains, L\\* | ms |", "|---|---|---|---|"]
    for name, row in found["mean"].items():
        lines.append(f"| {name} | {row['flicker']:.3f} | {row['remains']:.2f} | {row['ms']:.1f} |")
    return [_FLOW, f"`{found['command']}`, mean over the clips:\n", *lines, ""]


def _speed(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["speed"]:
        lines += ["| | | frames per second | processor time of a frame, s |", "|---|---|---|---|"]
    for size, programs in found["speed"].items():
        for program, row in programs.items():
            cells = [_spread(row["frames_per_s"], 1), _spread(row["processor_s"], 3)]
            lines.append(f"| {size} | {program} | " + " | ".join(cells) + " |")
    stages = list(next(iter(found["stages_ms"].values())))
    lines += ["\nProcessor time of a frame by stage, milliseconds:\n"]
    lines += ["| | " + " | ".join(stages) + " |", "|---" * (1 + len(stages)) + "|"]
    for size, times in found["stages_ms"].items():
        lines.append(f"| {size} | " + " | ".join(f"{times[stage]:.1f}" for stage in stages) + " |")
    return [
        _SPEED,
        f"`{found['command']}`, {found['machine']['cores']} cores, no GPU; load average of the machine "
        f"before: {found['load']:.1f}.\n",
        *lines,
        "",
        "Peak memory of the command on 480p, most of it libraries: "
        + "; ".join(f"{program}: {_peaks(peaks)}" for program, peaks in found["peak_mb"].items())
        + ".\n",
    ]


def _every(found: dict[str, Any]) -> list[str]:
    lines = ["| N | processor time of a frame, s | flicker | PSNR | ΔE76 |", "|---|---|---|---|---|"]
    for every, row in found["rows"].items():
        scores = f"{row['flicker']:.2f} | {row['psnr']:.2f} | {row['delta_e_76']:.2f}"
        lines.append(f"| {every} | {_spread(row['processor_s'], 3)} | {scores} |")
    floor = next(iter(found["rows"].values()))
    lines.append(f"| gray (floor) | | | {floor['gray_psnr']:.2f} | {floor['gray_delta_e_76']:.2f} |")
    return [_EVERY, f"`{found['command']}`, mean over {len(found['clips'])} clips:\n", *lines, ""]


def _encoding(found: dict[str, Any]) -> list[str]:
    first = next(iter(found["clips"].values()))
    ways = list(first)
    lines = ["| clip | " + " | ".join(f"{kind}: {way}" for kind in _OF_ENCODING for way in ways) + " |"]
    lines.append("|---" * (1 + len(_OF_ENCODING) * len(ways)) + "|")
    for name, clip in found["clips"].items():
        rows = [clip[way] for way in ways]
        cells = [f"{row['time']['median']:.2f}" for row in rows] + [f"{row['bytes']:.2f}" for row in rows]
        cells += [f"{row['psnr']:.1f}" for row in rows]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return [_ENCODING, f"`{found['command']}`:\n", *lines, ""]


def _peaks(by_frames: dict[str, float]) -> str:
    return ", ".join(f"{num} frames {peak:.0f} MB" for num, peak in by_frames.items())


def _spread(row: dict[str, float], digits: int) -> str:
    return "{:.{n}f} [{:.{n}f}, {:.{n}f}]".format(*(row[k] for k in ("median", "low", "high")), n=digits)


def _damaged(found: dict[str, Any]) -> list[str]:
    return [
        _DAMAGED,
        f"`python -m benchmarks.fuzz.fuzz_video --cases={found['cases']}`: {found['cases']:,} mutated clips, "
        f"{found['colored']:,} colored, {found['refused']:,} refused in one line, {len(found['bad'])} with "
        f"another end; at most {found['peak_memory_mb']:.0f} MB.\n",
    ]


_HEAD = """# Clips

What `--mode=predict` does to a clip, and how steady its colours are. Written by
`python -m benchmarks.figures.video` from the JSON files in [`video/`](video).

* **Kept**: size, time stamps (also of a variable frame rate), rotation, the shape of pixels, the matrix and
  the range of Y'CbCr (a clip that names no matrix is taken for BT.709 from 1280 wide or above 576 lines, else
  for BT.601, and what is written says so), audio of all streams as it is (where the container cannot hold it
  as AAC, with a warning), subtitles that the container can hold, chapters, titles, and the time code, of the
  file or of one of its streams. The comment of the file says that its colours are inferred. Transport and
  program streams, whose clock began with the broadcast, start at 0. Encoder and container are tried out on a
  gray frame and all that belongs to the clip before the first frame is colored.
* **Encoded** by x264, 10 bits as 10 and others as 8, in 4:2:0; 4:4:4 where a side is odd, which not every
  player knows.
  `--quality` from 100 to 1 is a constant rate factor from 12 to 51, and 14 by default. No B-frames: every
  frame is stored where it is shown, for some more bytes. `.mp4`, `.m4v`, `.mov` and `.mkv` are written; times
  in `.mkv` are whole milliseconds, and none is below 0.
* **Luma** goes to the encoder as the decoder gives it, code for code. Colours are computed at the size of the
  chroma planes, along the edges of the luma there, and keep their difference from it: a strong colour comes
  out a little lighter in L\\* than its gray. Where one of R'G'B' would leave its range, all give up chroma.
* **The same things keep their colours**: a shot that comes back after a cut gets those that it had, with
  `--temporal=steady`: see [below](#shots-that-come-back).
* **Precision**: the network computes in bfloat16 where the hardware multiplies it (AVX-512 with BF16, GPUs of
  the last years) and so is faster, else in float32, as for photos; a model that draws always in float32. A
  clip is gone on with on hardware of the same kind alone; elsewhere it begins anew.
* **Side by side**: some frames are decoded, seen by the model, followed, colored and encoded at once, a core
  each; their number does not grow with the clip. `--every=N` shows the model each N-th frame alone and
  moves the colours along between; new things then get their colours up to N - 1 frames late.
* **Interlaced** clips are colored as they are, each field with its own colours, stay marked as such, and cost
  a warning; `--deinterlace` makes whole frames of them (bwdif, as many frames as before).
* **Stopped**: finished frames are kept, 240 to a file, in a hidden folder beside the clip to be. Ctrl-C loses
  none of them, a kill at most 240. The same command goes on after the last, to the same colours. The folder
  is gone when the clip is whole. Two processes never work on one clip: the second says so and stops. A run
  over a folder deletes those folders of others that hold no finished part and in which no process works, and
  names the rest with their size; `--overwrite` removes those of the clips that it colors.
* **Memory** does not grow with the length: see [Speed](#speed).
* **Not**: HDR is refused, and so are clips whose times begin again or whose size changes. Alpha is lost. 12
  bits become 10. Primaries other than those of sRGB are kept as tags, not converted. The first video stream
  is colored, others are left out. Flips of the display matrix are kept, but the model sees them unflipped.
"""
_FLICKER = """## Flicker

A model sees each frame by itself, and its colours change with every grain. `--temporal=steady` moves the
colours of the frame before along the optical flow and averages: 85 % of them where the moved frame looks like
this one, none where it does not ([`video/temporal.py`](../video/temporal.py)). A cut, found by how
little two frames correlate, begins anew. Flicker is the mean change of (a\\*, b\\*) from a frame to the next
along the motion, by another optical flow than the averaging's; CIELAB units.
"""
_SCORES = """
What it costs: whole frames against the clip's own, every tenth, beside no colour at all.
"""
_RETURNING = """## Shots that come back

As in a dialogue, A-B-A. The first and the last frames of the last shots are remembered (of the clip's first shot
the last one alone), as what the places of a small picture show and which colours they have, some 50 kB each and
at most 32. A shot that begins like one of them gets a smooth field added to its colours, which moves along with
what is seen: the difference between the colours that the same things had and those that the model gives them now
([`inference/transfer.py`](../inference/transfer.py), [`video/shots.py`](../video/shots.py)). A
clip without cuts keeps its colours to the bit, and so does every shot that is new.

A film is cut together from all shots that are long enough, each of which comes back a second later in its
story. Distance of the colours from those before the return, along the motion; error: from the clip's own
colours, where it has any. What was wrong stays wrong: a shot that comes back has the colours that it
had, not better ones.
"""
_FLOW = """## Optical flow

The program's own against OpenCV's DIS by preset and size in pixels, each on one core.
"""
_SPEED = """## Speed

From the file to the written file, with the weights loaded; gray clips under grain, steady colours. Stages
run side by side, a core each. *Before* is commit `05ff42d`, whose `unet_vivid` shows its encoder half as many pixels.
"""
_EVERY = """### Fewer frames seen

With `--every=N` the model sees each N-th frame alone, and between them the colours follow the motion, which
is estimated for every frame as before. Processor time at 480p; the scores are means over every fifth frame of the
clips in colour.
"""
_OF_ENCODING = ("time", "bytes", "PSNR")
_ENCODING = """### Encoding

x264 as it is set here (*veryfast*, without parts of a block that move by themselves, and the motion looked
for along a diamond) beside its presets at the same rate factor: processor time and bytes over those of
*veryfast*, and the PSNR of Y' in dB. The first frames of each clip, all without B-frames, on one core.
"""
_DAMAGED = """## Damaged clips

Files of ten kinds are cut short, have bits flipped, numbers in headers replaced, parts repeated or noise
written over them. Damage that the decoder conceals is colored as it is.
"""


if __name__ == "__main__":
    write_text(PAGE, page())
