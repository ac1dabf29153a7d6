"""Color the frames of a clip: network, motion and chroma planes of several frames run in parallel."""

from __future__ import annotations

import contextlib
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from core.device import autocast, one_thread
from inference.chroma import Chroma
from inference.colorizer import Colorizer
from inference.model_view import lightness_seen
from media.clip import Clip
from media.frames import ColoredFrame, Frame
from media.picture import Picture, from_array
from video.planes import chroma_planes, mix_planes
from video.temporal import Motion, SteadyChroma, follow

Item = TypeVar("Item")
T = TypeVar("T")

TOGETHER = 2
"""Batch size of the model: faster than single frames; larger batches gain little."""


@dataclass(frozen=True)
class SeenFrame:
    """A frame as the model sees it, upright and small.

    Attributes:
        frame: the frame at its full size.
        L: (1, 1, h, w) in [0, 100].
        ab: (1, 2, h, w), the model's prediction, CIELAB units; None: the model was not asked.
    """

    frame: Frame
    L: Tensor
    ab: Tensor | None


class ClipColors:
    """The steps that color a frame of a clip; each may run on several frames in parallel.

    Attributes:
        size_seen: (width, height) at which the model sees the frames.
    """

    def __init__(self, colorizer: Colorizer, clip: Clip) -> None:
        self.colorizer, self.clip = colorizer, clip
        width, height = clip.upright_size
        ab = colorizer.predict_whole(from_array(np.zeros((height, width), np.uint8))).ab
        self.size_seen = ab.shape[-1], ab.shape[-2]

    def see(self, frame: Frame, *, ask: bool = True) -> SeenFrame:
        """Shrink a frame, and predict its colours if `ask`."""
        (seen,) = self.see_together([frame], [ask])
        return seen

    def see_together(self, frames: Sequence[Frame], ask: Sequence[bool]) -> list[SeenFrame]:
        """Shrink frames, and predict the colours of those with `ask`, in one batch."""
        shown = [self._shown(frame) for frame in frames]
        answers = iter(self._infer([small for small, is_asked in zip(shown, ask, strict=True) if is_asked]))
        return [
            SeenFrame(frame, *(next(answers) if is_asked else (lightness_seen(small, self.size_seen), None)))
            for frame, small, is_asked in zip(frames, shown, ask, strict=True)
        ]

    def predict(self, seen: SeenFrame) -> Tensor:
        """The model's colours (1, 2, h, w) for a frame, predicted now if they were not before."""
        if seen.ab is not None:
            return seen.ab
        ((_, ab),) = self._infer([self._shown(seen.frame)])
        return ab

    def _shown(self, frame: Frame) -> Picture:
        """A frame turned upright, at the size that the model sees."""
        gray = np.ascontiguousarray(self.clip.upright(self.clip.coding.gray(frame.luma)))
        return from_array(np.asarray(Image.fromarray(gray).resize(self.size_seen, Image.Resampling.BILINEAR)))

    def _infer(self, shown: Sequence[Picture]) -> list[tuple[Tensor, Tensor]]:
        """L and ab of each picture."""
        with autocast(self.colorizer.device, self.colorizer.fast_precision):
            chromas = self.colorizer.predict_together(shown)
        return [self._at_size(small, chroma) for small, chroma in zip(shown, chromas, strict=True)]

    def _at_size(self, shown: Picture, chroma: Chroma) -> tuple[Tensor, Tensor]:
        width, height = self.size_seen
        if chroma.L is not None and chroma.ab.shape[-2:] == (height, width):
            return chroma.L, chroma.ab
        # The model saw a smaller picture, because memory ran out.
        ab = F.interpolate(chroma.ab, (height, width), mode="bilinear")
        return lightness_seen(shown, self.size_seen), ab

    def color(self, frame: Frame, L: Tensor, ab: Tensor) -> ColoredFrame:
        """A frame with its colours: its own where they are kept, else those predicted."""
        if isinstance(frame, ColoredFrame):
            return frame
        ab = self.colorizer.saturation * ab
        chroma = chroma_planes(self.clip, frame.luma, L, ab, upsample=self.colorizer.upsample)
        if self.clip.mask is not None and frame.own is not None:
            chroma = mix_planes(frame.own, chroma, self.clip.mask)
        return ColoredFrame(frame.luma, frame.pts, chroma)


