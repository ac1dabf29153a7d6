"""What to install where a package is missing: one sentence for all, of extras that there are."""

import re
import tomllib
from pathlib import Path

import main
from core.extras import installing

ROOT = Path(main.__file__).parent


def test_both_ways_are_named():
    """That of a checkout, and that of the command, which lives in an environment of its own."""
    line = installing("video")
    assert "pip install '.[video]' in the checkout" in line
    assert "pipx install --force '.[video]' for the command" in line
    assert "\n" not in line


def test_every_error_says_it_and_names_an_extra_that_there_is():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = []
    for path in ROOT.rglob("*.py"):
        first = path.relative_to(ROOT).parts[0]
        if first.startswith((".", "tests", "build", "runs")) or path == ROOT / "core" / "extras.py":
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"pip install '?\.\[", text), path
        named += re.findall(r"\{installing\('(\w+)'\)\}", text)
    assert {"diffusion", "export", "fid", "heif", "train", "video", "web"} == set(named) <= extras.keys()
