"""Tables of the results page of how far the rows of an experiment are from one of them, photo by photo."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.figures.set_tables import interval
from scoring.scorecard import HEADS

_COLUMNS = {"psnr": "PSNR, dB", "ssim": "SSIM", "delta_e_76": "ΔE76", "delta_e_2000": "ΔE2000"}
_COLUMNS |= {"colorfulness_gap": "gap"}


def difference_tables(compared: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """How far each row is from the first on the scenes list.

    Rows that were never compared with the first, since its weights were gone, follow in a table of their own,
    beside the first of them.

    Args:
        compared: of the experiment's file.
        names: of all its rows.
    """
    parts: list[str] = []
    left = list(names)
    while len(left) > 1:
        first = left[0]
        pairs = [pair for pair in compared["differences"] if pair["minus"] == first]
        if pairs:
            parts.append(_table(first, pairs, is_first=not parts))
        left = [name for name in left[1:] if name not in {pair["of"] for pair in pairs}]
    return parts


def _table(first: str, pairs: Sequence[Mapping[str, Any]], *, is_first: bool) -> str:
    about = (
        f"Minus {first} on the scenes list, photo by photo, by `--mode=compare`; 95 % paired bootstrap "
        "intervals, and * where they leave out 0. The gap is that of colourfulness to the truth.\n"
    )
    lines = [
        about if is_first else f"Minus {first}, likewise: the weights of the rows above were gone.\n",
        "| | " + " | ".join(_COLUMNS.values()) + " |",
        "|---" * (1 + len(_COLUMNS)) + "|",
    ]
    for pair in pairs:
        cells = [interval(pair[m], HEADS[m][1], "+") + "*" * pair[m]["differs"] for m in _COLUMNS]
        lines.append(f"| {pair['of']} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
