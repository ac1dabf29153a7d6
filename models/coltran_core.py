"""The colorizer of coltran2021: one of 512 coarse colours for every pixel, each given those before it.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer", sections 3 and 4, and the
authors' code. Pixels come in raster order; pictures are (N, H, W, C).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.axial_attention import (
    AxialAttention,
    AxialEncoder,
    KeyValueCache,
    LevelEmbedding,
    PositionEmbedding,
    Shape,
    mlp,
    smooth_,
)
from models.coltran_truth import NUM_COLORS

NUM_GRAYS = 256
"""Steps of L* of which the embedding knows one each."""

Affine = tuple[Tensor, Tensor]
"""Scale and shift of a conditional norm, (N, 1, 1, width) each."""
Caches = Sequence[KeyValueCache | None]


class ConditionalNorm(nn.Module):
    """Layer norm whose scale and shift follow from a learned mean of the gray photo's context."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.pool = nn.Parameter(torch.ones(shape.side, shape.side, 1))
        self.affine = nn.Linear(shape.width, 2 * shape.width)
        _start_at_identity(self.affine)

    def condition(self, gray: Tensor) -> Affine:
        """Of the context of the whole photo, (N, H, W, width)."""
        scale, shift = self.affine((self.pool * gray).mean(dim=(1, 2), keepdim=True)).chunk(2, dim=-1)
        return scale, shift

    def forward(self, x: Tensor, affine: Affine) -> Tensor:
        """(N, any, any, width), the same."""
        return F.layer_norm(x, x.shape[-1:]) * affine[0] + affine[1]


class ConditionalBlock(nn.Module):
    """An `AxialBlock` in which a context conditions attention and MLP, and the gray photo the norms."""

    def __init__(self, shape: Shape, context_width: int, *, is_column: bool, is_causal: bool) -> None:
        super().__init__()
        axis = {"is_column": is_column, "is_causal": is_causal}
        self.attention = AxialAttention(shape, context_width=context_width, **axis)
        self.mlp = mlp(shape.width)
        self.condition = nn.Linear(context_width, 2 * shape.width)
        _start_at_identity(self.condition)
        self.norms = nn.ModuleList(ConditionalNorm(shape) for _ in range(2))

    def forward(
        self, x: Tensor, context: Tensor, affines: Sequence[Affine], cache: KeyValueCache | None
    ) -> Tensor:
        """(N, H, W, width), the same; the next row or pixel where there is a cache."""
        x = self.norms[0](x + self.attention(x, context, cache), affines[0])
        scale, shift = self.condition(context).chunk(2, dim=-1)
        out: Tensor = self.norms[1](x + self.mlp(x) * scale + shift, affines[1])
        return out


class Decoder(nn.Module):
    """Positions and conditional blocks."""

    def __init__(self, shape: Shape, blocks: Sequence[ConditionalBlock]) -> None:
        super().__init__()
        self.places = PositionEmbedding(shape.width, shape.side)
        self.blocks = nn.ModuleList(blocks)

    def condition(self, gray: Tensor) -> list[list[Affine]]:
        """Of the norms of each block, by the context of the whole photo."""
        return [
            [norm.condition(gray) for norm in block.norms if isinstance(norm, ConditionalNorm)]
            for block in self._conditional()
        ]

    def caches(self) -> Caches:
        """For `forward` to go on from what it has seen, in its causal blocks."""
        return [KeyValueCache() if block.attention.is_causal else None for block in self._conditional()]

    def _conditional(self) -> list[ConditionalBlock]:
        return [block for block in self.blocks if isinstance(block, ConditionalBlock)]

    def forward(
        self, x: Tensor, context: Tensor, affines: list[list[Affine]], caches: Caches | None = None
    ) -> Tensor:
        """(N, H, W, width), the same; see the blocks."""
        for block, affine, cache in zip(self.blocks, affines, caches or [None] * len(affines), strict=True):
            x = block(x, context, affine, cache)
        return x


