"""Select the device and the precision, tune torch for them, and report the versions in use."""

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

# Messages of CUDA, of other GPUs and of the CPU: for some, torch raises a plain RuntimeError.
_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the machine or the device is out of memory."""
    told = isinstance(error, RuntimeError) and any(text in str(error) for text in _OUT_OF_MEMORY)
    return told or isinstance(error, MemoryError)


def find_device(wanted: str | torch.device) -> torch.device:
    """Turn 'auto', 'cpu', 'cuda' or 'mps' into a device; 'auto' takes a GPU if there is one.

    Every process of a job gets a GPU of its own. A device with a number stays as it is.

    Raises:
        UserError: the requested device is not available.
    """
    name = wanted.type if isinstance(wanted, torch.device) else wanted
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        name = next(n for n, here in available.items() if here)
    if not available[name]:
        raise UserError(f"--device={name}: this machine has none that torch can use; try --device=cpu")
    if isinstance(wanted, torch.device) and wanted.index is not None:
        return wanted
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

    'auto' takes bfloat16 if the hardware supports it; otherwise it would be emulated, which is slower.
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
    """Run the block under torch.autocast with `dtype`; float32 changes nothing."""
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        yield


@contextlib.contextmanager
def one_thread() -> Iterator[int]:
    """Run torch operations of this thread, and of threads started within, on one core; yield the old number.

    In a sequence of small operations the other threads of the pool would busy-wait between them, and take
    cores from other work.
    """
    num = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield num
    finally:
        torch.set_num_threads(num)


@contextlib.contextmanager
def in_float32() -> Iterator[None]:
    """Create tensors that name no dtype in float32, whatever the default, which is back afterwards."""
    default = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(default)


def compile_if_possible(model: nn.Module, image_size: int, device: torch.device) -> None:
    """Compile a network with torch.compile; if that fails, log the reason and leave it uncompiled.

    Args:
        model: takes (N, 1, H, W) and returns a tensor, or a tuple of tensors and None; its weights and state
            dict stay the same.
        image_size: side of the trial input.
        device: of the model.
    """
    trial = copy.deepcopy(model)  # the trial step may update batch norm statistics
    try:
        out = torch.compile(trial)(torch.zeros(2, 1, image_size, image_size, device=device))
        sum(leaf.sum() for leaf in tree_leaves(out) if leaf is not None).backward()
    except (RuntimeError, OSError, ImportError) as error:  # errors of Dynamo and Inductor are RuntimeErrors
        reason = str(error).strip().partition("\n")[0]
        log.warning("--compile does not work here and is left out (%s)", reason)
    else:
        model.compile()


def reuse_freed_memory() -> None:
    """Have the C library keep freed memory for the next step instead of returning it to the system.

    Every step frees and allocates the same gigabyte. By default glibc returns such blocks to the system,
    which zeroes them page by page when they are allocated again, and slows down a step on a CPU. Without
    glibc this does nothing. Freed memory stays with the process until it ends.
    """
    trim_threshold, mmap_threshold, never = -1, -3, 2**31 - 1  # constants of malloc.h
    with contextlib.suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        # glibc before 2.35 accepts at most 32 MiB.
        if not libc.mallopt(mmap_threshold, never):
            libc.mallopt(mmap_threshold, 2**25)
        libc.mallopt(trim_threshold, never)


def versions() -> dict[str, str]:
    """Versions of all software that the results of a run depend on."""
    return {
        "colorizer": VERSION,
        "commit": commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "platform": platform.platform(),
    }


@functools.cache
def commit() -> str:
    """The git commit of this source, with a + if files differ from it; '' outside a checkout."""
    root = Path(__file__).parent.parent
    # The repository is named, since git would otherwise search the parent folders for one.
    command = ["git", f"--git-dir={root / '.git'}", f"--work-tree={root}"]
    command += ["describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()
