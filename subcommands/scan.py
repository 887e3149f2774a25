"""`genoscan scan` and `genoscan batch`: genomes, named one by one or in a sample sheet, to tracks."""

from __future__ import annotations

from collections.abc import Callable

import click
from click.core import ParameterSource

from ..scanner.errors import UsageError
from .compiling import compiling_told
from .guard import guarded
from .options import batch_size_option, device_option

_SCAN_OPTIONS = (
    device_option,
    click.option("-t", "--threads", type=click.IntRange(1, 1024),
                 help="CPU threads of each worker [default: all this process may use, shared out]."),
    click.option("--workers", type=click.IntRange(1, 4096),
                 help="Processes with a session each; several run on Ray [default: 1, or one per GPU]."),
    click.option("--ray", "address", metavar="ADDRESS", help="Ray cluster to run on: HOST:PORT, or auto."),
    click.option("--gpus-per-worker", type=click.FloatRange(0, 1, min_open=True),
                 help="Share of a GPU that each worker gets [default: 1, or less for more workers than GPUs]."),
    batch_size_option,
    click.option("--tile-size", type=click.IntRange(1), default=2**18, show_default=True,
                 help="Bases in a unit of work."),
    click.option("--threshold", type=float, help="Lowest peak score of a call [default: the model's]."),
    click.option("--min-length", type=click.IntRange(1), help="Shortest call in bases [default: the model's]."),
    click.option("--format", "format", type=click.Choice(["bed", "bigbed", "gff3", "parquet", "bedgraph", "bigwig"]),
                 help="Calls (the first four) or raw scores [default: what OUT's ending says, or bed]."),
    click.option("--satellites", metavar="FASTA",
                 help="Units that annotated calls are named by, beside the bundled satellites; a record's name names."),
    click.option("--resume", is_flag=True, help="Go on with an interrupted scan; what is complete stays as it is."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no summary; warnings and errors only."),
)  # fmt: skip


_FOR_METHYLATION = ("min_share", "min_evidence", "min_reads")
_METHYLATION_OPTIONS = ("device", "threads", "batch_size", "threshold", "format", "quiet", *_FOR_METHYLATION)


def _require_single(genomes: tuple[str, ...], models: tuple[str, ...], given: set[str]) -> None:
    """`UsageError` for what a scan with --methylation does not do."""
    if len(genomes) > 1 or len(models) > 1:
        raise UsageError("--methylation takes one genome and one model; run it once for each")
    _require_none(given - {"genomes", "models", "output", "regions", "sample", *_METHYLATION_OPTIONS},
                  "is not for scans with --methylation")  # fmt: skip


def _require_none(options: set[str], problem: str) -> None:
    """`UsageError` for the first of some options."""
    for name in sorted(options):
        raise UsageError(f"{'--ray' if name == 'address' else '--' + name.replace('_', '-')} {problem}")


def _scan_options(function: Callable) -> Callable:
    for option in reversed(_SCAN_OPTIONS):
        function = option(function)
    return function


@click.command()
@click.argument("genomes", nargs=-1, required=True, metavar="GENOME...")
@click.option("-m", "--model", "models", multiple=True, required=True, metavar="NAME_OR_PATH",
              help="A bundled model's name or an .onnx file; may be given several times.")  # fmt: skip
@click.option(
    "-o",
    "--output",
    metavar="OUT",
    help="Track to write; text that ends in .gz is bgzip with a CSI index [default: stdout].",
)
@click.option("--out-dir", metavar="DIR", help="Folder for GENOME.MODEL.bed.gz of several genomes or models.")
@click.option("--regions", multiple=True, metavar="REGION_OR_BED",
              help="chr1:1,001-2,000 (1-based, inclusive), a contig, or a BED file; repeatable.")  # fmt: skip
@click.option("--methylation", "sample", metavar="SAMPLE",
              help="A sample's reads, for a model of tissues: BAM or CRAM, .pat, bedMethyl.")  # fmt: skip
@click.option("--min-share", type=click.FloatRange(0, 1),
              help="With --methylation: least share of listed tissues [default: the model's].")  # fmt: skip
@click.option("--min-evidence", type=click.FloatRange(0),
              help="With --methylation: log10 of how much likelier the reads must be with a tissue than without "
              "[default: the model's].")  # fmt: skip
@click.option("--min-reads", type=click.IntRange(1),
              help="With --methylation: fewest reads of a call [default: the model's].")  # fmt: skip
@_scan_options
@click.pass_context
@guarded
def scan(context, genomes, models, output, out_dir, regions, sample, **options):
    """Scan genomes (FASTA, plain, bgzip or gzip; - for stdin) with models and write tracks. With --methylation, a
    sample's reads: which tissues they come from.

    \b
    Examples:
      genoscan scan genome.fa --model repeats > repeats.bed
      genoscan scan genome.fa.gz --model repeats -o repeats.bed.gz --regions chr1:1,001-2,000
      genoscan scan a.fa b.fa --model repeats --model my.onnx --out-dir tracks/ --resume
      genoscan scan genome.fa --model repeats --satellites my_satellites.fa -o repeats.bed.gz
      genoscan scan hg38.fa --model tissue.onnx --methylation cfdna.bam -o tissue.bed.gz
    """
    given = {name for name in context.params if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    if sample is not None:
        _require_single(genomes, models, given)
        from ..scanner.tissue_scan import scan_methylation

        taken = {name: options[name] for name in _METHYLATION_OPTIONS}
        with compiling_told(options["quiet"]):
            scan_methylation(genomes[0], models[0], sample, output, regions=regions, **taken)
        return
    _require_none(given & set(_FOR_METHYLATION), "is for scans with --methylation")
    for name in _FOR_METHYLATION:
        options.pop(name)
    from ..scanner.batch import Sample, genome_stem, scan_samples

    samples = [Sample(genome_stem(genome), genome, models, regions) for genome in genomes]
    with compiling_told(options["quiet"]):
        scan_samples(samples, output, out_dir, **options)


@click.command()
@click.argument("sheet")
@click.option("--out-dir", required=True, metavar="DIR", help="Folder for SAMPLE.MODEL.bed.gz and summary.tsv.")
@click.option("-m", "--model", "models", multiple=True, metavar="NAME_OR_PATH",
              help="Model for rows that name none; may be given several times.")  # fmt: skip
@_scan_options
@guarded
def batch(sheet, out_dir, models, **options):
    """Scan the genomes of a sample sheet: a table separated by tabs with the columns sample, genome, models
    (separated by commas) and regions (by semicolons).

    \b
    Examples:
      genoscan batch samples.tsv --model repeats --out-dir tracks/ --resume
      genoscan batch samples.tsv --model repeats --satellites my_satellites.fa --out-dir tracks/
    """
    from ..scanner.batch import scan_samples
    from ..scanner.sheet import read_sheet

    with compiling_told(options["quiet"]):
        scan_samples(read_sheet(sheet, models), None, out_dir, sheet=sheet, **options)
