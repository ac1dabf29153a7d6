"""Pieces of Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def head(first: str, others: Iterable[str]) -> list[str]:
    """The lines of a table's head: what the first column is, and the titles of the others."""
    cells = [first, *others]
    return [row(cells), "|---" * len(cells) + "|"]


def row(cells: Sequence[str]) -> str:
    """A line of a table."""
    return "| " + " | ".join(cells) + " |"


def spread(found: dict[str, float], digits: int, middle: str = "median", sign: str = "") -> str:
    """The middle, and from where to where in brackets."""
    return "{:{s}.{n}f} [{:{s}.{n}f}, {:{s}.{n}f}]".format(
        *(found[k] for k in (middle, "low", "high")), n=digits, s=sign
    )
