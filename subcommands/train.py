"""`genoscan train`: data to a checkpoint."""

from __future__ import annotations

from typing import Any

import click

from .guard import guarded
from .options import threads_option
from .train_mixtures import mixtures

_WORDS = "genoscan.train.words"
out_option = click.option(
    "-o", "--out", required=True, metavar="DIR", help="Run folder: checkpoints, log, measures. Resumed if there."
)
limit_option = click.option(
    "--time-limit", type=click.FloatRange(0, min_open=True), metavar="MINUTES",
    help="Stop cleanly after this long; the same command goes on.",
)  # fmt: skip
place_option = click.option(
    "--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True,
    help="Where the network is trained.",
)  # fmt: skip
set_option = click.option(
    "--set", "changes", multiple=True, metavar="FIELD=VALUE",
    help="Another value for a line of the recipe, such as adapt.way=lora or fit.epochs=3; repeatable.",
)  # fmt: skip
data_option = click.option(
    "--data",
    metavar="TABLE_OR_DIR",
    help="TSV, CSV or Parquet with a sequence a row, or a folder with a table a split.",
)
genome_option = click.option(
    "--genome", metavar="FASTA", help="Where the bases come from, if the table has places only."
)
wandb_option = click.option(
    "--wandb", type=click.Choice(["off", "online", "offline"]), default="off", show_default=True,
    help="Log to Weights & Biases, beside TensorBoard.",
)  # fmt: skip


class _TrainGroup(click.Group):
    """Keeps the words behind `genoscan train`, which --slurm writes down."""

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        ctx.meta[_WORDS] = list(args)
        return super().resolve_command(ctx, args)


@click.group(cls=_TrainGroup)
@click.option("--slurm", metavar="FILE", help="Do not train: write a SLURM job script that does, until it is done.")
@click.option("--sbatch", "sbatch_options", multiple=True, metavar="OPTION",
              help="Option of sbatch for --slurm, such as --sbatch=--time=08:00:00; repeatable.")  # fmt: skip
@click.pass_context
@guarded
def train(context, slurm, sbatch_options):
    """Train a model.

    \b
    Examples:
      genoscan train repeats --background hg38.fa -o runs/repeats
      genoscan train promoter --recipe my.toml --data promoters.tsv -o runs/promoter
      genoscan train --slurm job.sh --sbatch=--gpus=1 promoter --recipe my.toml -o runs/promoter
    """
    if slurm is None:
        if sbatch_options:
            from ..scanner.errors import UsageError

            raise UsageError("--sbatch is for --slurm FILE")
        return
    from pathlib import Path

    from ..scanner.errors import UsageError
    from ..training.slurm import slurm_script
    from ..training.whole_files import write_whole

    name, *words = context.meta[_WORDS]
    command = train.get_command(context, name)
    parsed = command.make_context(name, list(words), parent=context)  # what is wrong is said now, not in the queue
    if parsed.params.get("time_limit"):
        raise UsageError("--time-limit: the job script sets it, from --sbatch=--time=HH:MM:SS")
    out = parsed.params["out"]
    write_whole(Path(slurm), slurm_script(["train", name, *words], out, slurm, sbatch_options).encode())
    click.echo(f"{slurm}: submit it with: sbatch {slurm}")
    context.exit(0)


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
@out_option
@limit_option
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


def _with_inputs(changes: tuple[str, ...], **inputs: str | None) -> tuple[str, ...]:
    """What --data and --genome say, as changes of the recipe's [inputs]."""
    import json

    said = (f"inputs.{name}={json.dumps(value)}" for name, value in inputs.items() if value is not None)
    return (*said, *changes)


@train.command("promoter")
@click.option("--recipe", required=True, metavar="NAME_OR_TOML", help="A bundled recipe or a file.")
@data_option
@genome_option
@set_option
@place_option
@out_option
@limit_option
@wandb_option
@threads_option
@guarded
def train_promoter(recipe, data, genome, changes, device, out, time_limit, wandb, threads):
    """Train a network that says of a window how strong a promoter it is, or any other value or class that a table has
    for sequences: from random weights, or by adapting a network of transformers.

    \b
    Examples:
      genoscan train promoter --recipe my.toml --data promoters.tsv -o runs/promoter
      genoscan train promoter --recipe my.toml --set net.checkpoint=dnabert --set adapt.way=lora -o runs/lora
    """
    from ..training.supervised.recipe import load_sequence_recipe
    from ..training.supervised.run import train_sequences

    chosen = load_sequence_recipe(recipe, _with_inputs(changes, data=data, genome=genome))
    train_sequences(chosen, out, device, threads, time_limit, wandb)


