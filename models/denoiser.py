"""The denoising network of liu2023: a U-Net conditioned on the time step and on features of the photo.

Blocks as in Dhariwal and Nichol 2021 (adaptive group norm), with self-attention and cross-attention to the
prompt's words at the smallest scales.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from data.color import L_SCALE
from models.layers import pad_to_stride
from models.timm_encoder import STRIDES

Words = tuple[Tensor, Tensor | None]
"""Word vectors (N, W, C), and a mask (N, W) bool of the valid ones; None: all are valid."""

_NUM_HEADS = 4
_ATTENTION_FROM = 2
"""Index of the first of the four scales with attention: a sixteenth of the photo's size."""
_PIXELS = STRIDES[0] ** 2
"""Pixels of the photo per position of the largest feature map."""


class Guider(nn.Module):
    """Projects an encoder's features of the photo to maps that are added to the denoiser's at each scale."""

    def __init__(self, channels: Sequence[int], widths: Sequence[int]) -> None:
        """
        Args:
            channels: of the encoder's four feature maps.
            widths: channels of the denoiser's maps.
        """
        super().__init__()
        self.norms = nn.ModuleList(nn.GroupNorm(1, c) for c in channels)
        c_in = (channels[0] + _PIXELS, *channels[1:])
        self.layers = nn.ModuleList(nn.Conv2d(c, width, 1) for c, width in zip(c_in, widths, strict=True))

    def forward(self, maps: Sequence[Tensor], L: Tensor) -> list[Tensor]:
        """Maps at strides 4 to 32 of L* (N, 1, H, W) -> (N, width, H' / stride, W' / stride) each."""
        seen = [norm(x) for norm, x in zip(self.norms, maps, strict=True)]
        light = F.pixel_unshuffle(pad_to_stride(2 * L / L_SCALE - 1), STRIDES[0])
        seen[0] = torch.cat((seen[0], light), dim=1)
        return [layer(x) for layer, x in zip(self.layers, seen, strict=True)]


class Denoiser(nn.Module):
    """Noisy colours at a fourth of the photo's size -> v at that size."""

    def __init__(self, widths: Sequence[int], num_blocks: int, c_words: int) -> None:
        """
        Args:
            widths: channels at each of four scales.
            num_blocks: number at each scale, in the downsampling and in the upsampling path.
            c_words: channels of the word vectors.
        """
        super().__init__()
        self.width = widths[0]
        c_state = 4 * widths[0]
        self.time = nn.Sequential(nn.Linear(self.width, c_state), nn.SiLU(), nn.Linear(c_state, c_state))
        self.said = nn.Linear(c_words, c_state)
        self.enter = nn.Conv2d(2, widths[0], 3, padding=1)
        self.shrink = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(nn.Conv2d(b, a, 3, padding=1) for a, b in pairwise(widths))

        def scale(number: int, c_in: int) -> _Scale:
            has_attention = number >= _ATTENTION_FROM
            return _Scale(c_in, widths[number], num_blocks, c_state, c_words if has_attention else None)

        self.down = nn.ModuleList(scale(i, width) for i, width in enumerate(widths))
        self.up = nn.ModuleList(scale(i, 2 * width) for i, width in enumerate(widths[:-1]))
        self.leave = nn.Sequential(_norm(widths[0]), nn.SiLU(), _calm(nn.Conv2d(widths[0], 2, 3, padding=1)))

    def forward(self, noisy: Tensor, times: Tensor, guides: Sequence[Tensor], words: Words) -> Tensor:
        """
        Args:
            noisy: (N, 2, h, w), sides multiples of 8.
            times: (N,) int64.
            guides: output of `Guider` for the photos.
            words: of the prompts.
        Returns:
            (N, 2, h, w).
        """
        state = F.silu(self.time(_waves(times, self.width).to(noisy)) + self.said(_mean(words)))
        x, skips = self.enter(noisy), []
        for number, (scale, guide) in enumerate(zip(self.down, guides, strict=True)):
            x = scale((self.shrink[number - 1](x) if number else x) + guide, state, words)
            skips.append(x)
        for number in reversed(range(len(self.up))):
            x = self.grow[number](F.interpolate(x, scale_factor=2.0, mode="nearest"))
            x = self.up[number](torch.cat((x, skips[number]), dim=1), state, words)
        v: Tensor = self.leave(x)
        return v


