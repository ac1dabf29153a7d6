"""The exceptions that stand for a person's mistake."""

from __future__ import annotations


class UserError(ValueError):
    """Something that the person at the keyboard can put right.

    Its message is one line that names the thing and the fix; `main` prints it and exits with 2.
    """


class PlaceError(UserError):
    """A place that cannot be written, such as a full disk: no other file would fare better there."""
