"""What is said on stderr: one line each."""

from __future__ import annotations

import click

from ..scanner.errors import one_line


def say(text: str) -> None:
    """One line on stderr."""
    click.echo(f"genoscan: {one_line(text)}", err=True)


def warn(text: str) -> None:
    """One line on stderr, as a warning."""
    say(f"warning: {text}")
