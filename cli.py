"""The command line: gathers the commands; everything heavy is imported when a command runs."""

from __future__ import annotations

import click

from . import __version__
from .subcommands.bench import bench
from .subcommands.check import check
from .subcommands.completion import complete_names
from .subcommands.data import data
from .subcommands.deconvolve import deconvolve
from .subcommands.demo import demo
from .subcommands.evaluate import evaluate
from .subcommands.explain import explain
from .subcommands.export import export
from .subcommands.hub import hub
from .subcommands.models import models
from .subcommands.plot import plot
from .subcommands.report import report
from .subcommands.scan import batch, scan
from .subcommands.train import train

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}
_SCANNING = [scan, batch, deconvolve, explain, report, plot, hub, models, bench, demo]
_TRAINING = [data, train, evaluate, export, check]


@click.group(commands=[*_SCANNING, *_TRAINING], context_settings=_HELP)
@click.version_option(__version__, prog_name="genoscan", message="%(prog)s %(version)s")
def main() -> None:
    """Run neural models over whole genomes and write BED tracks.

    \b
    Example:
      genoscan scan genome.fa --model repeats -o repeats.bed.gz
    """


complete_names(main)