class _Scale(nn.Module):
    """Blocks at one scale, followed by attention unless `c_words` is None."""

    def __init__(self, c_in: int, c_out: int, num_blocks: int, c_state: int, c_words: int | None) -> None:
        super().__init__()
        channels = (c_in, *[c_out] * num_blocks)
        self.blocks = nn.ModuleList(_Block(a, b, c_state) for a, b in pairwise(channels))
        self.attention = None if c_words is None else _Attention(c_out, c_words)

    def forward(self, x: Tensor, state: Tensor, words: Words) -> Tensor:
        for block in self.blocks:
            x = block(x, state)
        return x if self.attention is None else self.attention(x, words)


class _Block(nn.Module):
    """A residual block of two convolutions; time and words set scale and shift of the group norm between."""

    def __init__(self, c_in: int, c_out: int, c_state: int) -> None:
        super().__init__()
        self.enter = nn.Sequential(_norm(c_in), nn.SiLU(), nn.Conv2d(c_in, c_out, 3, padding=1))
        self.norm = _norm(c_out)
        self.adapt = nn.Linear(c_state, 2 * c_out)
        self.leave = nn.Sequential(nn.SiLU(), _calm(nn.Conv2d(c_out, c_out, 3, padding=1)))
        self.skip = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor, state: Tensor) -> Tensor:
        scale, shift = self.adapt(state)[..., None, None].chunk(2, dim=1)
        changed: Tensor = self.leave(self.norm(self.enter(x)) * (1 + scale) + shift)
        return self.skip(x) + changed


class _Attention(nn.Module):
    """Attention of every position to the words and to all positions."""

    def __init__(self, width: int, c_words: int) -> None:
        super().__init__()
        self.norm = _norm(width)
        # No biases: softmax is invariant to that of the keys.
        self.of_places = nn.Linear(width, 3 * width, bias=False)
        self.of_words = nn.Linear(c_words, 2 * width, bias=False)
        self.out = _calm(nn.Linear(width, width))

    def forward(self, x: Tensor, words: Words) -> Tensor:
        vectors, there = words
        query, *places = self.of_places(self.norm(x).flatten(2).transpose(1, 2)).chunk(3, dim=-1)
        told = self.of_words(vectors).chunk(2, dim=-1)
        key, value = (torch.cat(both, dim=1) for both in zip(told, places, strict=True))
        mask = None if there is None else F.pad(there, (0, query.shape[1]), value=True)[:, None, None]
        seen = F.scaled_dot_product_attention(_heads(query), _heads(key), _heads(value), mask)
        return x + self.out(seen.transpose(1, 2).flatten(2)).transpose(1, 2).view_as(x)


def _heads(x: Tensor) -> Tensor:
    """(N, P, C) -> (N, heads, P, C / heads)."""
    return x.unflatten(-1, (_NUM_HEADS, -1)).transpose(1, 2)


def _mean(words: Words) -> Tensor:
    """Average the valid word vectors: (N, C)."""
    vectors, there = words
    if there is None:
        return vectors.mean(dim=1)
    share = there.to(vectors) / there.sum(dim=1, keepdim=True)
    return (share[..., None] * vectors).sum(dim=1)


def _waves(times: Tensor, width: int) -> Tensor:
    """(N,) -> (N, width): sines and cosines of wavelengths from 2 pi to 20 000 pi (Vaswani et al. 2017)."""
    places = torch.arange(0, width, 2, dtype=torch.float32, device=times.device)
    frequencies = torch.exp(places * (-math.log(10_000) / width))
    phases = times[:, None] * frequencies
    return torch.cat((phases.sin(), phases.cos()), dim=1)


def _norm(width: int) -> nn.GroupNorm:
    return nn.GroupNorm(8, width)


def _calm(layer: nn.Conv2d | nn.Linear) -> nn.Module:
    """Initialize a layer to small outputs, so that a residual sum or the output starts stable."""
    with torch.no_grad():
        layer.weight.mul_(0.1)
    return layer
