"""Write docs/video.md from docs/video/*.json.

    python -m benchmarks.video

Each table names the program that measured it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.bench_video import RESULTS
from core.files import read_json, write_text

PAGE = Path(__file__).parent.parent / "docs" / "video.md"


def page() -> str:
    """The text of docs/video.md, from docs/video/*.json alone."""
    return "\n".join(
        [
            _HEAD,
            *_flicker(read_json(RESULTS / "flicker.json")),
            *_speed(read_json(RESULTS / "speed.json")),
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
        f"`{found['command']}`, with `weights/model1.safetensors`:\n",
        *lines,
        _SCORES,
        *scored,
        "",
    ]


def _speed(found: dict[str, Any]) -> list[str]:
    lines = ["| | steady | off |", "|---|---|---|"]
    for size, kinds in found["speed"].items():
        cells = ["{median:.1f} [{low:.1f}, {high:.1f}]".format(**kinds[kind]) for kind in ("steady", "off")]
        lines.append(f"| {size} | " + " | ".join(cells) + " |")
    return [
        _SPEED,
        f"`{found['command']}`, {found['machine']['cores']} cores, no GPU, frames per second:\n",
        *lines,
        "",
        "Peak memory of the command on 480p: "
        + ", ".join(f"{num} frames {peak:.0f} MB" for num, peak in found["peak_mb"].items())
        + ".\n",
    ]


def _damaged(found: dict[str, Any]) -> list[str]:
    return [
        _DAMAGED,
        f"`python -m benchmarks.fuzz_video --cases={found['cases']}`: {found['cases']:,} mutated clips, "
        f"{found['colored']:,} colored, {found['refused']:,} refused in one line, {len(found['bad'])} with "
        f"another end; at most {found['peak_memory_mb']:.0f} MB.\n",
    ]


_HEAD = """# Clips

What `--mode=predict` does to a clip, and how steady its colours are. Written by `python -m benchmarks.video`
from the JSON files in [`video/`](video).

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
* **Side by side**: some frames are decoded, seen by the model, followed, colored and encoded at once, a core
  each; their number does not grow with the clip. `--every=N` shows the model each N-th frame alone and
  moves the colours along between; new things then get their colours up to N - 1 frames late.
* **Interlaced** clips are colored as they are, each field with its own colours, stay marked as such, and cost
  a warning; `--deinterlace` makes whole frames of them (bwdif, as many frames as before).
* **Stopped**: finished frames are kept, 240 to a file, in a hidden folder beside the clip to be. Ctrl-C loses
  none of them, a kill at most 240. The same command goes on after the last, to the same colours. The folder
  is gone when the clip is whole.
* **Memory** does not grow with the length: see [Speed](#speed).
* **Not**: HDR is refused, and so are clips whose times begin again or whose size changes. Alpha is lost. 12
  bits become 10. Primaries other than those of sRGB are kept as tags, not converted. The first video stream
  is colored, others are left out. Flips of the display matrix are kept, but the model sees them unflipped.
"""
_FLICKER = """**The figures below** are of the code before the luma went through as it came and colours
were computed at the size of the chroma planes; they are to be measured again.

## Flicker

A model looks at each frame by itself, and its colours change with every grain. `--temporal=steady` moves the
colours of the frame before along the optical flow and averages: 85 % of them where the moved frame looks like
this one, none where it does not ([`video/temporal.py`](../video/temporal.py)). A cut, found by how
little two frames correlate, begins anew. Flicker is the mean change of (a\\*, b\\*) from a frame to the next
along the motion, by another optical flow than the averaging's; CIELAB units.
"""
_SCORES = """
What it costs: whole frames against the clip's own, every tenth, beside no colour at all.
"""
_SPEED = """## Speed

From the file to the written file, with the weights loaded; gray clips under grain, 48 frames.
"""
_DAMAGED = """## Damaged clips

Files of ten kinds are cut short, have bits flipped, numbers in headers replaced, parts repeated or noise
written over them. Damage that the decoder conceals is colored as it is.
"""


if __name__ == "__main__":
    write_text(PAGE, page())