class ColorizerCore(nn.Module):
    """Encoder of the gray photo, outer decoder over the rows above, inner decoder along the row.

    A pixel's distribution depends on the photo and on the colours before the pixel alone: the columns of the
    outer decoder are masked and its result moved down, so that a row sees those above it; the inner decoder
    gets the colours moved right by a pixel, and its rows are masked.
    """

    def __init__(self, shape: Shape, *, num_encoder: int, num_outer: int, num_inner: int) -> None:
        """
        Args:
            shape: of all layers; the side is that of the coarse picture.
            num_encoder, num_outer, num_inner: layers of each.
        """
        super().__init__()
        width = shape.width
        self.encoder = nn.Sequential(LevelEmbedding(NUM_GRAYS, width), AxialEncoder(shape, num_encoder))
        self.parallel = nn.Linear(width, NUM_COLORS, bias=False)
        self.embed = nn.Embedding(NUM_COLORS, width)
        outer = [
            ConditionalBlock(shape, width, is_column=is_column, is_causal=is_column)
            for is_column in (False, True) * num_outer
        ]
        self.outer = Decoder(shape, outer)
        inner = [
            ConditionalBlock(shape, 2 * width, is_column=False, is_causal=True) for _ in range(num_inner)
        ]
        self.inner = Decoder(shape, inner)
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, NUM_COLORS))
        smooth_(self.embed.weight, axes=3)
        for head in (self.parallel, self.head[1]):
            assert isinstance(head, nn.Linear)
            smooth_(head.weight, axes=3, variance=1 / width)

    def forward(self, coarse: Tensor, gray: Tensor) -> Tensor:
        """The distribution of every pixel, given those before it.

        Args:
            coarse: (N, side, side) int64, colours in [0, 511].
            gray: (N, side, side, width), what the encoder made of the photo.
        Returns:
            (N, side, side, 512) logits.
        """
        colors = self.embed(coarse)
        x = self.outer.places(colors) + gray
        above = self.outer(x, gray, self.outer.condition(gray))
        above = F.pad(above, (0, 0, 0, 0, 1, -1))
        x = self.inner.places(F.pad(colors, (0, 0, 1, -1))) + gray + above
        x = self.inner(x, torch.cat((gray, above), dim=-1), self.inner.condition(gray))
        logits: Tensor = self.head(x)
        return logits

    @torch.compiler.disable
    @torch.no_grad()
    def sample(self, gray: Tensor, uniform: Tensor, temperature: float) -> Tensor:
        """Draw a picture: the outer decoder sees each row once, the inner decoder each pixel once.

        Args:
            gray: (N, side, side, width), what the encoder made of the photos.
            uniform: (N, side, side) in [0, 1), the random number of each pixel.
            temperature: see `draw`.
        Returns:
            (N, side, side) int64, colours in [0, 511].
        """
        outer, inner = self.outer.condition(gray), self.inner.condition(gray)
        outer_places, inner_places = self.outer.places(gray), self.inner.places(gray)
        coarse = torch.zeros(gray.shape[:3], dtype=torch.int64, device=gray.device)
        above, rows_above = torch.zeros_like(gray[:, :1]), self.outer.caches()
        for row in range(gray.shape[1]):
            here = slice(row, row + 1)
            start = inner_places[:, here] + above
            context = torch.cat((gray[:, here], above), dim=-1)
            left, row_so_far = torch.zeros_like(gray[:, :1, :1]), self.inner.caches()
            for column in range(gray.shape[2]):
                at = slice(column, column + 1)
                x = self.inner(start[:, :, at] + left, context[:, :, at], inner, row_so_far)
                coarse[:, here, at] = draw(self.head(x), uniform[:, here, at], temperature)
                left = self.embed(coarse[:, here, at])
            x = outer_places[:, here] + self.embed(coarse[:, here])
            above = self.outer(x, gray[:, here], outer, rows_above)
        return coarse


def draw(logits: Tensor, uniform: Tensor, temperature: float) -> Tensor:
    """One of some classes, by inversion of the cumulative distribution.

    Args:
        logits: (..., classes).
        uniform: (...) in [0, 1).
        temperature: of the distribution; towards 0 the likeliest class.
    Returns:
        (...) int64.
    """
    cumulative = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    # Rounding may leave the last sum below 1.
    return (cumulative <= uniform[..., None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)


def _start_at_identity(affine: nn.Linear) -> None:
    """Where the context says nothing the scale, of the first half of the channels, is 1."""
    nn.init.ones_(affine.bias[: len(affine.bias) // 2])
