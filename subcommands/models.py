"""`genoscan models`: what is bundled, and what an .onnx says about itself."""

from __future__ import annotations

import sys

import click

from .cards import card_text
from .guard import guarded


@click.group(invoke_without_command=True)
@click.pass_context
@guarded
def models(context: click.Context) -> None:
    """List the bundled models.

    \b
    Examples:
      genoscan models
      genoscan models show repeats
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from ..scanner.catalogue import bundled_models
    from ..scanner.inference.session import read_card

    table = Table("model", "version", "task", "window", "what it does", box=None, pad_edge=False)
    for name, path in bundled_models().items():
        card = read_card(path)
        table.add_row(name, card.version, card.task, f"{card.window:,} bp", card.description)
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    Console(width=None if on_terminal else 1000).print(table)  # elsewhere one line a model, for grep and cut


@models.command("show")
@click.argument("name")
@click.option(
    "--autosql", "as_autosql", is_flag=True, help="The columns of its BED instead, as bedToBigBed takes them."
)
@guarded
def show_model(name: str, as_autosql: bool) -> None:
    """Print the card of a bundled model or an .onnx file as JSON, or the columns of its BED as the autoSql table that
    bedToBigBed takes.

    \b
    Examples:
      genoscan models show repeats
      genoscan models show repeats --autosql > repeats.as
    """
    from ..scanner.catalogue import find_model
    from ..scanner.inference.session import read_card
    from ..scanner.writing.autosql import autosql

    card = read_card(find_model(name))
    click.echo(autosql(card) if as_autosql else card_text(card), nl=not as_autosql)