@train.command("tissue")
@click.option("--recipe", default="tissue", show_default=True, metavar="NAME_OR_TOML",
              help="A bundled recipe or a file.")  # fmt: skip
@click.option("--atlas", metavar="TSV", help="Markers by cell types, from which reads are simulated.")
@click.option("--genome", metavar="FASTA", help="Where the markers' bases come from, if the atlas has none.")
@click.option("--reads", metavar="TABLE", help="Real reads with their classes instead.")
@click.option("--shards", metavar="DIR", help="A data set of `genoscan data tissue` instead.")
@set_option
@place_option
@out_option
@limit_option
@wandb_option
@threads_option
@guarded
def train_tissue_command(recipe, atlas, genome, reads, shards, changes, device, out, time_limit, wandb, threads):
    """Train a network that says which cell type a sequenced read comes from, by its bases and its methylation;
    or, by a recipe with [pretrain], an encoder for `net.checkpoint` of another.

    \b
    Examples:
      genoscan train tissue --atlas panel.tsv.gz -o runs/tissue
      genoscan train tissue --recipe tissue-reads --reads reads.csv --set 'data.test_regions=["9"]' -o runs
    """
    from ..training.tissue.recipe import load_tissue_recipe
    from ..training.tissue.run import train_tissue

    chosen = load_tissue_recipe(recipe, _with_inputs(changes, atlas=atlas, genome=genome, reads=reads, shards=shards))
    train_tissue(chosen, out, device, threads, time_limit, wandb)


@train.command("pretrain")
@click.option("--recipe", required=True, metavar="NAME_OR_TOML", help="A bundled recipe or a file.")
@click.option("--genome", metavar="FASTA", help="Genome whose windows are learned from.")
@click.option("--exclude", metavar="BED", help="Places that no window touches, such as what a later task is tested on.")
@click.option("--data", metavar="TABLE_OR_DIR", help="Sequences with measured profiles, for recipes of that kind.")
@set_option
@place_option
@out_option
@limit_option
@wandb_option
@threads_option
@guarded
def train_pretrain(recipe, genome, exclude, data, changes, device, out, time_limit, wandb, threads):
    """Train a network without labels: to tell masked tokens of a genome, views of a window from those of others, or
    which measured profile belongs to a sequence. `net.checkpoint` of a recipe starts from what comes out.

    \b
    Example:
      genoscan train pretrain --recipe pretrain-masked --genome ecoli.fa -o runs/masked
    """
    from ..training.pretraining.recipe import load_pretrain_recipe
    from ..training.pretraining.run import pretrain

    chosen = load_pretrain_recipe(recipe, _with_inputs(changes, genome=genome, exclude=exclude, data=data))
    pretrain(chosen, out, device, threads, time_limit, wandb)


@train.command("compare")
@click.option("--recipe", "recipes", multiple=True, required=True, metavar="NAME_OR_TOML",
              help="A bundled recipe or a file; repeatable.")  # fmt: skip
@click.option("--variant", "variants", multiple=True, metavar="TEXT",
              help="A way to adapt (full, scratch, lora, frozen, probe), or 'LABEL FIELD=VALUE ...'; "
              "repeatable.")  # fmt: skip
@data_option
@genome_option
@set_option
@place_option
@out_option
@limit_option
@threads_option
@guarded
def train_compare(recipes, variants, data, genome, changes, device, out, time_limit, threads):
    """Train several recipes, or several ways to adapt one network, and print one table: quality with its interval,
    trainable parameters, seconds, memory.

    \b
    Example:
      genoscan train compare --recipe my.toml --variant lora --variant frozen --variant probe -o runs/ways
    """
    from ..training.supervised.compare import compare, parse_variants, shown_table
    from ..training.supervised.recipe import load_sequence_recipe

    changes = _with_inputs(changes, data=data, genome=genome)
    found = compare(parse_variants(recipes, variants, changes), out, device, threads, time_limit)
    if found:
        click.echo(shown_table(found, load_sequence_recipe(recipes[0], changes).best_by))


train.add_command(mixtures)
