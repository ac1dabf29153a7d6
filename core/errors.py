"""The one exception that stands for a person's mistake."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the person at the keyboard can put right.

    Its message is one line that names the thing and the fix; `main` prints it and exits with 2.
    """