def color_frames(
    colorizer: Colorizer,
    clip: Clip,
    frames: Iterator[Frame],
    steady: SteadyChroma | None,
    *,
    start: int = 0,
    every: int = 1,
) -> Iterator[tuple[ColoredFrame, dict[str, Tensor]]]:
    """Color frames in order; each comes with the state of `steady` after it.

    About as many frames ahead of the current one are in progress as there are cores.

    Args:
        colorizer: predicts their colours.
        clip: the clip that they are from.
        frames: in order.
        steady: averages the colours along the motion; None: each frame is colored by itself.
        start: number of the first of them in the clip, a multiple of `TOGETHER`: which frames the model sees
            together must not depend on where coloring is resumed.
        every: the model is shown every n-th frame of the clip and the first frame of each shot; the others,
            also those with colours of their own, take the colours of the frame before, moved. 1 without
            `steady`.
    """
    with _workers() as (pool, num):
        steps = ClipColors(colorizer, clip)

        def see(group: Sequence[tuple[int, Frame]]) -> list[SeenFrame]:
            ask = [number % every == 0 and not isinstance(frame, ColoredFrame) for number, frame in group]
            return steps.see_together([frame for _, frame in group], ask)

        groups = itertools.groupby(enumerate(frames, start), lambda item: item[0] // TOGETHER)
        seen_groups = in_order(pool, see, (list(group) for _, group in groups), num)
        frames_seen = itertools.chain.from_iterable(seen_groups)
        steadied = (
            _steadied(pool, steps, frames_seen, steady, num)
            if steady
            else ((seen, steps.predict(seen), {}) for seen in frames_seen)
        )

        def finish(
            item: tuple[SeenFrame, Tensor, dict[str, Tensor]],
        ) -> tuple[ColoredFrame, dict[str, Tensor]]:
            seen, ab, state = item
            return steps.color(seen.frame, seen.L, ab), state

        yield from in_order(pool, finish, steadied, num)


def in_order(
    pool: ThreadPoolExecutor, work: Callable[[Item], T], items: Iterable[Item], ahead: int
) -> Iterator[T]:
    """Yield `work(item)` for each item, in order, while up to `ahead` further items are in progress.

    Unlike `pool.map` it takes no more items in advance, so that a long clip does not fill the memory.
    """
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _steadied(
    pool: ThreadPoolExecutor,
    steps: ClipColors,
    frames_seen: Iterator[SeenFrame],
    steady: SteadyChroma,
    ahead: int,
) -> Iterator[tuple[SeenFrame, Tensor, dict[str, Tensor]]]:
    """Each frame, its steady colours and the state after it."""

    def moved(pair: tuple[Tensor | None, SeenFrame]) -> tuple[SeenFrame, Motion | None]:
        before, seen = pair
        return seen, None if before is None else follow(seen.L, before)

    def with_before() -> Iterator[tuple[Tensor | None, SeenFrame]]:
        before = steady.state.get("L")
        for seen in frames_seen:
            yield before, seen
            before = seen.L

    for seen, motion in in_order(pool, moved, with_before(), ahead):
        ab = steady(seen.L, steps.predict(seen) if motion is None else seen.ab, motion)
        yield seen, ab, steady.state


@contextlib.contextmanager
def _workers() -> Iterator[tuple[ThreadPoolExecutor, int]]:
    """A pool with a thread for each core, and how many frames may be in progress ahead of the current one.

    PyTorch runs each thread's operations on one core: splitting each operation among all cores would make
    them wait for each other hundreds of times per frame.
    """
    with (
        one_thread() as num,
        ThreadPoolExecutor(num, initializer=torch.set_num_threads, initargs=(1,)) as pool,
    ):
        yield pool, num + 1
