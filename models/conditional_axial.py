"""Axial attention conditioned on a context: the blocks of the decoders of coltran2021.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer", section 4.1, and the authors'
code. Pictures are (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.axial_attention import AxialAttention, KeyValueCache, PositionEmbedding, Shape, mlp

Affine = tuple[Tensor, Tensor]
"""Scale and shift of a conditional norm, (N, 1, 1, width) each."""
Caches = Sequence[KeyValueCache | None]


class ConditionalNorm(nn.Module):
    """Layer norm whose scale and shift are predicted from a learned weighted mean of the gray context."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.pool = nn.Parameter(torch.ones(shape.side, shape.side, 1))
        self.affine = nn.Linear(shape.width, 2 * shape.width)
        _start_at_identity(self.affine)

    def condition(self, gray: Tensor) -> Affine:
        """Compute scale and shift from the context of the whole photo, (N, H, W, width)."""
        scale, shift = self.affine((self.pool * gray).mean(dim=(1, 2), keepdim=True)).chunk(2, dim=-1)
        return scale, shift

    def forward(self, x: Tensor, affine: Affine) -> Tensor:
        """(N, any, any, width) -> the same shape."""
        return F.layer_norm(x, x.shape[-1:]) * affine[0] + affine[1]


class ConditionalBlock(nn.Module):
    """An `AxialBlock` whose attention and MLP are conditioned on a context, its norms on the gray photo."""

    def __init__(self, shape: Shape, context_width: int, *, is_column: bool, is_causal: bool) -> None:
        super().__init__()
        axis = {"is_column": is_column, "is_causal": is_causal}
        self.attention = AxialAttention(shape, context_width=context_width, **axis)
        self.mlp = mlp(shape.width)
        self.condition = nn.Linear(context_width, 2 * shape.width)
        _start_at_identity(self.condition)
        self.attention_norm, self.mlp_norm = ConditionalNorm(shape), ConditionalNorm(shape)

    def affines(self, gray: Tensor) -> list[Affine]:
        """Compute scale and shift of both norms from the context of the whole photo."""
        return [norm.condition(gray) for norm in (self.attention_norm, self.mlp_norm)]

    def forward(
        self, x: Tensor, context: Tensor, affines: Sequence[Affine], cache: KeyValueCache | None
    ) -> Tensor:
        """(N, H, W, width) -> the same shape; with a cache, `x` is only the next row or pixel."""
        x = self.attention_norm(x + self.attention(x, context, cache), affines[0])
        scale, shift = self.condition(context).chunk(2, dim=-1)
        out: Tensor = self.mlp_norm(x + self.mlp(x) * scale + shift, affines[1])
        return out


class Decoder(nn.Module):
    """Position embedding and conditional blocks."""

    def __init__(self, shape: Shape, blocks: Sequence[ConditionalBlock]) -> None:
        super().__init__()
        self.places = PositionEmbedding(shape.width, shape.side)
        self.blocks = nn.ModuleList(blocks)

    def _each(self) -> list[ConditionalBlock]:
        return [block for block in self.blocks if isinstance(block, ConditionalBlock)]

    def condition(self, gray: Tensor) -> list[list[Affine]]:
        """Compute scale and shift of each block's norms from the context of the whole photo."""
        return [block.affines(gray) for block in self._each()]

    def caches(self) -> Caches:
        """Create empty caches for the causal blocks, None for others, for step-by-step calls of `forward`."""
        return [KeyValueCache() if block.attention.is_causal else None for block in self._each()]

    def forward(
        self, x: Tensor, context: Tensor, affines: list[list[Affine]], caches: Caches | None = None
    ) -> Tensor:
        """(N, H, W, width) -> the same shape; see `ConditionalBlock.forward`."""
        for block, affine, cache in zip(self.blocks, affines, caches or [None] * len(affines), strict=True):
            x = block(x, context, affine, cache)
        return x


def _start_at_identity(affine: nn.Linear) -> None:
    """Initialize the bias of the scales, the first half of the channels, to 1."""
    nn.init.ones_(affine.bias[: len(affine.bias) // 2])
