"""last.pt: the state from which a training is resumed."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from checkpoint.state_dict import UNREADABLE
from core.errors import UserError
from core.files import write_bytes


def save_training_state(path: Path, state: dict[str, Any]) -> None:
    """Write tensors and plain values for `load_training_state`, atomically."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    write_bytes(path, buffer.getvalue())


def load_training_state(path: Path) -> dict[str, Any]:
    """Read a training state; code in the pickle is not executed.

    Raises:
        UserError: the file is damaged.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, *UNREADABLE) as error:
        raise UserError(f"{path} is damaged: start a new run with --overwrite") from error
    kinds = {"model": dict, "optimizer": dict, "history": list, "manifest_sha256": str}
    if not isinstance(state, dict) or any(not isinstance(state.get(k), kind) for k, kind in kinds.items()):
        raise UserError(f"{path} is no training state: start a new run with --overwrite")
    return dict(state)


def split_state(
    state: dict[str, Any], model: nn.Module
) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Any]]:
    """Split a training state into the states of the model, of the objective and of the averaged weights.

    Before the release of version 0.1 (2026-11) the model's state contained the objective's, also in the
    average; version 0.2 need not read that format any more.
    """
    own = model.state_dict().keys()
    average = state["average"] or {}
    if "objective" in state:
        return state["model"], state["objective"], average
    objective = {name: value for name, value in state["model"].items() if name not in own}
    if average:
        average = average | {"model": {k: v for k, v in average["model"].items() if k not in objective}}
    return {k: v for k, v in state["model"].items() if k not in objective}, objective, average
