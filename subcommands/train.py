"""`genoscan train`: data to a checkpoint."""

from __future__ import annotations

import click

from .guard import guarded
from .options import threads_option


@click.group()
def train() -> None:
    """Train a model.

    \b
    Example:
      genoscan train repeats --background hg38.fa -o runs/repeats
    """


@train.command("repeats")
@click.option("--net", type=click.Choice(["spectrum", "kmer-bert"]), default="spectrum", show_default=True,
              help="Base by base, on simulated genomes; or whole windows, on a data set.")  # fmt: skip
@click.option("--recipe", metavar="NAME_OR_TOML", help="A bundled recipe or a file [default: repeats, for kmer-bert "
              "repeats-kmer-bert].")  # fmt: skip
@click.option("--background", "backgrounds", multiple=True, metavar="FASTA",
              help="Genome whose composition the simulated backgrounds take; repeatable (spectrum).")  # fmt: skip
@click.option("--data", metavar="DIR", help="Data set of `genoscan data repeats` (kmer-bert).")
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
              help="Where the network is trained (kmer-bert).")  # fmt: skip
@click.option(
    "-o", "--out", required=True, metavar="DIR", help="Run folder: checkpoints, log, metrics. Resumed if there."
)
@click.option("--time-limit", type=click.FloatRange(0, min_open=True), metavar="MINUTES",
              help="Stop cleanly after this long; the same command goes on.")  # fmt: skip
@threads_option
@guarded
def train_repeats(net, recipe, backgrounds, data, device, out, time_limit, threads):
    """Train a tandem-repeat network: the one that scores each base on simulated genomes, or a k-mer BERT that
    classifies windows on a data set.

    \b
    Examples:
      genoscan train repeats --background hg38.fa --background yeast.fa -o runs/repeats
      genoscan train repeats --net kmer-bert --data data/repeats -o runs/kmer-bert
    """
    from pathlib import Path

    from ..scanner.errors import UsageError

    if net == "spectrum":
        if data or device != "auto":
            raise UsageError("--data and --device are for --net kmer-bert")
        from ..training.fit import fit

        fit(recipe or "repeats", Path(out), backgrounds, time_limit=time_limit, threads=threads)
        return
    if backgrounds or not data:
        raise UsageError("--net kmer-bert learns from a data set: give --data DIR, and no --background")
    from ..training.classify import train_classifier

    train_classifier(recipe or "repeats-kmer-bert", data, out, device, threads, time_limit)
