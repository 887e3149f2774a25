"""`genoscan deconvolve`: samples of methylation to the proportions of tissues in them."""

from __future__ import annotations

import click

from .compiling import compiling_told
from .guard import guarded
from .options import device_option, threads_option


@click.command()
@click.argument("samples", nargs=-1, required=True, metavar="SAMPLE...")
@click.option(
    "-m",
    "--model",
    metavar="NAME_OR_PATH",
    help="A model of reads, or a network of region means; without one, reads are judged by the atlas.",
)
@click.option("--atlas", metavar="TSV", help="Markers x cell types (UXM's form); of tables, the reference table.")
@click.option("--genome", metavar="FASTA", help="The assembly of the reads; a .pat needs none with an atlas.")
@click.option("--baseline", metavar="TSV", help="Proportions of healthy samples, as this command writes them.")
@click.option("-o", "--output", metavar="OUT", help="Table to write [default: stdout].")
@click.option("--plot", metavar="FILE", help="Stacked bars of all samples: .png, .svg or .pdf.")
@click.option(
    "--method",
    type=click.Choice(["likelihood", "least-squares"]),
    default="likelihood",
    show_default=True,
    help="Maximum likelihood over reads, or non-negative least squares over markers.",
)
@click.option(
    "--unknown/--no-unknown",
    default=True,
    show_default=True,
    help="Whether to estimate a part that no tissue of the atlas explains.",
)
@click.option(
    "--resamples",
    type=click.IntRange(0, 100_000),
    default=100,
    show_default=True,
    help="Bootstrap resamples behind the 95 % intervals; 0: no intervals.",
)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the bootstrap.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted call: samples that are finished stay.")
@device_option
@threads_option
@click.option("-q", "--quiet", is_flag=True, help="Warnings and errors only.")
@guarded
def deconvolve(samples, **options):
    """Estimate which tissues the DNA of samples comes from. A SAMPLE is a BAM, CRAM, .pat or bedMethyl, or a table of
    regions x samples (shares, or counts of methylated and all reads).

    \b
    Examples:
      genoscan deconvolve cfdna.bam --model tissue --genome hg38.fa -o proportions.tsv
      genoscan deconvolve *.pat.gz --atlas atlas.tsv -o proportions.tsv --plot proportions.png --resume
      genoscan deconvolve patient.pat.gz --atlas atlas.tsv --baseline healthy.tsv
      genoscan deconvolve arrays.csv --atlas reference_atlas.csv
    """
    from ..scanner.deconvolution.cohort import deconvolve as run

    with compiling_told(options["quiet"]):
        run(samples, **options)
