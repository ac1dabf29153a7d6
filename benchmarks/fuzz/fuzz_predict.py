"""Mutated photographs through predict: no traceback, no hang, no half-written picture, bounded memory.

    python -m benchmarks.fuzz.fuzz_predict --cases=10000

Small files of every format that predict reads, mutated and judged as `benchmarks.fuzz.fuzzing` says; a case
takes at most 20 seconds and the process 2 GB.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from benchmarks.fuzz.fuzzing import Subject, run


def originals() -> dict[str, bytes]:
    """Whole files, by ending, one for each way in which pixels are kept."""
    from media.encode import save_picture
    from media.metadata import Metadata
    from media.picture import Picture

    rgb = skimage.data.chelsea()[100:164, 100:196]
    alpha = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
    exif = Image.Exif()
    exif[274], exif[271] = 6, "Camera"
    metadata = Metadata(exif.tobytes(), b"<x:xmpmeta></x:xmpmeta>", (300.0, 300.0))
    found: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, pixels, mask in (
            ("8.jpg", rgb, None),
            ("8.webp", rgb, alpha),
            ("8.png", rgb, alpha),
            ("16.png", rgb.astype(np.uint16) * 257, alpha.astype(np.uint16) * 257),
            ("8.tif", rgb, None),
            ("16.tif", rgb.astype(np.uint16) * 257, None),
            ("float.tif", (rgb / 255).astype(np.float32), None),
        ):
            path = Path(folder) / name
            save_picture(path, Picture(pixels, mask, metadata), quality=90)
            found[name] = path.read_bytes()
    image = Image.fromarray(rgb)
    for name, picture, options in (
        ("gray.jpg", image.convert("L"), {}),
        ("progressive.jpg", image, {"progressive": True}),
        ("cmyk.jpg", image.convert("CMYK"), {}),
        ("palette.png", image.quantize(32), {}),
        ("bits.png", image.convert("1"), {}),
        ("i16.png", Image.fromarray(rgb[..., 0].astype(np.uint16) * 257), {}),
        ("lzw.tif", image, {"compression": "tiff_lzw"}),
        ("jpeg.tif", image, {"compression": "jpeg"}),
        ("g4.tif", image.convert("1"), {"compression": "group4"}),
        ("frames.gif", image.quantize(64), {"save_all": True, "append_images": [image.quantize(16)]}),
        ("8.bmp", image, {}),
    ):
        buffer = io.BytesIO()
        formats = {"jpg": "JPEG", "tif": "TIFF", "gif": "GIF", "bmp": "BMP", "png": "PNG"}
        picture.save(buffer, formats[name.rpartition(".")[2]], **options)
        found[name] = buffer.getvalue()
    return found


def open_picture(path: Path) -> None:
    """
    Raises:
        UserError: it does not open.
    """
    from media.picture import load_picture

    load_picture(path, max_pixels=10**9)


if __name__ == "__main__":
    photos = Subject(originals, open_picture, ".tif", ("--max_pixels=30000000",), limit_s=20, limit_mb=2000)
    sys.exit(run(photos, __doc__ or "", num_cases=10_000))
