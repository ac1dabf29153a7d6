"""The encoder of the shipped weights, which recognises what photos show."""

from __future__ import annotations

import functools
from pathlib import Path

from checkpoint.file import load_weights
from checkpoint.shipped import DEFAULT, find_weights
from models.timm_encoder import TimmEncoder


@functools.cache
def shipped_encoder() -> TimmEncoder:
    """The encoder of the weights `DEFAULT`, loaded once."""
    encoder = load_weights(find_weights(Path(DEFAULT), None, "")).model.eval().encoder
    assert isinstance(encoder, TimmEncoder)
    return encoder
