"""Errors that a user can act on: one clear line that names the file, the record and what to do."""

from __future__ import annotations


class GenoscanError(Exception):
    """Something outside the program is wrong: an input, a model, a disk. The command ends with exit code 1."""

    exit_code = 1


class UsageError(GenoscanError):
    """The command was called with something it cannot mean. The command ends with exit code 2."""

    exit_code = 2


class OutputError(GenoscanError):
    """A track or what belongs to it cannot be written: going on with the next genome would fail as well."""


class WorkersLost(GenoscanError):
    """There is nobody left to do the work."""


class Interrupted(Exception):
    """The work was told to stop: its results are no longer wanted."""


def one_line(text: str) -> str:
    """The text with all that is not printable (line ends, control characters, odd bytes of file names) as escapes."""
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)


class ClosedPipe(Exception):
    """Whoever read our standard output went away."""
