"""The autoregressive colorizer of coltran2021: one of 512 coarse colours for every pixel.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer", sections 3 and 4, and the
authors' code. Pixels come in raster order; pictures are (N, H, W, C).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.axial_attention import AxialEncoder, LevelEmbedding, Shape, smooth_
from models.coltran_truth import NUM_COLORS
from models.conditional_axial import ConditionalBlock, Decoder

NUM_GRAYS = 256
"""Number of levels of L* in the embedding."""


class ColorizerCore(nn.Module):
    """Encoder of the gray photo, outer decoder over previous rows, inner decoder along the row.

    A pixel's distribution depends only on the photo and on the colours of earlier pixels: the outer decoder's
    column attention is causal and its output shifted down by a row, so that a row depends on rows above; the
    inner decoder gets the colours shifted right by a pixel, and its row attention is causal.
    """

    def __init__(self, shape: Shape, *, num_encoder: int, num_outer: int, num_inner: int) -> None:
        """
        Args:
            shape: of all layers; the side is that of the coarse picture.
            num_encoder, num_outer, num_inner: number of layers of encoder and decoders.
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
        last = nn.Linear(width, NUM_COLORS)
        self.head = nn.Sequential(nn.LayerNorm(width), last)
        smooth_(self.embed.weight, axes=3)
        for linear in (self.parallel, last):
            smooth_(linear.weight, axes=3, variance=1 / width)

    def forward(self, coarse: Tensor, gray: Tensor) -> Tensor:
        """Compute the distribution of every pixel, given the colours of all earlier ones.

        Args:
            coarse: (N, side, side) int64, colours in [0, 511].
            gray: (N, side, side, width), the encoder's output for the photo.
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
        """Sample pictures; caches let the outer decoder process each row, the inner each pixel only once.

        Args:
            gray: (N, side, side, width), the encoder's output for the photos.
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
    """Sample a class by inverting the cumulative distribution.

    Args:
        logits: (..., classes).
        uniform: (...) in [0, 1).
        temperature: of the softmax; as it approaches 0, the most likely class is chosen.
    Returns:
        (...) int64.
    """
    cumulative = (logits.float() / temperature).softmax(dim=-1).cumsum(dim=-1)
    # By rounding, the last cumulative sum may be below 1.
    return (cumulative <= uniform[..., None]).sum(dim=-1).clamp(max=logits.shape[-1] - 1)
