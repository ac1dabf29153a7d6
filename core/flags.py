"""Command line flags for settings: one per declaration, with its parser and help text."""

from __future__ import annotations

import argparse
import dataclasses
import inspect
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from core.settings import MODES, describe_range, field_types, in_words

log = logging.getLogger(__name__)


def sections(*settings: type) -> Iterator[tuple[type, list[dataclasses.Field[Any]]]]:
    """Each class that declares settings, base classes included, with the fields that it declares itself.

    Args:
        settings: dataclasses, in the order of the help.
    """
    for section in dict.fromkeys(base for cls in settings for base in cls.__mro__):
        if dataclasses.is_dataclass(section):
            own = inspect.get_annotations(section)
            yield section, [f for f in dataclasses.fields(section) if f.name in own and f.metadata]


def add_flags(
    parser: argparse.ArgumentParser,
    section: type,
    declarations: list[dataclasses.Field[Any]],
    mode: str | None = None,
) -> None:
    """Add the flags of a section to a parser.

    If another model has added a flag of the same name, this help text is appended to its own.

    Args:
        parser: its namespace will hold only the flags that were given, no defaults.
        section: the start of its docstring, up to a semicolon, is the title of the flags.
        declarations: the settings of `section`.
        mode: the help shows the flags of this mode; None: all flags.
    """
    title = (section.__doc__ or "").partition(";")[0].rstrip(".")
    group = parser.add_argument_group(title)
    kinds = field_types(section)
    for item in declarations:
        is_shown = mode is None or mode in item.metadata["modes"]
        help = _describe(item, mode) if is_shown else argparse.SUPPRESS
        if shared := parser._option_string_actions.get(f"--{item.name}"):
            if is_shown:
                shared.help = f"{shared.help}; {title[0].lower()}{title[1:]}: {help}"
            continue
        kind = kinds[item.name]
        bare = True if kind is bool else item.metadata["bare"]
        options: dict[str, Any] = {} if bare is None else {"nargs": "?", "const": bare}
        parse = _PARSERS.get(kind, _parse_numbers)
        group.add_argument(
            f"--{item.name}",
            action=_Store,
            type=parse if item.metadata["bare"] is None else _or_switch(parse, bare),
            default=argparse.SUPPRESS,
            metavar=item.name.upper(),
            help=help,
            **options,
        )


class _Store(argparse.Action):
    """Store a value, with a warning if it replaces another: a command may be begun with flags to override."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        if getattr(namespace, self.dest, values) != values:
            log.warning("%s is given twice: the last one counts", option_string)
        setattr(namespace, self.dest, values)


def _describe(item: dataclasses.Field[Any], mode: str | None) -> str:
    """Help text of a setting for argparse: help, range, default and, if `mode` is None, its modes."""
    notes = [item.metadata["help"]]
    if allowed := describe_range(item.metadata):
        notes.append(allowed)
    if item.default not in (None, False, dataclasses.MISSING):
        notes.append(f"default {_show(item.default)}")
    if mode is None and item.metadata["modes"] != MODES:
        notes.append(f"for {in_words(item.metadata['modes'])}")
    return "; ".join(notes).replace("%", "%%")


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _or_switch(parse: Callable[[str], Any], on: float | str) -> Callable[[str], Any]:
    """Extend `parse` by the words of a switch: true gives `on`; false gives 0, or None if `on` is a word."""
    words = {"true": on, "false": None if isinstance(on, str) else 0.0}

    def parse_either(text: str) -> Any:
        if text.lower() in words:
            return words[text.lower()]
        try:
            return parse(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is neither a number nor true or false") from None

    return parse_either


def _parse_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0.7,0.15,0.15") from None


def _parse_path(text: str) -> Path:
    if not text:  # from an unset shell variable; Path("") would be the working directory
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


_PARSERS: dict[Any, Callable[[str], Any]] = {
    bool: _parse_bool,
    int: int,
    float: float,
    str: str,
    Path: _parse_path,
}
