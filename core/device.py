"""Which device to compute on, in which precision, with which versions."""

from __future__ import annotations

import contextlib
import copy
import ctypes
import functools
import logging
import platform
import subprocess
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn
from torch.utils._pytree import tree_leaves

from config import VERSION
from core.distributed import world
from core.errors import UserError

log = logging.getLogger(__name__)

# Of CUDA, of other GPUs and of the CPU: torch raises a plain RuntimeError for some of them.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, of the machine or of the device."""
    told = isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
    return told or isinstance(error, MemoryError)


def find_device(name: str) -> torch.device:
    """Turn 'auto', 'cpu', 'cuda' or 'mps' into a device; 'auto' takes a GPU if there is one.

    Every process of a job gets a GPU of its own.

    Raises:
        UserError: the device asked for is not there.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(n for n, here in available.items() if here)
    if not available[name]:
        raise UserError(f"--device={name}: this machine has none that torch can use; try --device=cpu")
    here = world()
    if name != "cuda" or here.size == 1:
        return torch.device(name)
    if here.local_size > torch.cuda.device_count():
        raise UserError(
            f"{here.local_size} processes on a machine with {torch.cuda.device_count()} GPUs: start one "
            "per GPU with --nproc_per_node"
        )
    return torch.device(name, here.local_rank)


def find_precision(name: str, device: torch.device) -> torch.dtype:
    """Turn 'auto', 'float32' or 'bfloat16' into the dtype that the network computes in.

    'auto' takes bfloat16 where the hardware multiplies it: elsewhere it is emulated and slower.
    """
    if name != "auto":
        return torch.bfloat16 if name == "bfloat16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return torch.bfloat16 if fast else torch.float32


@contextlib.contextmanager
def autocast(device: torch.device, dtype: torch.dtype) -> Iterator[None]:
    """Compute the layers that gain from it in `dtype`; float32 changes nothing."""
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[int]:
    """Compute operations of this thread, and of those that begin within, on one core; gives how many it had.

    Where small operations follow one another, the others would wait for the next of them at full speed, in
    the way of whatever else is done.
    """
    num = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield num
    finally:
        torch.set_num_threads(num)


def compile_if_possible(model: nn.Module, image_size: int, device: torch.device) -> None:
    """Have torch.compile fuse a network's operations; where that fails, say why and leave it as it is.

    Args:
        model: takes (N, 1, H, W) and gives a tensor, or a tuple of tensors and None; its weights and state
            dict stay the same.
        image_size: side of the photos that it is tried on.
        device: where it is.
    """
    trial = copy.deepcopy(model)  # whose statistics may move
    try:
        out = torch.compile(trial)(torch.zeros(2, 1, image_size, image_size, device=device))
        sum(leaf.sum() for leaf in tree_leaves(out) if leaf is not None).backward()
    except (RuntimeError, OSError, ImportError) as error:  # Dynamo's and Inductor's own are RuntimeErrors
        reason = str(error).strip().partition("\n")[0]
        log.warning("--compile does not work here and is left out (%s)", reason)
    else:
        model.compile()


def reuse_freed_memory() -> None:
    """Have the C library keep freed memory for the next step instead of giving it back.

    Every step frees and asks for the same gigabyte. As it comes, glibc returns such blocks to the
    system, which hands them out again zeroed, page by page, and a step on a CPU waits for it. Elsewhere
    than on glibc nothing happens. What was freed stays with the process until it ends.
    """
    trim_threshold, mmap_threshold, never = -1, -3, 2**31 - 1  # of malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        # Before version 2.35 glibc takes no more than 32 MiB.
        if not libc.mallopt(mmap_threshold, never):
            libc.mallopt(mmap_threshold, 2**25)
        libc.mallopt(trim_threshold, never)


def versions() -> dict[str, str]:
    """Of everything that the numbers of a run depend on."""
    return {
        "colorizer": VERSION,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }


@functools.cache
def commit() -> str:
    """The commit of this source, with a + where files differ from it; '' outside a git checkout."""
    root = Path(__file__).parent.parent
    # This repository named, for git would go on to one that the folder may lie in.
    command = ["git", f"--git-dir={root / '.git'}", f"--work-tree={root}"]
    command += ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
