"""Communication between the processes that torchrun starts for a job; without cost in a single process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

if TYPE_CHECKING:  # otherwise imported on use: it takes seconds, and --help does not need it
    import torch
    import torch.distributed as dist
    from torch import Tensor

T = TypeVar("T")

# One process may pack or download for hours while the others wait. A process that dies is still
# noticed at once: its connections close, and torchrun watches it.
_TIMEOUT = timedelta(days=2)
_MARKS_OF_A_LOST_PROCESS = ("gloo", "NCCL", "ProcessGroup", "Connection", "socket")

_store: dist.Store | None = None


@dataclass(frozen=True)
class World:
    """Rank of this process and size of the job; `local_`: among the processes of this machine."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the process that prints and writes."""
        return self.rank == 0


def world() -> World:
    """Read rank and size from the environment that torchrun sets; without it, a job of one process."""
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    if any(name not in os.environ for name in names):
        return World()
    return World(*(int(os.environ[name]) for name in names))


@contextlib.contextmanager
def session(device: torch.device) -> Iterator[None]:
    """Connect the processes of the job (torch.distributed) for the duration of the block."""
    global _store
    if world().size == 1:
        yield
        return
    import torch
    import torch.distributed as dist

    _store, rank, size = next(dist.rendezvous("env://"))
    backend = "gloo"
    if device.type == "cuda":
        torch.cuda.set_device(device)
        backend = "cpu:gloo,cuda:nccl"
    dist.init_process_group(backend, store=_store, rank=rank, world_size=size, timeout=_TIMEOUT)
    yield
    dist.destroy_process_group()  # not after an error: the others may be gone, and this would wait


def leave(code: int) -> NoReturn:
    """End this process with an exit code.

    A job of several processes skips Python's finalization: a gloo thread that requests the GIL during it
    is killed, which C++ reports as a crash although the work is done.
    """
    if world().size == 1:
        sys.exit(code)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def num_cores() -> int:
    """Number of cores of this machine per local process, at least 1."""
    return max(1, (os.cpu_count() or 1) // world().local_size)


def share(items: Sequence[T]) -> Sequence[T]:
    """The contiguous part of `items` for this process; the parts in order of rank make up the whole."""
    rank, size = world().rank, world().size
    return items[len(items) * rank // size : len(items) * (rank + 1) // size]


def gather(value: T) -> list[T]:
    """Gather the values of all processes, in order of rank, on every process."""
    if world().size == 1:
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * world().size
    dist.all_gather_object(values, value)
    return values


def sum_over_processes(tensor: Tensor) -> Tensor:
    """Add up a tensor over the processes, in place; every process gets the same bits."""
    if world().size > 1:
        import torch.distributed as dist

        dist.all_reduce(tensor)
    return tensor


def barrier() -> None:
    """Wait until every process has called this."""
    gather(None)


@contextlib.contextmanager
def main_first() -> Iterator[None]:
    """Let the main process finish the block before the others enter it, such as to download a file."""
    if not world().is_main:
        barrier()
    yield
    if world().is_main:
        barrier()


def is_first_to_say(message: str) -> bool:
    """Whether no other process printed this message yet, so that an error of all is printed once."""
    if _store is None:  # before the processes are connected, an error of one is an error of all
        return world().local_rank == 0
    try:
        return _store.add(hashlib.sha256(message.encode("utf-8", "replace")).hexdigest(), 1) == 1
    except RuntimeError:  # the process that hosted the store has exited
        return True


def is_lost_process(error: RuntimeError) -> bool:
    """Whether an error means that another process of the job is gone."""
    return world().size > 1 and any(mark in str(error) for mark in _MARKS_OF_A_LOST_PROCESS)
