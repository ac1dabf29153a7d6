"""The command line: one parser, generated from the settings, that dispatches to a mode."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import inspect
import logging
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from config import (
    VERSION,
    CompareConfig,
    Config,
    DataConfig,
    ExportConfig,
    PredictConfig,
    ServeConfig,
    TrainConfig,
)
from errors import UserError
from recipes import with_recipe
from settings import describe_range, field_types

MODES = {
    "train": "train",
    "test": "evaluate",
    "predict": "predict",
    "export": "export",
    "compare": "compare",
    "serve": "web.server",
}
"""Mode -> module with `run(config) -> exit code`. Imported when needed: torch takes seconds."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors look like all others of the program."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see python main.py --help")


def build_parser() -> Parser:
    """One flag for every setting of the configuration and of the models."""
    from models import MODELS
    from models.base import ModelSettings

    parser = Parser(prog="main.py", description="Colorize photographs.", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"colorizer {VERSION}")
    sections = (Config, DataConfig, TrainConfig, PredictConfig, ExportConfig, CompareConfig, ServeConfig)
    for section in (*sections, ModelSettings):
        _add_flags(parser, (section.__doc__ or "").partition(";")[0].rstrip("."), section)
    for name, model in MODELS.items():
        if model.Settings is not ModelSettings:
            _add_flags(parser, f"Settings of {name}", model.Settings)
    return parser


def parse(argv: Sequence[str] | None) -> Config:
    """Turn the command line into a checked configuration.

    Raises:
        UserError: an unknown flag, mode or model, or a value that is not allowed.
    """
    from models import find_model

    parser = build_parser()
    namespace, unknown = parser.parse_known_args(argv)
    if unknown:
        _reject(unknown[0], [flag for action in parser._actions for flag in action.option_strings])
    given = vars(namespace)
    if "mode" not in given:
        raise UserError(f"--mode is missing: must be one of {', '.join(MODES)}")
    own = {field.name for field in dataclasses.fields(Config)}
    general = {name: value for name, value in given.items() if name in own}
    of_model = {name: value for name, value in given.items() if name not in own}
    config = Config(**with_recipe(general), model_settings=of_model, given=frozenset(given))
    find_model(config.model)
    return config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0; 1 when some photos or clips of a folder could not be colored; 2 for what the user can put right,
        told in one line on stderr; 130 for Ctrl-C.
    """
    try:
        _set_up_output()
        config = parse(argv)
        from tqdm.contrib.logging import logging_redirect_tqdm

        import distributed
        from device import find_device

        with logging_redirect_tqdm(), distributed.session(find_device(config.device)):
            code: int = importlib.import_module(MODES[config.mode]).run(config)
        return code
    except KeyboardInterrupt:
        return _stop()
    except UserError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error}: check its rights and the free space, or name another place")
    except (MemoryError, RuntimeError, ImportError) as error:
        from device import is_out_of_memory

        if _comes_of_ctrl_c(error):
            return _stop()
        if is_out_of_memory(error):
            return _fail(
                "out of memory: to train or test, use a smaller --batch_size or --image_size, or "
                "--accumulate; to predict, a smaller photo"
            )
        if _is_lost_process(error):
            reason = str(error).strip().partition("\n")[0]
            return _fail(
                f"another process of this job has ended or cannot be reached ({reason}): see its error"
            )
        raise


def _add_flags(parser: Parser, title: str, settings: type) -> None:
    group = parser.add_argument_group(title)
    kinds = field_types(settings)
    own = inspect.get_annotations(settings)  # not those of the sections it inherits from
    for item in dataclasses.fields(settings):
        if item.name not in own or not item.metadata:
            continue
        kind = kinds[item.name]
        if shared := parser._option_string_actions.get(f"--{item.name}"):
            shared.help = f"{shared.help}; {title[0].lower()}{title[1:]}: {_describe(item)}"
            continue
        bare = True if kind is bool else item.metadata["bare"]
        options: dict[str, Any] = {} if bare is None else {"nargs": "?", "const": bare}
        parse = _PARSERS.get(kind, _parse_numbers)
        group.add_argument(
            f"--{item.name}",
            type=parse if item.metadata["bare"] is None else _or_switch(parse, bare),
            default=argparse.SUPPRESS,  # so that the namespace holds what was given, no more
            metavar=item.name.upper(),
            help=_describe(item),
            **options,
        )


def _describe(item: dataclasses.Field[Any]) -> str:
    """A setting's help, its range and its default, as argparse takes it."""
    notes = [item.metadata["help"]]
    if allowed := describe_range(item.metadata):
        notes.append(allowed)
    if item.default not in (None, False, dataclasses.MISSING):
        notes.append(f"default {_show(item.default)}")
    return "; ".join(notes).replace("%", "%%")


def _show(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _parse_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() == "true"


def _or_switch(parse: Callable[[str], Any], on: float) -> Callable[[str], Any]:
    """`parse`, and the words of a switch: true is `on`, false 0."""
    words = {"true": on, "false": 0.0}
    return lambda text: words[text.lower()] if text.lower() in words else parse(text)


def _parse_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no list of numbers such as 0.7,0.15,0.15") from None


def _parse_path(text: str) -> Path:
    if not text:  # what an unset variable of a shell leaves; as a path it would be the folder at hand
        raise argparse.ArgumentTypeError("the path is empty")
    return Path(text)


_PARSERS: dict[Any, Callable[[str], Any]] = {
    bool: _parse_bool,
    int: int,
    float: float,
    str: str,
    Path: _parse_path,
}


def _reject(unknown: str, flags: Sequence[str]) -> NoReturn:
    name = unknown.partition("=")[0]
    close = difflib.get_close_matches(name, flags, n=1)
    hint = f"did you mean {close[0]}?" if close else "see python main.py --help"
    raise UserError(f"there is no flag {name}: {hint}")


def _set_up_output() -> None:
    from distributed import world

    if not world().is_main:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may hold what a terminal cannot show
            stream.reconfigure(errors="replace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    level = logging.WARNING if world().is_main else logging.ERROR
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level)
    for module in ("data.shards", "data.photos"):  # files that this process alone has looked at
        logging.getLogger(module).setLevel(logging.WARNING)
    logging.addLevelName(logging.WARNING, "warning")
    for library in ("PIL", "matplotlib"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _comes_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether Ctrl-C came within an import, which may make an error of its own of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _stop() -> int:
    _complain("interrupted")
    return 130


def _fail(message: str) -> int:
    _complain(f"error: {message}".replace("\n", "\\n"))
    return 2


def _complain(message: str) -> None:
    from distributed import is_first_to_say

    if is_first_to_say(message):
        print(message, file=sys.stderr)


def _is_lost_process(error: Exception) -> bool:
    from distributed import is_lost_process

    return isinstance(error, RuntimeError) and is_lost_process(error)


if __name__ == "__main__":
    code = main()
    from distributed import leave

    leave(code)
