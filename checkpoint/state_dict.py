"""Read state dicts from untrusted files, and validate them against a model key by key."""

from __future__ import annotations

import pickle
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from core.errors import UserError

UNREADABLE = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What `torch.load` raises on files that are damaged or hold more than tensors."""

_MEAN = "running_mean"


def read_state(path: Path) -> dict[str, Tensor]:
    """Read a state dict from .safetensors or, with `weights_only=True`, from .pth.

    Returns:
        Names and tensors on the CPU.
    Raises:
        UserError: missing, damaged, no state dict, or a pickle that contains code, which is not executed.
    """
    return read_state_and_metadata(path)[0]


def read_state_and_metadata(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """`read_state`, and the metadata of a .safetensors file (empty for .pth)."""
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise UserError(f"weights {path}: {what}: name a .safetensors or .pth file")
    if path.suffix.lower() == ".safetensors":
        try:
            with safe_open(path, framework="pt") as file:
                return {k: file.get_tensor(k) for k in file.keys()}, file.metadata() or {}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(f"weights {path} are damaged ({error}): get an intact copy") from error
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise UserError(
            f"weights {path} are refused: damaged, or more than tensors (code in a pickle is never "
            "run); save them with torch.save(model.state_dict(), PATH)"
        ) from error
    except (OSError, *UNREADABLE) as error:
        raise UserError(f"weights {path} are damaged: get an intact copy") from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(
            f"weights {path} are no plain state dict: save them with torch.save(model.state_dict(), PATH)"
        )
    for name in [name for name in state if name.endswith(_MEAN)]:
        # Batch norm's step counter, which is not used here and which older files lack.
        state.setdefault(name.removesuffix(_MEAN) + "num_batches_tracked", torch.tensor(0))
    return dict(state), {}


def check_state(state: dict[str, Tensor], expected: Mapping[str, Tensor], source: str, model: str) -> None:
    """Check that keys and shapes are exactly those of a model, and that all values are finite.

    A scalar may be stored as () or (1,); it is reshaped in place to the expected shape.

    Raises:
        UserError: the message names the first difference.
    """
    for name, tensor in expected.items():
        if name not in state:
            raise UserError(f"{source} does not fit {model}: it lacks {name}")
        if state[name].numel() == tensor.numel() == 1:
            state[name] = state[name].reshape(tensor.shape)
        if state[name].shape != tensor.shape:
            raise UserError(
                f"{source} does not fit {model}: {name} is {tuple(state[name].shape)}, "
                f"must be {tuple(tensor.shape)}"
            )
        if (
            state[name].layout != torch.strided
            or state[name].is_floating_point() != tensor.is_floating_point()
        ):
            raise UserError(f"{source} does not fit {model}: {name} is no plain tensor of its kind")
        if name.endswith("running_var") and (state[name] < 0).any():
            raise UserError(f"{source} is damaged: {name} is a negative variance")
        if not state[name].isfinite().all():
            raise UserError(f"{source} is damaged: {name} holds numbers that are not finite")
    extra = next((name for name in state if name not in expected), None)
    if extra is not None:
        raise UserError(f"{source} does not fit {model}: it has {extra}, which {model} has not")
