"""Photos of one scene or one series: which of a folder belong together, and share their colours.

The series are known before the first photo is colored, and each photo is pulled to the colours of its series'
first by name: so what comes out depends on the photos alone, not on their order, on what is there already, or
on how many processes share them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from core.distributed import num_cores
from core.errors import UserError
from core.figures import progress_bar
from inference.chroma import Chroma
from inference.folder import PIXELS_PER_CORE, PixelBudget
from inference.model_view import lightness_seen
from inference.shipped_encoder import shipped_encoder
from inference.transfer import Impression, nearest, places_of, pull, remember
from media.pages import find_pages
from media.picture import Picture, count_pixels

PredictChroma = Callable[[Picture], Chroma]
"""Gives a model's colours for a photo."""

_SIDE = 224  # pixels of the square in which photos are compared
# A photo may join so many series, the last that began before it: by name, photos of one day are neighbours.
_OPEN_SERIES = 256


class Album:
    """The photos of a folder by series.

    Attributes:
        first: photo -> the first by name of its series; those of a series of one are left out.
    """

    def __init__(
        self, paths: Iterable[Path], predict: PredictChroma, read: Callable[[Path], Picture]
    ) -> None:
        """
        Args:
            paths: of all photos; what cannot be read, and files of several pictures, stay alone.
            predict: a model.
            read: a photo; those for which it raises a UserError stay alone.
        """
        self._predict, self._read = predict, read
        self._remembered = functools.lru_cache(_OPEN_SERIES)(self._remember)
        # By every process: each has to know all series.
        self.first = series(self._places(sorted(paths)))

    def pulled(self, path: Path, original: Picture, chroma: Chroma) -> Chroma:
        """The colours of a photo of the folder, nearer to those of its series.

        Args:
            path: the photo.
            original: the same, read.
            chroma: a model's colours for it.
        """
        first = self.first.get(path, path)
        if first == path:
            return chroma
        size = chroma.ab.shape[-2], chroma.ab.shape[-1]
        difference = pull(_impression(original, chroma), self._remembered(first), size)
        return dataclasses.replace(chroma, ab=(chroma.ab + difference).half().float())

    def _places(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Tensor]]:
        """What each photo shows, of all photos that may belong to a series."""
        encoder, budget = shipped_encoder(), PixelBudget(PIXELS_PER_CORE * num_cores())

        def shown(path: Path) -> Tensor | None:
            try:
                if find_pages(path).num > 1:
                    return None
                with budget.hold(count_pixels(path)):
                    return places_of(lightness_seen(self._read(path), (_SIDE, _SIDE)), encoder)
            except UserError:  # which is told when its turn comes
                return None

        with (
            progress_bar("comparing", len(paths)) as bar,
            ThreadPoolExecutor(num_cores(), initializer=torch.set_num_threads, initargs=(1,)) as pool,
        ):
            for path, places in zip(paths, pool.map(shown, paths), strict=True):
                bar.update()
                if places is not None:
                    yield path, places

    def _remember(self, path: Path) -> Impression:
        original = self._read(path)
        return _impression(original, self._predict(original))


def series(photos: Iterable[tuple[Path, Tensor]]) -> dict[Path, Path]:
    """Photo -> first photo of its series, of series of two and more.

    Each joins the most alike of the first ones before it, or begins a series of its own.

    Args:
        photos: and what they show, as of `places_of`; their order counts.
    """
    first: dict[Path, Path] = {}
    begun: list[tuple[Path, Tensor]] = []
    for path, places in photos:
        found = nearest(places, [other for _, other in begun])
        if found is None:
            begun = [*begun, (path, places)][-_OPEN_SERIES:]
        else:
            first[path] = begun[found][0]
    return first | {path: path for path in first.values()}


def _impression(original: Picture, chroma: Chroma) -> Impression:
    places = places_of(lightness_seen(original, (_SIDE, _SIDE)), shipped_encoder())
    h, w = chroma.ab.shape[-2:]
    L = lightness_seen(original, (w, h)) if chroma.L is None else chroma.L
    return remember(places, L, chroma.ab)
