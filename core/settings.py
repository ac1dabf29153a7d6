"""Settings as fields of dataclasses: declared with a default, a help text and a range, and checked."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any

from core.errors import UserError

MODES = ("train", "test", "predict", "export", "compare", "serve", "check")
"""What the program does."""
SPLITTING = ("train", "test", "compare")
"""The modes that open a folder of photos with their true colours."""
LISTING = (*SPLITTING, "check")
"""The modes that look into such a folder."""
LOOKING = tuple(mode for mode in MODES if mode != "check")
"""The modes in which a model sees photos."""
COLORING = ("predict", "compare", "serve")
"""The modes that color photos for people."""
KINDS = ("photo", "clip", "folder")
"""What `predict` colors."""


def setting(
    default: Any,
    help: str,
    *,
    modes: tuple[str, ...],
    kinds: tuple[str, ...] = KINDS,
    instead: Mapping[str, str] | None = None,
    resumable: bool = False,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    bare: float | str | None = None,
) -> Any:
    """Declare one setting of a dataclass: default, help, whom it is for, and what it is checked against.

    Args:
        default: value when nobody says otherwise.
        help: one line, with the unit.
        modes: those that use it, of `MODES`; in another one its flag is an error.
        kinds: of `KINDS`, those of which `predict` uses it.
        instead: mode or kind that it is not for -> the advice to give there, where 'leave it out' is not all.
        resumable: whether a run that is resumed may be told it anew; else that would be another run.
        low, above, high: smallest value, bound the value must exceed, largest value.
        choices: the only words allowed.
        bare: of a number or a word that was a switch once: what the flag means without a value, and `true`.
    """
    allowed = {"low": low, "above": above, "high": high, "choices": choices, "bare": bare}
    scope = {"modes": modes, "kinds": kinds, "instead": instead or {}, "resumable": resumable}
    return field(default=default, metadata={"help": help, **scope, **allowed})


def check_mode(item: dataclasses.Field[Any], mode: str) -> None:
    """
    Raises:
        UserError: the setting is not for this mode; names those that it is for.
    """
    modes = item.metadata["modes"]
    if mode not in modes:
        advice = item.metadata["instead"].get(mode, "leave it out")
        raise UserError(f"--{item.name} is for {in_words(modes)}, not for {mode}: {advice}")


def names_for(settings: Any, mode: str) -> list[str]:
    """The settings of an object that are for this mode, in the order of their declaration."""
    return [item.name for item in dataclasses.fields(settings) if mode in item.metadata.get("modes", ())]


def check_kind(settings: Any, kind: str, path: Path) -> None:
    """Check that only settings for such an input differ from their defaults.

    Raises:
        UserError: one of them is for other kinds of input than `path`, which is of this one.
    """
    for item in dataclasses.fields(settings):
        if kind not in item.metadata.get("kinds", KINDS) and getattr(settings, item.name) != item.default:
            kinds = in_words([f"{other}s" for other in item.metadata["kinds"]])
            advice = item.metadata["instead"].get(kind, "leave it out")
            raise UserError(f"--{item.name} is for {kinds}, and {path} is a {kind}: {advice}")


def in_words(words: Sequence[str]) -> str:
    """'a', 'a and b', 'a, b and c'."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def describe_range(metadata: typing.Mapping[str, Any]) -> str:
    """What a setting's metadata allows, in words: 'at least 1', 'one of a, b', or ''."""
    if metadata["choices"]:
        return "one of " + ", ".join(metadata["choices"])
    bounds = {"low": "at least", "above": "above", "high": "at most"}
    parts = [f"{word} {metadata[key]:,}" for key, word in bounds.items() if metadata[key] is not None]
    return " and ".join(parts)


def field_types(settings: type) -> dict[str, Any]:
    """Name -> type of a settings dataclass, with `X | None` reduced to `X`."""
    kinds = {}
    for name, hint in typing.get_type_hints(settings).items():
        options = [t for t in typing.get_args(hint) if t is not type(None)]
        kinds[name] = options[0] if isinstance(hint, types.UnionType) else hint
    return kinds


_ACCEPTED: dict[Any, Any] = {int: int, float: (int, float), bool: bool, str: str, Path: Path}
"""What a declared type takes; everything else is a tuple of numbers."""


def check_ranges(settings: Any) -> None:
    """Check every declared setting of a dataclass instance against its own range.

    Raises:
        UserError: names the flag, the value and what is allowed.
    """
    kinds = field_types(type(settings))
    for item in dataclasses.fields(settings):
        value, allowed = getattr(settings, item.name), item.metadata
        if not allowed or value is None:
            continue
        kind = _ACCEPTED.get(kinds[item.name], tuple)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise UserError(f"--{item.name}={value}: has the wrong type")
        outside = bool(allowed["choices"]) and value not in allowed["choices"]
        if isinstance(value, (int, float)):
            outside |= isinstance(value, float) and not math.isfinite(value)
            outside |= allowed["low"] is not None and value < allowed["low"]
            outside |= allowed["above"] is not None and value <= allowed["above"]
            outside |= allowed["high"] is not None and value > allowed["high"]
        if outside:
            raise UserError(f"--{item.name}={value}: must be {describe_range(allowed) or 'finite'}")
