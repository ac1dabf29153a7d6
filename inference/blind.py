"""A blind study in one HTML file: each photo is shown as colored by two models; which is better?"""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from inference.colorizer import Colorizer
from inference.side_by_side import color_small, read_each, shrink

_SIDE = 640  # pixels of each picture's long side


def blind_page(
    colorizers: Mapping[str, Colorizer],
    paths: Sequence[Path],
    *,
    root: Path,
    seed: int,
    quality: int,
    max_pixels: int,
    skip_unreadable: bool,
) -> str:
    """Write one self-contained HTML page, which makes no network requests.

    Every pair of models is shown once for each photo. The choices stay in the browser and can be downloaded;
    the page evaluates them, together with those of other people who had the same page, by a Bradley-Terry
    model. Names of models are in the page's source, but are not shown before the results.

    Args:
        colorizers: label -> model, two or more.
        paths: of the photos.
        root: the folder that holds them; the page calls each by its path below it.
        seed: of the order of the pairs, and of which model is on the left.
        quality: of the pictures, JPEG, 1 to 100.
        max_pixels: larger photos are refused.
        skip_unreadable: skip a photo that cannot be read, with a warning; an error if none can be read.
    Raises:
        UserError: a photo, or every photo, cannot be read.
    """
    photos, pictures = [], []
    for path, original in read_each(paths, max_pixels=max_pixels, skip_unreadable=skip_unreadable):
        photos.append(path.relative_to(root).as_posix().encode("utf-8", "replace").decode())
        colored = color_small(colorizers, original, shrink(original, _SIDE))
        pictures.append([_data_uri(pixels, quality) for pixels in colored])
    models = [{"label": label, "sha256": c.loaded.sha256} for label, c in colorizers.items()]
    study = {"seed": seed, "models": models, "photos": photos, "pictures": pictures}
    study |= {"pairs": order_of_pairs(len(photos), len(models), seed)}
    return _fill(study | {"id": hashlib.sha256(json.dumps(study).encode()).hexdigest()[:16]})


def order_of_pairs(num_photos: int, num_models: int, seed: int) -> list[tuple[int, int, int]]:
    """(photo, model on the left, model on the right): every two models once for each photo, shuffled."""
    rng = np.random.default_rng(seed)
    pairs = list(itertools.product(range(num_photos), itertools.combinations(range(num_models), 2)))
    order = [pairs[i] for i in rng.permutation(len(pairs))]
    swapped = rng.random(len(pairs)) < 0.5
    return [
        (photo, *(pair[::-1] if swap else pair)) for (photo, pair), swap in zip(order, swapped, strict=True)
    ]


def _data_uri(pixels: np.ndarray, quality: int) -> str:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)  # 4:4:4: colours are judged
    return f"data:image/jpeg;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _fill(study: dict[str, Any]) -> str:
    """The page: the template with the study and the scripts filled in."""
    folder = files("inference") / "static"
    page, fit, flow = (
        (folder / name).read_text(encoding="utf-8") for name in ("blind.html", "bradley_terry.js", "blind.js")
    )
    data = json.dumps(study).replace("<", "\\u003c")  # a name may contain </script>
    for place, text in {"{fit}": fit, "{flow}": flow, "{study}": data}.items():
        page = page.replace(place, text)
    return page
