"""Find the photos of a folder that show the same scene (a series), and give them consistent colours.

All series are found before the first photo is colored. Each photo is pulled to the colours that the first
photo, by name, of its series is written with, its own among them. The result thus depends on the photos
alone, not on their order, on what is colored already, or on the number of processes.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from core.distributed import num_cores
from core.errors import UserError
from core.figures import progress_bar
from core.remarks import keeping_remarks
from inference.borders import fill_boxes
from inference.chroma import Chroma
from inference.folder import PIXELS_PER_CORE, PixelBudget
from inference.model_view import lightness_seen
from inference.shipped_encoder import shipped_encoder
from inference.transfer import Impression, nearest, places_of, pull, remember
from media.pages import find_pages
from media.picture import Picture, count_pixels

PredictChroma = Callable[[Picture], Chroma]
"""Photo -> the colours that it is written with."""

_SIDE = 224  # pixels of the square in which photos are compared
# A photo is compared only with so many of the latest series: by name, photos of one day are neighbours.
_OPEN_SERIES = 256


class Album:
    """The photos of a folder, grouped by series.

    Attributes:
        first: photo -> first photo, by name, of its series; photos without a series are left out.
    """

    def __init__(
        self,
        paths: Iterable[Path],
        predict: PredictChroma,
        read: Callable[[Path], Picture],
        *,
        max_pixels: int,
    ) -> None:
        """
        Args:
            paths: of all photos; files of several pictures are in no series.
            predict: gives the colours of a photo.
            read: reads a photo; those for which it raises a UserError are in no series.
            max_pixels: larger photos are in no series.
        """
        self._predict, self._read, self._max_pixels = predict, read, max_pixels
        self._remembered = functools.lru_cache(_OPEN_SERIES)(self._remember)
        # Every process does this for all photos, since each has to know all series.
        self.first = series(self._places(sorted(paths)))

    def pulled(self, path: Path, original: Picture, chroma: Chroma) -> Chroma:
        """Pull the colours of a photo to those of its series.

        Args:
            path: of the photo.
            original: the photo itself.
            chroma: a model's colours for it.
        """
        first = self.first.get(path, path)
        if first == path:
            return chroma
        size = chroma.ab.shape[-2], chroma.ab.shape[-1]
        difference = pull(_impression(original, chroma), self._remembered(first), size)
        ab = chroma.ab + difference
        return fill_boxes(original, chroma, [ab[(..., *chroma.cells(box))] for box in chroma.boxes])

    def _places(self, paths: Sequence[Path]) -> Iterator[tuple[Path, Tensor]]:
        """The features, as of `places_of`, of each photo that may belong to a series."""
        encoder, budget = shipped_encoder(), PixelBudget(PIXELS_PER_CORE * num_cores())

        def shown(path: Path) -> Tensor | None:
            # What is wrong with it is told when it is colored.
            with contextlib.suppress(UserError), keeping_remarks(is_quiet=True):
                if find_pages(path, max_pixels=self._max_pixels).num > 1:
                    return None
                with budget.hold(count_pixels(path)):
                    return places_of(lightness_seen(self._read(path), (_SIDE, _SIDE)), encoder)
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
        # Remarks on it belong to it, not to the photo that is being colored.
        with keeping_remarks(is_quiet=True):
            original = self._read(path)
            return _impression(original, self._predict(original))


def series(photos: Iterable[tuple[Path, Tensor]]) -> dict[Path, Path]:
    """Group photos; returns photo -> first photo of its series, for series of at least two.

    Each photo joins the series whose first photo is most similar, or begins a new one.

    Args:
        photos: pairs of photo and features, as of `places_of`; their order matters.
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
