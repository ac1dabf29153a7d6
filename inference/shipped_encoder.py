"""What photos show, by the encoder of the weights that ship."""

from __future__ import annotations

import functools
from pathlib import Path

from checkpoint.file import load_weights
from checkpoint.shipped import DEFAULT, find_weights
from models.timm_encoder import TimmEncoder


@functools.cache
def shipped_encoder() -> TimmEncoder:
    """Of `DEFAULT`; the same one every time."""
    encoder = load_weights(find_weights(Path(DEFAULT), None, "")).model.eval().encoder
    assert isinstance(encoder, TimmEncoder)
    return encoder
