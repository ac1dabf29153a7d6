"""The program in processes of its own: one that may be killed or limited, or several of one job."""

from __future__ import annotations

import multiprocessing
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

import main
from core.distributed import leave

MAIN = Path(main.__file__)


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The last line on stderr."""
        return self.err.strip().splitlines()[-1] if self.err.strip() else ""


def torchrun(*argv: object, script: Path = MAIN, processes: int = 2) -> subprocess.CompletedProcess[str]:
    """Run the program in several processes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += [f"--nproc_per_node={processes}", str(script), *map(str, argv)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(MAIN.parent)}
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment)


_CONTEXT = multiprocessing.get_context("forkserver" if sys.platform != "win32" else "spawn")
_CONTEXT.set_forkserver_preload(["conftest", "train", "predict", "evaluate"])


def start(function: Callable[..., object], *args: object) -> BaseProcess:
    """Call a function of a module in a process that begins with everything imported.

    Unlike a fork of this process it has none of its threads.
    """
    with pytest.MonkeyPatch.context() as patch:
        # Where the server of the forks, begun by the first of them, looks for what it imports for all.
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        process = _CONTEXT.Process(target=function, args=args)
        process.start()
    return process


def start_forked(
    *argv: object,
    prepare: Callable[[], object] = bool,
    place: Mapping[str, str] | None = None,
    streams: Sequence[Path] = (Path(os.devnull),) * 2,
) -> BaseProcess:
    """Start the program as `start` does a function.

    Args:
        argv: its command line.
        prepare: called there before; a function of a module.
        place: added to its environment.
        streams: files that its output and its errors are appended to.
    """
    return start(_run_at, place or {}, streams, prepare, list(map(str, argv)))


def run_forked(*argv: object, processes: int = 1, prepare: Callable[[], object] = bool) -> Outcome:
    """Run the program in a process of `start`, or in several as torchrun does."""
    port = free_port()
    places = [join_job(rank, processes, port) if processes > 1 else {} for rank in range(processes)]
    with tempfile.TemporaryDirectory() as name:
        streams = [Path(name) / stream for stream in ("out", "err")]
        for path in streams:
            path.touch()
        work = [start_forked(*argv, prepare=prepare, place=place, streams=streams) for place in places]
        for process in work:
            process.join(240)
            process.kill()  # does nothing to one that has ended
            process.join()  # else one that was killed would have no exit code, like one that succeeded
        code = max(abs(process.exitcode or 0) for process in work)
        return Outcome(code, *(path.read_text() for path in streams))


def join_job(rank: int, size: int, port: int) -> dict[str, str]:
    """What torchrun says in the environment of one of several processes."""
    values = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "LOCAL_WORLD_SIZE": size}
    return {**{k: str(v) for k, v in values.items()}, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _run_at(
    place: Mapping[str, str], streams: Sequence[Path], prepare: Callable[[], object], argv: list[str]
) -> None:
    os.environ.update(place)
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    prepare()
    leave(main.main(argv))
