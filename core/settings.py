"""Settings as dataclass fields: declared with a default, a help text and a range, and validated."""

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
"""Values of --mode."""
SPLITTING = ("train", "test", "compare")
"""The modes that open a data set of color photos with its splits."""
LISTING = (*SPLITTING, "check")
"""The modes that list the photos of such a data set."""
LOOKING = tuple(mode for mode in MODES if mode != "check")
"""The modes that run a model on photos."""
COLORING = ("predict", "compare", "serve")
"""The modes that write or show colored photos."""
KINDS = ("photo", "clip", "folder")
"""Kinds of input of `predict`."""


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
    """Declare one setting of a dataclass: default, help, scope and range.

    Args:
        default: value if the flag is not given.
        help: one line, with the unit.
        modes: the `MODES` that use it; in any other its flag is an error.
        kinds: the `KINDS` of input for which `predict` uses it.
        instead: mode or kind that it is not for -> advice for the error message, in place of 'leave it out'.
        resumable: whether it may be changed when a run is resumed; otherwise a change is an error.
        low, above, high: smallest value, bound the value must exceed, largest value.
        choices: the only values allowed.
        bare: the value of the flag if it is given without one, or as `true`; for settings of type float or
            str that were a switch once.
    """
    allowed = {"low": low, "above": above, "high": high, "choices": choices, "bare": bare}
    scope = {"modes": modes, "kinds": kinds, "instead": instead or {}, "resumable": resumable}
    return field(default=default, metadata={"help": help, **scope, **allowed})


def check_mode(item: dataclasses.Field[Any], mode: str) -> None:
    """
    Raises:
        UserError: the setting is not for this mode; the message names its modes.
    """
    modes = item.metadata["modes"]
    if mode not in modes:
        advice = item.metadata["instead"].get(mode, "leave it out")
        raise UserError(f"--{item.name} is for {in_words(modes)}, not for {mode}: {advice}")


def names_for(settings: Any, mode: str) -> list[str]:
    """Names of the settings of an object for this mode, in the order of declaration."""
    return [item.name for item in dataclasses.fields(settings) if mode in item.metadata.get("modes", ())]


def check_kind(settings: Any, kind: str, path: Path) -> None:
    """Check that no setting for other kinds of input differs from its default.

    Raises:
        UserError: a setting was changed that is not for `path`, an input of this kind.
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
    """Describe the range in a setting's metadata: 'at least 1', 'one of a, b', or ''."""
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
"""Declared type -> accepted Python types; any other declared type is a tuple of numbers."""


def check_ranges(settings: Any) -> None:
    """Check every declared setting of a dataclass instance against its own range.

    Raises:
        UserError: a value is out of range; the message names flag, value and range.
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
