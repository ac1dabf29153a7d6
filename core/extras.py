"""Installation advice for features that need optional packages (extras)."""

from __future__ import annotations


def installing(extra: str) -> str:
    """How to install an extra, as the end of an error message.

    Both commands are run in the source folder; the second is for an installed command `colorizer`.

    Args:
        extra: a name in `[project.optional-dependencies]` of pyproject.toml.
    """
    return f"pip install '.[{extra}]' in the checkout, or pipx install --force '.[{extra}]' for the command"
