"""What to do where a feature needs packages that are installed only by those who ask for them."""

from __future__ import annotations


def installing(extra: str) -> str:
    """How to install an extra: the end of an error's line.

    Both commands are for the folder of the sources, from which the command `colorizer` is installed too.

    Args:
        extra: a name in `[project.optional-dependencies]` of pyproject.toml.
    """
    return f"pip install '.[{extra}]' in the checkout, or pipx install --force '.[{extra}]' for the command"
