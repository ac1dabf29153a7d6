"""Exceptions for errors that the user can fix."""

from __future__ import annotations


class UserError(ValueError):
    """An error that the user can fix, such as a wrong flag or an unreadable file.

    Its message is one line that names the cause and the fix; `main` prints it and exits with code 2.
    """


class PlaceError(UserError):
    """A path that cannot be written, such as on a full disk; writing other files there would fail too."""
