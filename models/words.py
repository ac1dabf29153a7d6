"""Embedding of the words of prompts; the vocabulary is that of the training photos' class names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

MAX_WORDS = 1024
_MAX_BYTES = 32


class WordEmbedding(nn.Module):
    """A vector for each known word, and a null vector (row 0) that starts every text.

    The words are stored as a UTF-8 buffer, so that files of weights include them.
    """

    words: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.vectors = nn.Embedding(1 + MAX_WORDS, width)
        self.register_buffer("words", torch.zeros(MAX_WORDS, _MAX_BYTES, dtype=torch.uint8))

    def learn(self, names: Iterable[str]) -> list[str]:
        """Add the words of these names to the vocabulary, up to `MAX_WORDS`.

        Returns:
            The words for which there was no room.
        """
        known = self._rows()
        keys = dict.fromkeys(_key(word) for name in names for word in split_words(name))
        new = [key for key in keys if key not in known]
        num_free = MAX_WORDS - len(known)
        for row, key in enumerate(new[:num_free], start=len(known)):
            self.words[row, : len(key)] = torch.tensor(list(key), dtype=torch.uint8)
        return [key.decode() for key in new[num_free:]]

    def known(self) -> list[str]:
        """Return the known words."""
        return [key.decode() for key in self._rows()]

    def unknown(self, text: str) -> list[str]:
        """Return the words of a text that are not known."""
        known = self._rows()
        return [word for word in split_words(text) if _key(word) not in known]

    def knows(self, text: str) -> bool:
        """Return whether any word of a text is known."""
        return len(self.unknown(text)) < len(split_words(text))

    def forward(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Embed texts: the null vector, then the vectors of the known words.

        Args:
            texts: N.
        Returns:
            (N, W, width), and a mask (N, W) bool of the valid vectors.
        """
        known = self._rows()
        keys = [[_key(word) for word in split_words(text)] for text in texts]
        rows = [[0, *(known[key] for key in own if key in known)] for own in keys]
        longest = max(map(len, rows))
        device = self.words.device
        numbers = torch.tensor([own + [0] * (longest - len(own)) for own in rows], device=device)
        lengths = torch.tensor([len(own) for own in rows], device=device)
        return self.vectors(numbers), torch.arange(longest, device=device) < lengths[:, None]

    def nothing(self, num: int) -> tuple[Tensor, None]:
        """Embed `num` texts without words: (num, 1, width), and None for a mask."""
        return self.vectors.weight[:1].expand(num, 1, -1), None

    def _rows(self) -> dict[bytes, int]:
        """Word -> row of its vector."""
        num = int(self.words[:, 0].count_nonzero())
        words = self.words[:num].cpu().numpy()
        return {row.tobytes().rstrip(b"\0"): number for number, row in enumerate(words, start=1)}


def split_words(text: str) -> list[str]:
    """'Red car, dusk' -> ['red', 'car', 'dusk']."""
    return re.findall(r"[^\W_]+", text.lower())


def _key(word: str) -> bytes:
    """Encode a word as UTF-8, truncated at a character boundary to the stored length."""
    return word.encode()[:_MAX_BYTES].decode(errors="ignore").encode()
