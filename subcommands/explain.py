"""`genoscan explain`: why a model calls what it calls."""

from __future__ import annotations

import click

from .guard import guarded
from .messages import warn
from .options import batch_size_option, device_option, threads_option


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="[TRACK] GENOME")
@click.option("-m", "--model", required=True, metavar="NAME_OR_PATH", help="A bundled model's name or an .onnx file.")
@click.option("--regions", multiple=True, metavar="REGION_OR_BED",
              help="Explain the highest bin of these, or only the track's calls in them; repeatable.")  # fmt: skip
@click.option("-o", "--output", metavar="OUT", help="Table to write, tab-separated [default: stdout].")
@click.option("--logo", metavar="FILE", help="Sequence logos of the highest calls: .png, .pdf or .svg.")
@click.option("--top", type=click.IntRange(1), metavar="N", help="The N highest calls only [default: all].")
@click.option("--flank", type=click.IntRange(0), metavar="BASES",
              help="Bases on either side of a call's summit, as far as the model looks [default: 250].")  # fmt: skip
@click.option("--score", metavar="NAME", help="Output to explain [default: the first that is called].")
@device_option
@batch_size_option
@threads_option
@guarded
def explain(inputs, model, regions, output, logo, top, flank, score, device, batch_size, threads):
    """Say which bases make a model call what it calls: every base around a call's summit is replaced by each of the
    other three, and the call is scored again. TRACK is a BED, such as `genoscan scan` writes.

    \b
    Examples:
      genoscan explain promoters.bed ecoli.fa --model promoter-ecoli --top 20 -o why.tsv --logo why.png
      genoscan explain ecoli.fa --model promoter-ecoli --regions U00096.2:365,400-365,700 --logo lac.png
    """
    from contextlib import ExitStack

    from ..scanner.catalogue import find_model
    from ..scanner.errors import GenoscanError, UsageError
    from ..scanner.explaining import explain as explaining
    from ..scanner.explaining.logo import draw_logos, require_logo_place
    from ..scanner.explaining.places import places_of_regions, places_of_track, places_within
    from ..scanner.explaining.table import table_header, table_lines
    from ..scanner.inference.devices import available_threads
    from ..scanner.inference.session import open_model
    from ..scanner.reading.genome import open_genome
    from ..scanner.writing.output import open_output

    if len(inputs) > 2:
        raise UsageError(f"explain takes a track and a genome, or a genome alone, not {len(inputs)} files")
    *track, source = inputs
    if not track and not regions:
        raise UsageError("say what to explain: a track before the genome, or --regions")
    if output is not None and output.endswith(".gz"):
        raise UsageError(f"--output {output}: the table is plain text: leave out -o and pipe it through gzip")
    if logo is not None:
        require_logo_place(logo)
    threads = threads or available_threads()
    opened = open_model(find_model(model), device, batch_size)
    number = explaining.output_number(opened.card, score)
    with ExitStack() as stack:
        genome = stack.enter_context(open_genome(source, warn))
        wanted = places_of_regions(regions, genome, opened.card) if regions else []
        places = places_of_track(track[0], genome, opened.card) if track else wanted
        if track and regions:
            places = places_within(places, wanted)
        summits = explaining.find_summits(opened, genome, places, number, threads, top)
        if not summits:
            raise GenoscanError(f"{(track or [source])[0]}: no call with a score to explain")
        if top is None and len(summits) < len(places):
            warn(f"{len(places) - len(summits):,} of {len(places):,} places have no score and are left out")
        write = stack.enter_context(open_output(output))
        write(table_header())
        kept = []
        chosen = explaining.FLANK if flank is None else flank
        for one in explaining.explain_summits(opened, genome, summits, chosen, threads):
            write(table_lines(one, genome.names))
            if logo is not None:
                kept.append(one)
        if logo is not None:
            draw_logos(kept, genome.names, opened.card.output.names[number], logo)
