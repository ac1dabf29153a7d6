"""The samples of a photo: from one depth to another, from a colour profile to sRGB, and onto white."""

from __future__ import annotations

import numpy as np
from PIL import Image

from core.remarks import remark
from media.metadata import srgb_profile
from media.white import WHITE_LEVEL

STRIP_PIXELS = 2**20
"""Pixels per strip in computations at full size, whose temporaries would else exceed the photo."""


def to_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Convert samples (H, W, ...) to another depth; integers are rounded."""
    if values.dtype.name == dtype:
        return values
    result = np.empty(values.shape, dtype)
    rows = max(1, STRIP_PIXELS * len(values) // max(1, values.size))
    for top in range(0, len(values), rows):
        strip = slice(top, top + rows)
        scaled = values[strip].astype(np.float32) * (WHITE_LEVEL[dtype] / WHITE_LEVEL[values.dtype.name])
        result[strip] = scaled if dtype == "float32" else scaled + 0.5
    return result


def to_srgb(colors: np.ndarray, profile: bytes | None, name: str) -> np.ndarray:
    """Convert samples (H, W, 1 or 3) from the embedded ICC profile to sRGB, in their dtype.

    Args:
        colors: of a photo.
        profile: None: they are sRGB already, and returned as they are.
        name: of the photo, in a remark on a profile that does not fit.
    """
    if not isinstance(profile, bytes) or profile == srgb_profile():
        return colors
    import imagecodecs

    height, width, channels = colors.shape
    result = np.empty((height, width, 3), colors.dtype)
    rows = max(1, STRIP_PIXELS // width)
    try:
        for top in range(0, height, rows):
            # In floats: for 16 bits the library uses a lookup table that is coarser than 8 bits.
            strip = np.ascontiguousarray(to_dtype(colors[top : top + rows], "float32"))
            converted = imagecodecs.cms_transform(
                strip[..., 0] if channels == 1 else strip,
                profile,
                srgb_profile(),
                colorspace="gray" if channels == 1 else "rgb",
                outcolorspace="rgb",
                outdtype=np.float32,
            )
            result[top : top + rows] = to_dtype(converted.clip(0, 1), colors.dtype.name)
    except (imagecodecs.CmsError, ValueError, TypeError) as error:
        reason = f"its colour profile does not fit its pixels and is ignored ({error})"
        remark(f"{name}: {reason}", reason)
        return colors
    return result


def on_white(rgb_uint8: np.ndarray, alpha: np.ndarray | None) -> np.ndarray:
    """Composite (H, W, 3) uint8 on white by its alpha (H, W)."""
    if alpha is None:
        return rgb_uint8
    mask = Image.fromarray(to_dtype(alpha, "uint8"))
    white = Image.new("RGB", mask.size, "white")
    return np.asarray(Image.composite(Image.fromarray(rgb_uint8), white, mask))
