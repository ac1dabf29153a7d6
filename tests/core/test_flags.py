"""A settings class as flags: inherited ones, shared ones, and the words of each type."""

import argparse
from dataclasses import dataclass

import pytest

from core.flags import _or_switch, _parse_bool, add_flags, sections
from core.settings import setting


@dataclass(frozen=True, kw_only=True)
class Base:
    """Settings of an encoder; several models have one."""

    stages: int = setting(4, "how many", modes=("train",), low=0)


@dataclass(frozen=True, kw_only=True)
class First(Base):
    """Settings of the first."""

    sharpness: float = setting(0.5, "of the first", modes=("predict",), high=1)


@dataclass(frozen=True, kw_only=True)
class Second(Base):
    """Settings of the second."""

    sharpness: float = setting(2.0, "of the second", modes=("predict",))


def parser(mode=None):
    made = argparse.ArgumentParser()
    for section, declarations in sections(First, Second):
        add_flags(made, section, declarations, mode)
    return made


def test_a_setting_of_a_shared_base_is_one_flag():
    assert [(s.__name__, [f.name for f in fields]) for s, fields in sections(First, Second)] == [
        ("First", ["sharpness"]),
        ("Base", ["stages"]),
        ("Second", ["sharpness"]),
    ]
    assert vars(parser().parse_args(["--stages=3"])) == {"stages": 3}
    assert "Settings of an encoder:" in parser().format_help()


def test_two_classes_share_a_flag():
    text = " ".join(parser().format_help().split())
    assert "of the first; at most 1; default 0.5; for predict; settings of the second: of the second" in text
    assert vars(parser().parse_args(["--sharpness=0.7"])) == {"sharpness": 0.7}


def test_a_flag_given_twice_is_told_of(caplog):
    assert vars(parser().parse_args(["--stages=3", "--stages=3"])) == {"stages": 3}
    assert not caplog.messages
    assert vars(parser().parse_args(["--stages=3", "--stages=2"])) == {"stages": 2}
    assert caplog.messages == ["--stages is given twice: the last one counts"]


def test_help_of_a_mode():
    assert "--stages" not in parser("predict").format_help()
    assert "--sharpness" not in parser("train").format_help()
    assert vars(parser("predict").parse_args(["--stages=3"])) == {"stages": 3}  # refused later, by its name


def test_truth_in_words():
    assert _parse_bool("TRUE") is True
    with pytest.raises(argparse.ArgumentTypeError):
        _parse_bool("yes")
    parse = _or_switch(float, 1.0)
    assert (parse("True"), parse("false"), parse("0.5")) == (1.0, 0.0, 0.5)
    with pytest.raises(argparse.ArgumentTypeError, match="'abc' is neither a number nor true or false"):
        parse("abc")
