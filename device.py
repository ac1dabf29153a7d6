"""Which device to compute on."""

from __future__ import annotations

import torch

from errors import UserError


def find_device(name: str) -> torch.device:
    """Turn 'auto', 'cpu', 'cuda' or 'mps' into a device; 'auto' takes a GPU if there is one.

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
    return torch.device(name)
