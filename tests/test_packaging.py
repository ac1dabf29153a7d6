"""What installs: one list of dependencies, every room, and the command."""

import tomllib
from pathlib import Path

import main

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_requirements_are_the_dependencies_and_what_tests_need():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").split()
    project = PROJECT["project"]
    assert lines == [*project["dependencies"], *project["optional-dependencies"]["test"]]


def test_every_module_and_room_is_installed():
    setup = PROJECT["tool"]["setuptools"]
    assert set(setup["py-modules"]) == {path.stem for path in ROOT.glob("*.py")}
    rooms = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"benchmarks"}
    assert {name.rstrip("*") for name in setup["packages"]["find"]["include"]} == rooms | {"weights"}


def test_the_command_is_the_program():
    module, _, function = PROJECT["project"]["scripts"]["colorizer"].partition(":")
    assert getattr({"main": main}[module], function) is main.command
