"""Rows of an experiment that were measured before, beside those that are measured now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from core.errors import UserError
from core.files import read_json, sha256

Found = dict[str, Any]
"""A file of docs/results of an experiment."""


def read_kept(path: Path, command: str, common: str) -> Found | None:
    """What was measured before by the same command; None: nothing.

    Raises:
        UserError: by another command: its rows would stand beside rows of other photos or other trainings.
    """
    if not path.exists():
        return None
    kept: Found = read_json(path)
    if (kept["command"], kept["common"]) != (command, common):
        raise UserError(
            f"--only keeps the other rows of {path}, and these are of `{kept['command']}` with "
            f"`{kept['common']}`, not of `{command}` with `{common}`: give its flags, or leave --only out"
        )
    return kept


def with_weights(kept: Found | None, files: Mapping[str, Path]) -> list[str]:
    """Names of the kept rows whose weights are still those that were scored.

    Args:
        files: name of a row -> where its weights are, if anywhere.
    """
    rows = kept["rows"] if kept else []
    scored = {row["name"]: row["card"]["weights_sha256"] for row in rows if row["name"] in files}
    return [n for n, digest in scored.items() if files[n].exists() and sha256(files[n]) == digest]


def merge(kept: Found | None, found: Found, order: Iterable[str]) -> Found:
    """Put new rows among those that were kept.

    Args:
        kept: of the same command; None: nothing.
        found: whose rows, differences and machine are the newer.
        order: names of all rows there may be.
    Returns:
        A row that was measured on another machine than the kept ones has a 'machine' of its own.
    """
    if kept is None:
        return found
    own = {} if found["machine"] == kept["machine"] else {"machine": found["machine"]}
    rows = {row["name"]: row for row in kept["rows"]} | {row["name"]: row | own for row in found["rows"]}
    merged = kept | {"title": found["title"], "rows": [rows[name] for name in order if name in rows]}
    if "compared" in found:
        new = {row["name"] for row in found["rows"]}
        merged["compared"] = _merge_compared(kept.get("compared"), found["compared"], new)
    return merged


def _merge_compared(kept: Found | None, found: Found, new: set[str]) -> Found:
    """The differences of two kept rows stay, those to the former weights of a new row do not."""
    if kept is None:
        return found
    pairs = {(pair["of"], pair["minus"]): pair for pair in kept["differences"]}
    pairs = {names: pair for names, pair in pairs.items() if not new & {*names}}
    pairs |= {(pair["of"], pair["minus"]): pair for pair in found["differences"]}
    return found | {"models": kept["models"] | found["models"], "differences": [*pairs.values()]}
