"""What the screen of a print does to the colours, and what --descreen saves of them.

    python -m benchmarks.studies.bench_descreen [--photos=FOLDER] [--num=N]

Photos in gray are screened at 45 degrees, as scans of 1 bit and as gray ones of a finer print, and colored by
the weights that ship; the distance in a* and b* from the same model's colours for the photo without a screen
is printed, mean over pixels and photos, for each period of the screen. Without --photos: of scikit-image.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import numpy as np
import skimage.color
import skimage.data
from PIL import Image

from checkpoint.shipped import DEFAULT
from inference.chroma import apply_chroma
from inference.colorizer import Colorizer
from inference.descreen import descreened
from media.picture import Picture, from_array
from media.walk import sort_files

PERIODS = (4, 6, 8)
_FINER = 3  # the print beside its scan in gray
_SIDE = 512  # of photos, long side


def screened(gray: np.ndarray, period: float, angle: float = 45) -> np.ndarray:
    """(H, W) uint8 as black dots that grow with darkness, or white ones: 0 and 255, the mean kept."""
    return np.where(gray / 255 > _threshold(gray.shape, period, angle), 255, 0).astype(np.uint8)


@functools.lru_cache(8)
def _threshold(shape: tuple[int, int], period: float, angle: float) -> np.ndarray:
    """(H, W) float32 in [0, 1), the rank of each place: whatever the gray, its mean is kept."""
    y, x = np.mgrid[: shape[0], : shape[1]] * (2 * np.pi / period)
    turn = np.deg2rad(angle)
    spot = np.cos(x * np.cos(turn) + y * np.sin(turn)) + np.cos(y * np.cos(turn) - x * np.sin(turn))
    ranks = np.empty(spot.size, np.float32)
    ranks[spot.ravel().argsort()] = np.arange(spot.size, dtype=np.float32)
    return ranks.reshape(shape) / spot.size


def scan_of_print(gray: np.ndarray, period: float) -> np.ndarray:
    """(H, W) uint8 as a scanner sees a print whose dots are finer than its pixels."""
    height, width = gray.shape
    large = np.asarray(Image.fromarray(gray).resize((width * _FINER, height * _FINER)))
    dots = screened(large, period * _FINER).reshape(height, _FINER, width, _FINER)
    return (30 + dots.mean(axis=(1, 3)) * (200 / 255)).round().astype(np.uint8)


def ab_of(colorizer: Colorizer, original: Picture, seen: Picture) -> np.ndarray:
    """(H, W, 2) of a photo with the colours of what the model has seen."""
    chroma = colorizer.predict_whole(seen)
    colored = apply_chroma(original, chroma, upsample=colorizer.upsample, saturation=colorizer.saturation)
    return skimage.color.rgb2lab(colored.pixels)[..., 1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--photos", type=Path)
    parser.add_argument("--num", type=int, default=20)
    args = parser.parse_args()
    colorizer = Colorizer.load(DEFAULT, device="cpu")
    differences: dict[str, list[float]] = {}
    for gray in _photos(args.photos, args.num):
        clean = from_array(gray)
        truth = ab_of(colorizer, clean, clean)
        differences.setdefault("no colour", []).append(_mean_distance(truth, np.zeros_like(truth)))
        for period in PERIODS:
            for kind, make in (("1 bit", screened), ("gray", scan_of_print)):
                scan = from_array(make(gray, period))
                smooth = descreened(scan) or scan
                written = smooth if kind == "1 bit" else scan
                for name, pair in {"as it is": (scan, scan), "--descreen": (written, smooth)}.items():
                    found = _mean_distance(ab_of(colorizer, *pair), truth)
                    differences.setdefault(f"{kind}, {period} pixels, {name}", []).append(found)
    for name, values in differences.items():
        before = differences.get(name.replace("--descreen", "as it is"), values)
        nearer = sum(after < as_it_is for after, as_it_is in zip(values, before, strict=True))
        told = f", {nearer} of them nearer than as it is" if "--descreen" in name else ""
        print(f"{name}: {np.mean(values):.1f} ({len(values)} photos{told})")


def _photos(folder: Path | None, num: int) -> list[np.ndarray]:
    """(H, W) uint8 each."""
    if folder is None:
        names = ("astronaut", "coffee", "chelsea", "rocket")
        images = [Image.fromarray(getattr(skimage.data, name)()) for name in names]
    else:
        paths = sort_files(folder, recursive=True).photos
        images = [Image.open(path) for path in paths[:: max(1, len(paths) // num)][:num]]
    grays = []
    for image in images:
        scale = _SIDE / max(image.size)
        width, height = (round(scale * length) for length in image.size)
        grays.append(np.asarray(image.convert("L").resize((width, height))))
    return grays


def _mean_distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other, axis=-1).mean())


if __name__ == "__main__":
    main()
