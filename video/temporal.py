"""Temporal smoothing: colours that are steady from frame to frame of a shot."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from data.color import L_SCALE
from media.picture import size_within
from video.cuts import is_cut
from video.flow import optical_flow, resize_flow, warp, window_mean
from video.shots import Shots

# Long side in pixels at which the flow is computed: colours have no finer detail.
_FLOW_SIDE = 112
# Weight of the previous frame's colours where the flow explains this frame.
_MEMORY = 0.85
# Difference of L* at which that weight has fallen to 1/e; averaged over a window to ignore grain.
_TOLERANCE = 4.0


@dataclass(frozen=True)
class Motion:
    """The motion from one frame of a shot to the next.

    Attributes:
        flow: (1, 2, h, w), as `optical_flow` gives it.
        agreement: (1, 1, h, w) in [0, 1], how much the previous frame, once warped, resembles this one.
    """

    flow: Tensor
    agreement: Tensor


def follow(now: Tensor, before: Tensor) -> Motion | None:
    """The motion between two successive frames; None: there is a cut between them.

    Args:
        now, before: L* (1, 1, h, w) of one size, in [0, 100].
    """
    return None if is_cut(now, before) else explain(now, before, flow_between(now, before))


def explain(now: Tensor, before: Tensor, flow: Tensor) -> Motion:
    """A flow (1, 2, h, w) between two frames, L* (1, 1, h, w), with how well it explains the second one."""
    difference = window_mean(now - warp(before, flow))
    return Motion(flow, (-(difference / _TOLERANCE).square()).exp())


class SteadyChroma:
    """A recursive average of a model's colours along the motion, which starts over at every cut.

    The colours of each frame are a weighted mean of those of the frame before, warped along the optical flow
    between the two, and the model's prediction for this frame. The former dominate where the warped frame
    resembles this one; the latter where it does not, such as where something has just come into view. A shot
    that was seen before is shifted to the colours that it had then, by the same shift throughout.

    Attributes:
        state: all that the next frame depends on, from which a new instance can continue: L and ab of the
            last frame, the shift of a shot that came back, and the remembered shots; empty at the beginning.
    """

    def __init__(self, state: dict[str, Tensor] | None = None, *, returning: bool = True) -> None:
        """
        Args:
            state: to continue from.
            returning: whether shots that come back get the colours that they had.
        """
        self.state = state or {}
        self._shots = Shots(self.state) if returning else None

    def __call__(self, L: Tensor, ab: Tensor | None, moved: Motion | None) -> Tensor:
        """The colours of the next frame.

        Args:
            L: (1, 1, h, w) in [0, 100], what the model saw.
            ab: (1, 2, h, w), what it predicted, CIELAB units; None, only within a shot: it was not asked.
            moved: motion since the frame before; None: a shot begins.
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
        """The shift of the colours for a shot that begins here; None: no shift."""
        if self._shots is None or ab is None or "L" not in self.state:
            return None
        self._shots.end(self.state["L"], self.state["ab"])
        return self._shots.begin(L, ab)

    def _follow(self, moved: Motion) -> Tensor | None:
        """The shift of the previous frame, warped; 0 where something new has come into view."""
        shift = self.state.get("shift")
        return None if shift is None else warp(shift, moved.flow) * (2 * moved.agreement).clamp_max(1)


def flow_between(now: Tensor, before: Tensor) -> Tensor:
    """Optical flow (1, 2, h, w) between two frames, L* (1, 1, h, w), computed on smaller copies."""
    height, width = now.shape[-2:]
    size = size_within((height, width), _FLOW_SIDE)
    small = (F.interpolate(L, size, mode="bilinear", antialias=True) / L_SCALE for L in (now, before))
    return resize_flow(optical_flow(*small), (height, width))
