"""What the programs share that feed mutated files to predict.

Files are cut short, have bits flipped, bytes overwritten, sizes in their headers replaced, parts repeated or
another ending. Each goes through the program as a person would run it. What must hold: exit code 0 with a
file that opens, or 2 with one line and nothing written; no case above its limit of time, and the process
never above its limit of memory. A worker that dies is counted, and its case kept.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import multiprocessing
import os
import random
import resource
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.files import write_json

_START_S = 60


@dataclass(frozen=True)
class Subject:
    """What is mutated, and how it is judged.

    Attributes:
        originals: gives whole files, by name.
        open_output: raises where what was written does not open.
        ending: of the file to write.
        flags: more flags of the program.
        limit_s: longest time of a case.
        limit_mb: largest memory of the process.
    """

    originals: Callable[[], dict[str, bytes]]
    open_output: Callable[[Path], Any]
    ending: str
    flags: tuple[str, ...]
    limit_s: int
    limit_mb: int


def truncate(data: bytearray, rng: random.Random) -> None:
    """Cut the end off."""
    del data[rng.randrange(len(data)) :]


def flip_bits(data: bytearray, rng: random.Random) -> None:
    """Flip a few bits anywhere."""
    for _ in range(rng.choice((1, 4, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def lie_in_the_header(data: bytearray, rng: random.Random) -> None:
    """Replace a number near the beginning or the end by an extreme one."""
    reach = min(len(data), 400)
    place = rng.randrange(reach) if rng.random() < 0.7 else len(data) - 1 - rng.randrange(reach)
    number = rng.choice((0, 1, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0xFFFFFFFF))
    width = rng.choice((1, 2, 4))
    data[place : place + width] = (number & (256**width - 1)).to_bytes(width, rng.choice(("big", "little")))


def repeat_a_part(data: bytearray, rng: random.Random) -> None:
    """Insert a part of the file once more somewhere else."""
    start = rng.randrange(len(data))
    place = rng.randrange(len(data))
    data[place:place] = data[start : start + rng.randrange(1, 600)]


def fill_with_noise(data: bytearray, rng: random.Random) -> None:
    """Overwrite a stretch with noise."""
    start = rng.randrange(len(data))
    stretch = min(rng.randrange(1, 200), len(data) - start)
    data[start : start + stretch] = rng.randbytes(stretch)


MUTATIONS: tuple[Callable[[bytearray, random.Random], None], ...] = (
    truncate,
    flip_bits,
    lie_in_the_header,
    repeat_a_part,
    fill_with_noise,
)


def make_case(number: int, files: dict[str, bytes]) -> tuple[str, bytes]:
    """Name and contents of a mutated file; all of it follows from the number."""
    rng = random.Random(number)
    name = rng.choice(sorted(files))
    data = bytearray(files[name])
    for mutation in rng.sample(MUTATIONS, rng.choice((1, 1, 2))):
        if data:
            mutation(data, rng)
    ending = rng.choice(sorted(files)).rpartition(".")[2] if rng.random() < 0.1 else name.rpartition(".")[2]
    return f"{number}_{name.partition('.')[0]}.{ending}", bytes(data)


def run_case(subject: Subject, name: str, data: bytes, folder: Path) -> str:
    """What became of a case: 'colored', 'refused', or what is wrong."""
    import main

    file, output = folder / name, folder / f"out{subject.ending}"
    file.write_bytes(data)
    output.unlink(missing_ok=True)
    out, err = io.StringIO(), io.StringIO()
    signal.alarm(subject.limit_s)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            argv = ["--mode=predict", f"--image_path={file}", f"--output_path={output}", *subject.flags]
            code = main.main(argv)
    except (Exception, SystemExit) as error:  # whatever comes out of the program is the finding
        return f"{type(error).__name__}: {error}"
    finally:
        signal.alarm(0)
        file.unlink(missing_ok=True)
    rest = [path.name for path in folder.iterdir() if path != output]
    if rest:
        return f"left {rest}"
    complaints = [line for line in err.getvalue().splitlines() if line.startswith("error:")]
    if code == 2 and len(complaints) == 1 and not output.exists() and name in complaints[0]:
        return "refused"  # and for what the file is, not for the lack of weights or of memory
    if code == 0 and not complaints:
        subject.open_output(output)
        return "colored"
    return f"exit code {code}, {len(complaints)} complaints, output {output.exists()}"


class TookTooLong(Exception):
    """A case ran into the limit of time."""


def _raise(*_: Any) -> None:
    raise TookTooLong


def work(subject: Subject, first: int, last: int, results: Any) -> None:
    """Run cases in a process of their own, whose death is no harm."""
    import torch

    from checkpoint import shipped
    from inference import weights as chosen

    torch.set_num_threads(1)
    signal.signal(signal.SIGALRM, _raise)
    # The weights are the same for every case: loading them once is all that is left out.
    load = chosen.load_weights
    kept = load(shipped.find_weights(None, None, "model1"))
    chosen.load_weights = lambda path, **options: kept
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # what C libraries print past Python
    files = subject.originals()
    with tempfile.TemporaryDirectory() as name:
        for number in range(first, last):
            results.put((number, None, 0.0))
            case, data = make_case(number, files)
            outcome = run_case(subject, case, data, Path(name))
            scale = 1024 if sys.platform != "darwin" else 1024**2
            memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale
            results.put((number, outcome, memory))


def fuzz(subject: Subject, num_cases: int, first: int) -> dict[str, Any]:
    """Run all cases, and count."""
    counts: Counter[str] = Counter()
    bad: list[dict[str, Any]] = []
    peak, number, last = 0.0, first, first + num_cases
    context = multiprocessing.get_context("spawn")
    while number < last:
        results = context.SimpleQueue()
        process = context.Process(target=work, args=(subject, number, last, results))
        process.start()
        at, before = number, 0.0
        while number < last:
            waited = 0.0
            while results.empty() and process.is_alive():
                process.join(0.05)
                waited += 0.05
                if waited > 2 * subject.limit_s + _START_S:  # C code that no signal reaches
                    process.kill()
            if results.empty():
                break
            at, outcome, memory = results.get()
            if outcome is None:
                continue
            number, peak = at + 1, max(peak, memory)
            counts[outcome if outcome in ("colored", "refused") else "wrong"] += 1
            if outcome not in ("colored", "refused") or memory > subject.limit_mb >= before:
                bad.append({"case": at, "outcome": outcome, "memory_mb": memory})
            before = memory  # the largest so far: it never falls
        process.join()
        if number < last:  # it died in the middle of a case
            bad.append({"case": at, "outcome": f"died with {process.exitcode}", "memory_mb": None})
            counts["died"] += 1
            number = at + 1
    return {"cases": num_cases, "first": first, **counts, "peak_memory_mb": peak, "bad": bad}


def run(subject: Subject, description: str, num_cases: int) -> int:
    """The command line of such a program; its exit code."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cases", type=int, default=num_cases)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--json", type=Path, help="write the counts to this file")
    args = parser.parse_args()
    found = fuzz(subject, args.cases, args.first)
    print({key: value for key, value in found.items() if key != "bad"})
    for row in found["bad"]:
        print(row)
    if args.json:
        write_json(args.json, found)
    return 1 if found["bad"] or not found.get("colored") else 0
