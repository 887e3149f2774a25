"""`genoscan report`: a page about tracks."""

from __future__ import annotations

import click

from .guard import guarded
from .messages import say


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="TRACK_OR_FOLDER...")
@click.option("-o", "--output", default="report.html", show_default=True, metavar="HTML", help="The page to write.")
@click.option("--top", type=click.IntRange(0, 1000), default=12, show_default=True,
              help="Calls of each track that are shown one by one.")  # fmt: skip
@guarded
def report(runs, output, top):
    """Write one self-contained page about tracks that are on disk: what was found and where, the highest calls, speed,
    model and provenance.

    \b
    Examples:
      genoscan report repeats.bed.gz -o report.html
      genoscan report tracks/ --top 30
    """
    from pathlib import Path

    from ..results.report import write_report
    from ..results.runs import find_runs

    write_report(find_runs(runs), Path(output), top, lambda text: say(f"warning: {text}"))
    click.echo(output)
