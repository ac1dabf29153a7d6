"""The tables of docs/video.md."""

from __future__ import annotations

from typing import Any

from benchmarks.figures.markdown import head, row, spread

_OF_ENCODING = ("time", "bytes", "PSNR")


def flicker(found: dict[str, Any]) -> list[str]:
    """The mean change of colours from frame to frame."""
    lines = head("clip", ("frames", "cuts before frame", "off", "steady", "its own"))
    for name, clip in found["clips"].items():
        values = [clip["flicker"][key] for key in ("off", "steady", "true")]
        cells = [str(clip["frames"]), ", ".join(map(str, clip["cuts"])) or "none"]
        lines.append(row([name, *cells, *("" if value is None else f"{value:.2f}" for value in values)]))
    return [f"`{found['command']}`:\n", *lines]


def flicker_scores(found: dict[str, Any]) -> list[str]:
    """PSNR and CIE76 against the clips' own colours."""
    kinds = ("gray", "off", "steady")
    lines = head("clip", ("PSNR: gray", "off", "steady", "ΔE76: gray", "off", "steady"))
    for name, clip in found["clips"].items():
        if scores := clip["scores"]:
            cells = [f"{scores[kind][m]:.2f}" for m in ("psnr", "delta_e_76") for kind in kinds]
            lines.append(row([name, *cells]))
    return lines


def returning(found: dict[str, Any]) -> list[str]:
    """How far the colours of a shot that comes back are from those that it had."""
    pairs = [f"{what}: without" for what in ("first frame", "last frame", "error")]
    lines = head("shot", [title for pair in pairs for title in (pair, "with")])
    for name, shot in found["shots"].items():
        kinds = shot["without"], shot["with"]
        values = [kind[key] for key in ("first", "last", "error") for kind in kinds]
        lines.append(row([name, *("" if value is None else f"{value:.2f}" for value in values)]))
    shots = [shot["with"]["pulled"] for shot in found["shots"].values()]
    num, wrong = (sum(shot[key] for shot in shots) for key in ("after", "before"))
    return [
        f"`{found['command']}`, with `{found['weights']}`:\n",
        *lines,
        f"\nOf {len(shots)} shots that came back {num} were known again, and {wrong} were taken for another "
        "when they were seen first.",
    ]


def flow(found: dict[str, Any]) -> list[str]:
    """Optical flows side by side."""
    lines = head("flow", ("flicker", "what remains, L\\*", "ms"))
    for name, each in found["mean"].items():
        lines.append(row([name, f"{each['flicker']:.3f}", f"{each['remains']:.2f}", f"{each['ms']:.1f}"]))
    return [f"`{found['command']}`, mean over the clips:\n", *lines]


def speed(found: dict[str, Any]) -> list[str]:
    """Frames a second beside another checkout."""
    lines = head("", ("", "frames per second", "processor time of a frame, s"))
    for size, programs in found["speed"].items():
        for program, each in programs.items():
            cells = [spread(each["frames_per_s"], 1), spread(each["processor_s"], 3)]
            lines.append(row([size, program, *cells]))
    return [
        f"`{found['command']}`, {found['machine']['cores']} cores, no GPU:\n",
        *lines,
        "\nPeak memory of the command on 480p, most of it libraries: "
        + "; ".join(f"{program}: {_peaks(peaks)}" for program, peaks in found["peak_mb"].items())
        + ".",
    ]


def speed_stages(found: dict[str, Any]) -> list[str]:
    """Processor time by stage."""
    stages = list(next(iter(found["stages_ms"].values())))
    lines = head("", stages)
    for size, times in found["stages_ms"].items():
        lines.append(row([size, *(f"{times[stage]:.1f}" for stage in stages)]))
    return lines


def every(found: dict[str, Any]) -> list[str]:
    """What it saves and costs to let the model see each N-th frame alone."""
    lines = head("N", ("processor time of a frame, s", "flicker", "PSNR", "ΔE76"))
    for num, each in found["rows"].items():
        scores = [f"{each[key]:.2f}" for key in ("flicker", "psnr", "delta_e_76")]
        lines.append(row([num, spread(each["processor_s"], 3), *scores]))
    floor = next(iter(found["rows"].values()))
    scores = [f"{floor[key]:.2f}" for key in ("gray_psnr", "gray_delta_e_76")]
    lines.append(row(["gray (floor)", "", "", *scores]))
    return [f"`{found['command']}`, mean over {len(found['clips'])} clips:\n", *lines]


def encoding(found: dict[str, Any]) -> list[str]:
    """Time, bytes and PSNR of the encoder's settings."""
    ways = list(next(iter(found["clips"].values())))
    lines = head("clip", [f"{kind}: {way}" for kind in _OF_ENCODING for way in ways])
    for name, clip in found["clips"].items():
        rows = [clip[way] for way in ways]
        cells = [f"{each['time']['median']:.2f}" for each in rows]
        cells += [f"{each['bytes']:.2f}" for each in rows] + [f"{each['psnr']:.1f}" for each in rows]
        lines.append(row([name, *cells]))
    return [f"`{found['command']}`:\n", *lines]


def fuzz(found: dict[str, Any]) -> list[str]:
    """What became of mutated clips."""
    return [
        f"`python -m benchmarks.fuzz.fuzz_video --cases={found['cases']}`: {found['cases']:,} mutated clips, "
        f"{found['colored']:,} colored, {found['refused']:,} refused in one line, {len(found['bad'])} with "
        f"another end; at most {found['peak_memory_mb']:.0f} MB."
    ]


def _peaks(by_frames: dict[str, float]) -> str:
    return ", ".join(f"{num} frames {peak:.0f} MB" for num, peak in by_frames.items())
