"""`genoscan data`: data sets to train and judge classifiers on."""

from __future__ import annotations

import click

from .guard import guarded
from .messages import say


@click.group()
def data() -> None:
    """Make a data set to train and judge classifiers on.

    \b
    Example:
      genoscan data repeats --genome hg38.fa --positives loci.vcf --masked hg38.masked.fa -o data/repeats
    """


@data.command("repeats")
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for the three tables and dataset.json.")
@click.option("--genome", metavar="FASTA", help="The genome (with --simulate: whose composition is taken over).")
@click.option("--positives", metavar="LOCI", help="Loci of repeats: VCF (as of VNTRseek), BED or output of TRF.")
@click.option("--masked", metavar="FASTA", help="The genome with its repeats masked by N [default: the genome].")
@click.option("--soft-masked", is_flag=True, help="Lower case is masked, too.")
@click.option("--exclude", "excluded", multiple=True, metavar="LOCI",
              help="Further loci that no negative may touch; repeatable.")  # fmt: skip
@click.option("--simulate", type=click.IntRange(6), metavar="N", help="N simulated sequences instead of a genome's.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Take N loci at most, at random.")
@click.option(
    "--min-length", type=click.IntRange(1), default=26, show_default=True, help="Bases of the shortest locus."
)
@click.option("--max-length", type=click.IntRange(1), default=512, show_default=True,
              help="Bases to which longer loci are cut.")  # fmt: skip
@click.option("--flank", type=click.IntRange(0), default=256, show_default=True, help="Bases kept on either side.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@guarded
def data_repeats(out, genome, positives, masked, soft_masked, excluded, simulate, limit, min_length, max_length, flank,
                 seed):  # fmt: skip
    """Make a balanced data set of tandem repeats and of sequences without them, of the same lengths, in three splits
    that share no locus and no family of repeats.

    \b
    Examples:
      genoscan data repeats --genome hg38.fa --soft-masked --positives loci.vcf --exclude trf.bed -o data
      genoscan data repeats --simulate 10000 --genome hg38.fa -o data/simulated
    """
    from pathlib import Path

    from ..scanner.errors import UsageError
    from ..training.data.repeat_windows import WindowSettings, build_from_genome, build_simulated

    if min_length > max_length:
        raise UsageError(f"--min-length {min_length} is larger than --max-length {max_length}")
    settings = WindowSettings(
        seed=seed, shortest=min_length, longest=max_length, flank=flank, limit=limit, distance=max(1000, 2 * flank)
    )
    if simulate is not None:
        if positives or masked or soft_masked or excluded or limit:
            raise UsageError("--simulate makes its own sequences: of the inputs it takes --genome only")
        build_simulated(Path(out), simulate, genome, settings, say)
        return
    if not (genome and positives):
        raise UsageError("give --genome and --positives, or --simulate N")
    build_from_genome(Path(out), genome, positives, masked, soft_masked, excluded, settings, say)


@data.command("promoters")
@click.argument("table")
@click.option("-o", "--out", required=True, metavar="TSV", help="The table to learn from.")
@click.option("--contig", required=True, metavar="NAME", help="The contig that the table's places are on.")
@click.option("--validation", multiple=True, required=True, metavar="START-END",
              help="Stretch whose promoters choose the best epoch, 0-based half-open; repeatable.")  # fmt: skip
@click.option("--test", "tested", multiple=True, required=True, metavar="START-END",
              help="Stretch whose promoters are measured at the end; repeatable.")  # fmt: skip
@click.option("--exclude", "excluded", multiple=True, metavar="START-END", help="Stretch to leave out; repeatable.")
@click.option("--margin", type=click.IntRange(0), default=1000, show_default=True,
              help="Bases around these stretches that training may not touch.")  # fmt: skip
@guarded
def data_promoters(table, out, contig, validation, tested, excluded, margin):
    """Split measured promoters of a genome by stretches of it: no place, on either strand, and no sequence in two
    splits.

    TABLE has the columns sequence, expression, start, end and strand.

    \b
    Example:
      genoscan data promoters tss.tsv.gz --contig chr --validation 1-30000 --test 50000-90000 -o p.tsv
    """
    from ..training.data.promoters import Blocks, parse_block, write_promoters

    stretches = [[parse_block(text) for text in texts] for texts in (validation, tested, excluded)]
    counts = write_promoters(table, contig, Blocks(*stretches, margin=margin), out)
    say(f"{out}: " + ", ".join(f"{count:,} for {name}" for name, count in counts.items()))


@data.command("tissue")
@click.option("-o", "--out", required=True, metavar="DIR", help="New folder for the shards and dataset.json.")
@click.option("--atlas", required=True, metavar="TSV", help="Markers by cell types: the unmethylated share of reads.")
@click.option("--genome", metavar="FASTA", help="Where the markers' bases come from, if the atlas has none.")
@click.option("--recipe", metavar="NAME_OR_TOML", help="What reads are like: [simulation] and [drawing] of a recipe.")
@click.option("--reads", type=click.IntRange(1), default=1_000_000, show_default=True, help="Reads for training.")
@click.option("--validation", type=click.IntRange(1), default=20_000, show_default=True, help="Reads for validation.")
@click.option("--test", "tested", type=click.IntRange(0), default=20_000, show_default=True, help="Reads for the test.")
@click.option("--shard", type=click.IntRange(1), default=100_000, show_default=True, help="Reads in a file.")
@click.option("--seed", type=click.IntRange(0), help="Of all that is drawn [default: the recipe's].")
@guarded
def data_tissue(out, atlas, genome, recipe, reads, validation, tested, shard, seed):
    """Simulate sequenced reads of cell types at the markers of a methylation atlas, with the exact posterior of each,
    as Arrow files for `genoscan train tissue --shards`. Donors of the three splits differ.

    \b
    Example:
      genoscan data tissue --atlas Atlas.U25.l4.hg38.tsv --genome hg38.fa -o data/tissue
    """
    from ..training.tissue.datasets import build_shards
    from ..training.tissue.settings import load_simulated_data

    said = load_simulated_data(recipe)
    said = said if seed is None else said._replace(seed=seed)
    build_shards(out, atlas, genome, said, (reads, validation, tested), shard, say)
