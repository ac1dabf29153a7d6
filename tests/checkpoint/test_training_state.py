"""last.pt: written and read again; damaged, it is refused."""

import pytest
import torch

from checkpoint.training_state import load_training_state, save_training_state
from core.errors import UserError


def test_training_state(tmp_path):
    path = tmp_path / "last.pt"
    history = [{"epoch": 1, "loss": 0.5}]
    whole = {"model": {"w": torch.arange(3)}, "optimizer": {}, "history": history, "manifest_sha256": "x"}
    save_training_state(path, whole)
    state = load_training_state(path)
    assert state["history"] == [{"epoch": 1, "loss": 0.5}]
    save_training_state(path, state | {"history": 5})
    with pytest.raises(UserError, match=r"last\.pt is no training state"):
        load_training_state(path)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(UserError, match=r"last\.pt is damaged"):
        load_training_state(path)
