"""The upsamplers of coltran2021: for colours, from 8 to 256 levels per channel, and for space.

Source: Kumar, Weissenborn and Kalchbrenner 2021, "Colorization Transformer", section 4.3, and the authors'
code.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.axial_attention import AxialEncoder, LevelEmbedding, Shape, smooth_
from models.coltran_core import NUM_GRAYS
from models.coltran_truth import NUM_VALUES


class Upsampler(nn.Module):
    """Predicts a channel of an RGB picture in 256 values, from that channel and the gray photo."""

    values: Tensor

    def __init__(self, shape: Shape, *, num_levels: int, num_layers: int) -> None:
        """
        Args:
            shape: of all layers; the side is that of the picture.
            num_levels: of the input channels.
            num_layers: number of layers of the encoder.
        """
        super().__init__()
        self.num_levels = num_levels
        self.channel = LevelEmbedding(3 * num_levels, shape.width)
        for levels in self.channel.weight.chunk(3):
            smooth_(levels)
        self.gray = LevelEmbedding(NUM_GRAYS, shape.width)
        self.join = nn.Linear(2 * shape.width, shape.width)
        self.encoder = AxialEncoder(shape, num_layers)
        self.head = nn.Linear(shape.width, NUM_VALUES)
        smooth_(self.head.weight, variance=1 / shape.width)
        self.register_buffer("values", torch.arange(float(NUM_VALUES)), persistent=False)

    def forward(self, levels: Tensor, gray: Tensor, channel: Tensor | int) -> Tensor:
        """Compute the distribution of every value.

        Args:
            levels: (N, side, side) float, in [0, num_levels - 1].
            gray: (N, side, side) float, in [0, 255].
            channel: (N, 1, 1) int64, or one number for all: 0, 1, 2 for red, green, blue.
        Returns:
            (N, side, side, 256) logits.
        """
        x = torch.cat((self.channel(levels + self.num_levels * channel), self.gray(gray)), dim=-1)
        logits: Tensor = self.head(self.encoder(self.join(x)))
        return logits

    def mean(self, levels: Tensor, gray: Tensor) -> Tensor:
        """Compute the mean of the distribution of every value.

        Args:
            levels: (N, 3, side, side) float, in [0, num_levels - 1].
            gray: (N, side, side) float, in [0, 255].
        Returns:
            (N, 3, side, side) float32, in [0, 255].
        """
        # One channel at a time: all three together would take three times the memory.
        logits = (self(channel, gray, i).float() for i, channel in enumerate(levels.unbind(1)))
        return torch.stack([(z.softmax(dim=-1) * self.values).sum(dim=-1) for z in logits], dim=1)
