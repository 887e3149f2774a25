"""`genoscan plot`: a region of tracks as a picture."""

from __future__ import annotations

import click

from .guard import guarded


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="TRACK_OR_FOLDER...")
@click.option("--region", required=True, metavar="REGION", help="chr1:1,001-2,000 (1-based, inclusive), or a contig.")
@click.option("-o", "--output", required=True, metavar="PICTURE", help="Picture to write: .png, .svg or .pdf.")
@guarded
def plot(runs, region, output):
    """Draw the raw score and the calls of one region. Scores are those of a bigWig or bedGraph among the tracks; where
    there is none of the same scan, the model is run over the region.

    \b
    Examples:
      genoscan plot repeats.bed.gz --region chr1:1-100,000 -o view.png
      genoscan plot promoters.bb promoters.bw --region U00096.2:360,000-370,000 -o view.svg
    """
    from pathlib import Path

    from ..results.plot import plot_region
    from ..results.runs import find_runs

    plot_region(find_runs(runs), region, Path(output))
    click.echo(output)
