"""Samples at another depth: rounded, and strip by strip the same."""

import numpy as np
import skimage.data

from media.samples import to_dtype

DEEP = (skimage.data.chelsea()[100:140, 100:160].astype(np.uint16) * 257) ^ 19
ALPHA = np.linspace(0, 255, 40 * 60).reshape(40, 60).astype(np.uint8)


def test_depths_round_trip():
    every = np.arange(256, dtype=np.uint8)
    assert (to_dtype(to_dtype(every, "uint16"), "uint8") == every).all()
    assert (to_dtype(to_dtype(every, "float32"), "uint8") == every).all()
    deep = np.arange(65536).astype(np.uint16)
    assert (to_dtype(to_dtype(deep, "float32"), "uint16") == deep).all()


def test_depths_of_large_pictures(monkeypatch):
    monkeypatch.setattr("media.samples.STRIP_PIXELS", 100)
    assert (to_dtype(DEEP, "uint8") == (DEEP / 257 + 0.5).astype(np.uint8)).all()
    assert (to_dtype(ALPHA, "uint16") == ALPHA.astype(np.uint16) * 257).all()
    assert to_dtype(np.zeros((0, 3), np.uint16), "uint8").shape == (0, 3)
