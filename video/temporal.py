"""Colours that stay where they are from frame to frame of a shot."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from data.color import L_SCALE
from media.picture import size_within
from video.cuts import is_cut
from video.flow import optical_flow, resize_flow, warp, window_mean
from video.shots import Shots

# Longest side at which the motion is looked for, pixels: colours have no finer detail.
_FLOW_SIDE = 112
# Share of the colours of the frame before, where the motion explains what is seen.
_MEMORY = 0.85
# Difference of L* at which that share has fallen to 1/e, averaged over a window so that grain does not count.
_TOLERANCE = 4.0


@dataclass(frozen=True)
class Motion:
    """From one frame of a shot to the next.

    Attributes:
        flow: (1, 2, h, w), as `optical_flow` gives it.
        agreement: (1, 1, h, w) in [0, 1], how far the frame before, moved, looks like this one.
    """

    flow: Tensor
    agreement: Tensor


def follow(now: Tensor, before: Tensor) -> Motion | None:
    """What is seen of a frame in the one before; None: nothing, for a cut is between them.

    Args:
        now, before: L* (1, 1, h, w) of one size, in [0, 100].
    """
    return None if is_cut(now, before) else explain(now, before, flow_between(now, before))


def explain(now: Tensor, before: Tensor, flow: Tensor) -> Motion:
    """How far a flow (1, 2, h, w) between two frames, L* (1, 1, h, w), explains what is seen."""
    difference = window_mean(now - warp(before, flow))
    return Motion(flow, (-(difference / _TOLERANCE).square()).exp())


class SteadyChroma:
    """Frame after frame, the colours of a model averaged along the motion; anew after every cut.

    Each frame's colours are those of the frame before, moved along the optical flow between the two, and
    the model's own of this frame: mostly the former where the moved frame looks like this one, the latter
    where it does not, such as on what has just come into sight. A shot that was seen before is pulled to the
    colours that it had, all of it alike.

    Attributes:
        state: what the next frame depends on, to be kept and given back: L and ab of the last frame, what is
            added to the model's colours in a shot that came back, and the shots that are remembered; nothing
            at the beginning.
    """

    def __init__(self, state: dict[str, Tensor] | None = None, *, returning: bool = True) -> None:
        """
        Args:
            state: to go on from.
            returning: whether shots that come back are to have the colours that they had.
        """
        self.state = state or {}
        self._shots = Shots(self.state) if returning else None

    def __call__(self, L: Tensor, ab: Tensor | None, moved: Motion | None) -> Tensor:
        """The colours of the next frame.

        Args:
            L: (1, 1, h, w) in [0, 100], what the model saw.
            ab: (1, 2, h, w), what it predicted, CIELAB units; None: nothing, within a shot.
            moved: since the frame before; None: a shot begins.
        Returns:
            (1, 2, h, w), CIELAB units.
        """
        shift = self._begin(L, ab) if moved is None else self._follow(moved)
        if ab is not None and shift is not None:
            ab = ab + shift
        if moved is not None:
            carried = warp(self.state["ab"], moved.flow)
            ab = carried if ab is None else ab.lerp(carried, _MEMORY * moved.agreement)
        if ab is None:
            raise ValueError("a shot begins without colours")
        self.state = {"L": L, "ab": ab}
        if shift is not None:
            self.state["shift"] = shift
        if self._shots:
            self.state |= self._shots.state
        return ab

    def _begin(self, L: Tensor, ab: Tensor | None) -> Tensor | None:
        """What is added in a shot that begins here."""
        if self._shots is None or ab is None or "L" not in self.state:
            return None
        self._shots.end(self.state["L"], self.state["ab"])
        return self._shots.begin(L, ab)

    def _follow(self, moved: Motion) -> Tensor | None:
        """The same of the frame before, moved; what has come into sight keeps the model's own colours."""
        shift = self.state.get("shift")
        return None if shift is None else warp(shift, moved.flow) * (2 * moved.agreement).clamp_max(1)


def flow_between(now: Tensor, before: Tensor) -> Tensor:
    """Optical flow (1, 2, h, w) between two frames, L* (1, 1, h, w), looked for in smaller copies."""
    height, width = now.shape[-2:]
    size = size_within((height, width), _FLOW_SIDE)
    small = (F.interpolate(L, size, mode="bilinear", antialias=True) / L_SCALE for L in (now, before))
    return resize_flow(optical_flow(*small), (height, width))
