"""The command line: one parser, generated from the settings, that dispatches to a mode."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn

from config import RENAMED, VERSION, Config
from core.errors import UserError
from core.flags import add_flags, sections
from core.settings import MODES, check_mode
from engine.recipes import with_recipe
from media.library_lines import listen
from models.registry import SETTINGS, check_name
from models.settings import ModelSettings

log = logging.getLogger(__name__)

_MODULES = {"test": "evaluate", "serve": "web.server", "check": "data.check"}
"""Mode -> module with `run(config) -> exit code`, if named differently; imported late, as torch is slow."""


class Parser(argparse.ArgumentParser):
    """A parser that raises its errors as UserError."""

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}; see --help")


def build_parser(mode: str | None = None) -> Parser:
    """Build the parser, with a flag for every setting of the configuration and of the models.

    Args:
        mode: the help shows the flags of this mode; None: all flags.
    """
    hint = "" if mode else " --mode=predict --help lists what is for predict alone, and so for every mode."
    parser = Parser(description=f"Colorize photographs.{hint}", allow_abbrev=False)
    parser.add_argument("--version", action="version", version=f"colorizer {VERSION}")
    for section, declarations in _sections():
        add_flags(parser, section, declarations, mode)
    for former, name in RENAMED.items():
        kind = parser._option_string_actions[f"--{name}"].type or str
        parser.add_argument(f"--{former}", type=kind, default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    return parser


def parse(argv: Sequence[str] | None) -> Config:
    """Parse the command line into a validated configuration.

    Raises:
        UserError: an unknown flag, mode or model, a flag of another mode, or a value that is not allowed.
    """
    mode = _find_mode(argv)
    parser = build_parser(mode)
    namespace, unknown = parser.parse_known_args(argv)
    if unknown:
        _reject(unknown[0], [flag for action in parser._actions for flag in action.option_strings])
    if mode is None:
        raise UserError(f"--mode is missing: must be one of {', '.join(MODES)}")
    given = _rename(vars(namespace))
    declared = {item.name: item for _, declarations in _sections() for item in declarations}
    for name in given:
        check_mode(declared[name], mode)
    own = {field.name for field in dataclasses.fields(Config)}
    general = {name: value for name, value in given.items() if name in own}
    of_model = {name: value for name, value in given.items() if name not in own}
    config = Config(**with_recipe(general), model_settings=of_model, given=frozenset(given))
    check_name(config.model)
    return config


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program.

    Returns:
        0; 1 if some photos or clips of a folder could not be colored; 2 for errors that the user can fix,
        printed as one line to stderr; 130 for Ctrl-C or SIGTERM.
    """
    try:
        _set_up_output()
        config = parse(argv)
        from tqdm.contrib.logging import logging_redirect_tqdm

        from core import distributed
        from core.device import find_device
        from core.interrupts import repeated_interrupts, terminations_as_interrupts

        module = _MODULES.get(config.mode, config.mode)
        with (
            terminations_as_interrupts(),
            repeated_interrupts(),
            logging_redirect_tqdm(),
            distributed.session(find_device(config.device)),
        ):
            code: int = importlib.import_module(module).run(config)
        return code
    except KeyboardInterrupt:
        return _stop()
    except Exception as error:  # any: Ctrl-C during an import may turn into it; a bug is raised again below
        return _stop() if _comes_of_ctrl_c(error) else _explain(error)


def _explain(error: Exception) -> int:
    """Print an error that the user can fix as one line, and return exit code 2; raise any other again."""
    if isinstance(error, UserError):
        return _fail(str(error))
    if isinstance(error, OSError):
        return _fail(f"{error}: check its rights and the free space, or name another place")
    if isinstance(error, (MemoryError, RuntimeError)):
        from core.device import is_out_of_memory

        if is_out_of_memory(error):
            return _fail(
                "out of memory: to train or test, use a smaller --batch_size or --image_size, or "
                "--grad_accum; to predict, a smaller photo"
            )
        if _is_lost_process(error):
            reason = str(error).strip().partition("\n")[0]
            return _fail(
                f"another process of this job has ended or cannot be reached ({reason}): see its error"
            )
    raise error


def _sections() -> Iterator[tuple[type, list[dataclasses.Field[Any]]]]:
    return sections(Config, ModelSettings, *SETTINGS.values())


def _find_mode(argv: Sequence[str] | None) -> str | None:
    """Parse only --mode, before the rest of the command line; None if it is missing."""
    scout = Parser(add_help=False, allow_abbrev=False)
    scout.add_argument("--mode")
    mode: str | None = scout.parse_known_args(argv)[0].mode
    if mode is not None and mode not in MODES:
        raise UserError(f"--mode={mode}: must be one of {', '.join(MODES)}")
    return mode


def _rename(given: Mapping[str, Any]) -> dict[str, Any]:
    """Replace former names of settings by the current ones, with a warning."""
    renamed = dict(given)
    for former in [name for name in given if name in RENAMED]:
        name = RENAMED[former]
        if name in given:
            raise UserError(f"--{former} is the former name of --{name}: leave it out")
        log.warning("--%s is called --%s now; the next version will not know the former name", former, name)
        renamed[name] = renamed.pop(former)
    return renamed


def _reject(unknown: str, flags: Sequence[str]) -> NoReturn:
    name = unknown.partition("=")[0]
    close = difflib.get_close_matches(name, flags, n=1)
    hint = f"did you mean {close[0]}?" if close else "see --help"
    raise UserError(f"there is no flag {name}: {hint}")


def _set_up_output() -> None:
    from core.distributed import world

    if not world().is_main:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # file names may hold characters that a terminal cannot encode
            stream.reconfigure(errors="replace")
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
        listen()
    level = logging.WARNING if world().is_main else logging.ERROR
    logging.basicConfig(format="%(levelname)s: %(message)s", level=level)
    for module in ("data.shards", "media"):  # they warn of files that only this process has read
        logging.getLogger(module).setLevel(logging.WARNING)
    logging.addLevelName(logging.WARNING, "warning")
    for library in ("PIL", "matplotlib"):
        logging.getLogger(library).setLevel(logging.CRITICAL)


def _comes_of_ctrl_c(error: BaseException | None) -> bool:
    """Whether an error was caused by Ctrl-C, such as during an import, which may raise its own error."""
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
    from core.distributed import is_first_to_say

    if is_first_to_say(message):
        print(message, file=sys.stderr)


def _is_lost_process(error: Exception) -> bool:
    from core.distributed import is_lost_process

    return isinstance(error, RuntimeError) and is_lost_process(error)


def command() -> NoReturn:
    """Entry point of the shell command; exits with the code of `main`."""
    code = main()
    from core.distributed import leave

    leave(code)


if __name__ == "__main__":
    command()
