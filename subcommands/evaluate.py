"""`genoscan evaluate`: how good a model of reads is on reads whose cell type is known, and on mixtures of them."""

from __future__ import annotations

import click

from .guard import guarded
from .messages import say
from .options import device_option, threads_option


@click.command()
@click.argument("model")
@click.option("-o", "--out", required=True, metavar="DIR", help="Folder for tables, plots and measures.json.")
@click.option("--atlas", metavar="TSV", help="The atlas that the model learned: reads of new donors are simulated.")
@click.option("--genome", metavar="FASTA", help="Where the markers' bases come from, if the atlas has none.")
@click.option("--recipe", metavar="NAME_OR_TOML", help="What simulated reads are like: the recipe of training.")
@click.option("--count", type=click.IntRange(1), default=20_000, show_default=True, help="Simulated reads of each set.")
@click.option("--mixtures", type=click.IntRange(0), default=50, show_default=True,
              help="Simulated samples whose proportions are judged, 70 to 95 % blood, and as many for the threshold of "
                   "detection; seconds each. 0: none.")  # fmt: skip
@click.option("--coverage", type=click.FloatRange(1), default=30.0, show_default=True,
              help="Mean depth of these samples over the markers.")  # fmt: skip
@click.option("--spike", metavar="TISSUE",
              help="Cell type whose limit of detection is measured.  [default: the one of the most markers that is not "
                   "the blood's]")  # fmt: skip
@click.option("--reads", metavar="TABLE", help="Real reads with their classes instead.")
@click.option("--region", "regions", multiple=True, metavar="NAME",
              help="With --reads: only reads of this region (column dmr_label); repeatable.")  # fmt: skip
@device_option
@threads_option
@guarded
def evaluate(model, out, atlas, genome, recipe, count, mixtures, coverage, spike, reads, regions, device, threads):
    """Measure a model of reads: accuracy of each tissue, among the first three, confusion (TSV and plot), log-loss and
    calibration. Of simulated reads beside the exact posterior, naive Bayes on each read's state, and chance.

    Of simulated mixtures: error of the proportions, R2, and the smallest share of a tissue that is found in 95 % of
    them (the limit of detection), beside likelihood and least squares from the atlas.

    \b
    Examples:
      genoscan evaluate tissue --atlas panel.tsv.gz --recipe tissue -o evaluation
      genoscan evaluate tissue --atlas panel.tsv.gz --mixtures 200 --spike Liver-Hep -o out
      genoscan evaluate reads.onnx --reads reads.csv --region 9 -o evaluation
    """
    from ..scanner.catalogue import find_model
    from ..scanner.errors import UsageError
    from ..scanner.inference.devices import available_threads
    from ..scanner.inference.session import open_model
    from ..training.mixtures.evaluation import MixtureTest, evaluate_mixtures
    from ..training.tissue.evaluation import evaluate_model
    from ..training.tissue.settings import load_simulated_data

    if bool(atlas) == bool(reads):
        raise UsageError("give --atlas (reads are simulated) or --reads (a table of reads)")
    if reads and spike:
        raise UsageError(f"--spike {spike}: is put into simulated mixtures: give --atlas instead of --reads")
    opened, threads = open_model(find_model(model), device), threads or available_threads()
    said = load_simulated_data(recipe)
    of_mixtures = {}
    if atlas and mixtures:
        test = MixtureTest(mixtures, coverage, spike or "")
        of_mixtures["mixtures"] = evaluate_mixtures(opened, out, atlas, genome, said, test, threads)
    measures = evaluate_model(opened, out, atlas, genome, said, count, reads, regions, threads)
    for name, answers in (measures | of_mixtures).items():
        for answer, one in answers.items():
            shown = "  ".join(f"{key} {'NA' if value is None else f'{value:.4f}'}" for key, value in one.items())
            click.echo(f"{name:<10} {answer:<13} {shown}")
    say(f"{out}: tables and plots")
