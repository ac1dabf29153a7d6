"""Axial attention: each pixel attends to its row or to its column; two layers cover the whole picture.

Sources: Ho et al. 2019, "Axial Attention in Multidimensional Transformers"; layers as in the authors' code of
Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer". Pictures are (N, H, W, C) here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_WAVES = 2


class Shape(NamedTuple):
    """Shape of a stack of layers: channels, attention heads, and the side of its square pictures."""

    width: int
    num_heads: int
    side: int


class KeyValueCache:
    """Keys and values of earlier positions of a causal attention, so that each is projected only once."""

    def __init__(self) -> None:
        self._seen: list[Tensor] = []

    def extend(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Append keys and values; return all so far, (..., positions, channels) each."""
        new = [keys, values]
        self._seen = (
            [torch.cat(pair, -2) for pair in zip(self._seen, new, strict=True)] if self._seen else new
        )
        return self._seen[0], self._seen[1]


class AxialAttention(nn.Module):
    """Attention along one axis with a learned relative position bias; optionally conditional on a context.

    A context of the same height and width scales and shifts queries, keys and values.
    """

    distance: Tensor

    def __init__(
        self, shape: Shape, *, is_column: bool, is_causal: bool = False, context_width: int = 0
    ) -> None:
        """
        Args:
            is_column: attend along columns, else along rows.
            is_causal: each pixel attends only to itself and to earlier ones.
            context_width: channels of the context; 0: no context.
        """
        super().__init__()
        width, self.num_heads, side = shape
        self.is_column, self.is_causal = is_column, is_causal
        self.project = nn.Linear(width, 3 * width, bias=False)
        self.condition = nn.Linear(context_width, 6 * width, bias=False) if context_width else None
        self.out = nn.Linear(width, width, bias=False)
        self.bias = nn.Parameter(torch.zeros(self.num_heads, 2 * side))
        place = torch.arange(side)
        self.register_buffer("distance", place[None] - place[:, None], persistent=False)

    def forward(self, x: Tensor, context: Tensor | None = None, cache: KeyValueCache | None = None) -> Tensor:
        """
        Args:
            x: (N, H, W, width); with a cache only the next positions along the axis.
            context: (N, H, W, context_width).
            cache: of the earlier positions; for causal attention only.
        Returns:
            (N, H, W, width).
        """
        qkv = self.project(x)
        if self.condition is not None:
            scale, shift = self.condition(context).chunk(2, dim=-1)
            qkv = qkv * scale + shift
        if self.is_column:
            qkv = qkv.transpose(1, 2)
        num, lines, places = qkv.shape[:3]
        qkv = qkv.reshape(num * lines, places, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        queries, keys, values = qkv.unbind()  # (N * lines, heads, places, channels)
        if cache is not None:
            keys, values = cache.extend(keys, values)
        seen = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=self._bias(places, keys.shape[-2]).to(queries.dtype)
        )
        seen = seen.transpose(1, 2).reshape(num, lines, places, -1)
        return self.out(seen.transpose(1, 2) if self.is_column else seen)

    def _bias(self, num_queries: int, num_keys: int) -> Tensor:
        """(heads, queries, keys), queries being the last of `num_keys` positions; -inf masks later ones."""
        distance = self.distance[num_keys - num_queries : num_keys, :num_keys]
        bias = self.bias[:, distance + self.bias.shape[1] // 2]
        return bias.masked_fill(distance > 0, -math.inf) if self.is_causal else bias


class PositionEmbedding(nn.Module):
    """Add a learned vector per row and one per column."""

    def __init__(self, width: int, side: int) -> None:
        super().__init__()
        self.rows = nn.Parameter(torch.randn(side, 1, width) * width**-0.5)
        self.columns = nn.Parameter(torch.randn(side, width) * width**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """(N, side, side, width) -> the same shape."""
        return x + (self.rows + self.columns)


class LevelEmbedding(nn.Embedding):
    """An embedding of levels, linearly interpolated between integer levels.

    Neighbours start with similar vectors: each channel is a slow wave along the levels.
    """

    def reset_parameters(self) -> None:
        """Initialize by random waves, see `smooth_`."""
        smooth_(self.weight)

    def forward(self, levels: Tensor) -> Tensor:
        """(...) float, in [0, num_embeddings - 1] -> (..., width)."""
        low = levels.floor().clamp(0, self.num_embeddings - 2)
        below = F.embedding(low.long(), self.weight)
        above = F.embedding(low.long() + 1, self.weight)
        return torch.lerp(below, above, (levels - low).unsqueeze(-1).to(below.dtype))


class AxialBlock(nn.Module):
    """Axial attention, then an MLP per pixel, each with a residual connection followed by layer norm."""

    def __init__(self, shape: Shape, *, is_column: bool) -> None:
        super().__init__()
        self.attention = AxialAttention(shape, is_column=is_column)
        self.mlp = mlp(shape.width)
        self.norms = nn.ModuleList(nn.LayerNorm(shape.width) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, H, W, width) -> the same shape."""
        x = self.norms[0](x + self.attention(x))
        out: Tensor = self.norms[1](x + self.mlp(x))
        return out


class AxialEncoder(nn.Sequential):
    """Position embedding, then layers of a row and a column block each; keeps (N, side, side, width)."""

    def __init__(self, shape: Shape, num_layers: int) -> None:
        blocks = [AxialBlock(shape, is_column=bool(i % 2)) for i in range(2 * num_layers)]
        super().__init__(PositionEmbedding(shape.width, shape.side), *blocks)


@torch.no_grad()
def smooth_(weight: Tensor, axes: int = 1, variance: float = 1.0) -> None:
    """Fill (levels ** axes, width) with random cosine waves, of up to `_WAVES` periods along each axis."""
    levels = round(len(weight) ** (1 / axes))
    places = torch.cartesian_prod(*[torch.linspace(0, 2 * math.pi, levels)] * axes).view(-1, axes)
    frequency, phase = torch.rand(axes, weight.shape[1]), torch.rand(weight.shape[1])
    waves = torch.cos(_WAVES * places @ frequency + 2 * math.pi * phase)
    weight.copy_(math.sqrt(2 * variance) * waves)


def mlp(width: int) -> nn.Sequential:
    """Two linear layers of the same width, with ReLU between them."""
    return nn.Sequential(nn.Linear(width, width), nn.ReLU(inplace=True), nn.Linear(width, width))
