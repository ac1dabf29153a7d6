"""Dense optical flow on small gray pictures: where each pixel of a frame was in the frame before."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

_SMALLEST_SIDE = 12
_ITERATIONS = 3
_WINDOW = 7
# Added to the mean square of the gradients (of L* / 100 per pixel). Where a window has weaker gradients, such
# as a wall under film grain, the flow from the coarser pyramid level is kept.
_DAMPING = 1e-4


def optical_flow(now: Tensor, before: Tensor) -> Tensor:
    """Find the flow with before(x + flow(x)) = now(x), by Lucas and Kanade's method from coarse to fine.

    For each pixel the flow minimises the squared difference of the two pictures over a window (Lucas and
    Kanade 1981, iterated and on a pyramid as in Bouguet 2001).

    Args:
        now, before: (1, 1, h, w) of one size, in [0, 1].
    Returns:
        (1, 2, h, w): x (to the right) and y (down), pixels.
    """
    pyramid = [(now, before)]
    while min(pyramid[-1][0].shape[-2:]) >= 2 * _SMALLEST_SIDE:
        finer_now, finer_before = pyramid[-1]
        pyramid.append((F.avg_pool2d(finer_now, 2), F.avg_pool2d(finer_before, 2)))
    flow = torch.zeros_like(pyramid[-1][0]).repeat(1, 2, 1, 1)
    for level_now, level_before in reversed(pyramid):
        flow = resize_flow(flow, level_now.shape[-2:])
        for _ in range(_ITERATIONS):
            flow = _solve(level_now, level_before, flow)
    return flow


def resize_flow(flow: Tensor, size: tuple[int, ...]) -> Tensor:
    """Rescale a flow (1, 2, h, w) for pictures resized to `size` = (height, width)."""
    height, width = flow.shape[-2:]
    if (height, width) == tuple(size):
        return flow
    scale = torch.tensor([size[1] / width, size[0] / height], dtype=flow.dtype)
    return F.interpolate(flow, tuple(size), mode="bilinear") * scale.view(1, 2, 1, 1)


def warp(image: Tensor, flow: Tensor) -> Tensor:
    """Backward warping, image(x + flow(x)): move an earlier picture (1, C, h, w) along the flow to now."""
    height, width = image.shape[-2:]
    y = torch.arange(height, dtype=flow.dtype)[:, None] + flow[0, 1]
    x = torch.arange(width, dtype=flow.dtype)[None, :] + flow[0, 0]
    grid = torch.stack(((2 * x + 1) / width - 1, (2 * y + 1) / height - 1), dim=-1)[None]
    return F.grid_sample(image, grid, mode="bilinear", padding_mode="border", align_corners=False)


def window_mean(image: Tensor) -> Tensor:
    """Mean (1, C, h, w) over the 7x7 window around each pixel; the border is replicated."""
    channels, margin = image.shape[1], _WINDOW // 2
    padded = F.pad(image, (margin,) * 4, mode="replicate")
    # As a separable convolution, which takes a fifth of the time of `avg_pool2d`.
    ones = torch.full((channels, 1, 1, _WINDOW), 1 / _WINDOW)
    rows = F.conv2d(padded, ones, groups=channels)
    return F.conv2d(rows, ones.transpose(-1, -2), groups=channels)


def _solve(now: Tensor, before: Tensor, flow: Tensor) -> Tensor:
    """One iteration: for each window the least-squares flow vector, linearised around `flow`.

    The system is solved for the whole vector, not for its correction. Thus the window also smooths the flow;
    without that the iteration diverges.
    """
    moved = warp(before, flow)
    padded = F.pad(moved, (1, 1, 1, 1), mode="replicate")
    dx = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    dy = (padded[..., 2:, 1:-1] - padded[..., :-2, 1:-1]) / 2
    target = dx * flow[:, :1] + dy * flow[:, 1:] + now - moved
    products = torch.cat((dx * dx, dy * dy, dx * dy, dx * target, dy * target, flow), dim=1)
    xx, yy, xy, xt, yt, u, v = window_mean(products).split(1, dim=1)
    xx, yy, xt, yt = xx + _DAMPING, yy + _DAMPING, xt + _DAMPING * u, yt + _DAMPING * v
    determinant = xx * yy - xy * xy  # at least _DAMPING squared, for xy^2 <= xx yy without it
    return torch.cat((yy * xt - xy * yt, xx * yt - xy * xt), dim=1) / determinant
