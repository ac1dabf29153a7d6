"""Encode files for the browser: JPEG previews, the layer of low confidence, zip archives."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from core.files import renamed_to

# Magenta, which is rare in photos.
_UNSURE_COLOR = (255, 0, 200)
_UNSURE_SHARE = 0.85


def jpeg(pixels: np.ndarray, *, quality: int) -> bytes:
    """Encode (H, W, 3) uint8 as JPEG, without chroma subsampling."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def doubt_layer(sure: np.ndarray) -> bytes:
    """Encode a transparent PNG that covers areas of low confidence with magenta.

    Args:
        sure: (H, W) uint8, the confidence; 255: fully transparent.
    """
    layer = np.empty((*sure.shape, 4), np.uint8)
    layer[..., :3] = _UNSURE_COLOR
    layer[..., 3] = (_UNSURE_SHARE * (255 - sure.astype(np.float32))).round()
    buffer = io.BytesIO()
    Image.fromarray(layer).save(buffer, "PNG")
    return buffer.getvalue()


def zip_pictures(pictures: Iterable[Path], path: Path) -> Path:
    """Store pictures in a zip file, uncompressed, under unique names; returns `path`.

    One that is there already is replaced only at the end, since somebody may be downloading it.
    """
    taken: set[str] = set()
    with renamed_to(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        for picture in pictures:
            name, number = picture.name, 1
            while name.lower() in taken:
                number += 1
                name = f"{picture.stem} ({number}){picture.suffix}"
            taken.add(name.lower())
            archive.write(picture, name)
    return path
