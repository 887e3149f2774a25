"""`genoscan export`: a checkpoint to a checked .onnx."""

from __future__ import annotations

from collections.abc import Callable

import click

from .guard import guarded
from .messages import say

_CARD_OPTIONS = (
    click.option("--input", metavar="KIND", help="kmer:K:STRIDE, one-hot, one-hot:last (bases before channels), codes; "
                 "what the checkpoint's tokenizer does not say [default: as its tokenizer]."),
    click.option("--window", type=click.IntRange(1), metavar="BASES",
                 help="What the network reads at once: as in its training [default: by family]."),
    click.option("--step", type=click.IntRange(1), metavar="BASES",
                 help="Bases in a window's middle that it scores [default: the whole window]."),
    click.option("--bin", type=click.IntRange(1), metavar="BASES", help="Bases that share a score (segmentation)."),
    click.option("--task", type=click.Choice(["classification", "regression", "segmentation"]),
                 help="What the outputs are [default: as in the checkpoint]."),
    click.option("--embeddings", type=click.Choice(["mean", "cls"]),
                 help="Instead of scores, the last hidden states: their mean, or the first token's."),
    click.option("--outputs", metavar="A,B,...", help="Names of the outputs, in their order [default: id2label]."),
    click.option("--call", "called", metavar="A,B,...",
                 help="Outputs that become calls [default: of two classes the second, else all]."),
    click.option("--activation", type=click.Choice(["sigmoid", "softmax", "identity"]),
                 help="From logits to scores [default: by task]."),
    click.option("--threshold", type=float, help="Lowest score of a call [default: 0.5]."),
    click.option("--score-range", type=float, nargs=2, metavar="LOW HIGH",
                 help="Scores that become 0 and 1000 in a BED [default: 0 1]."),
    click.option("--strand", type=click.Choice(["both", "forward", "symmetric"]),
                 help="both: each strand is scored; symmetric: the answer has no strand [default: both]."),
    click.option("--max-unknown", type=click.FloatRange(0, 1), metavar="SHARE",
                 help="Windows with a larger share of N are skipped [default: 0.1; 0.5 if lengths may vary]."),
    click.option("--name", metavar="NAME", help="The model's name [default: the checkpoint's]."),
    click.option("--module", metavar="PACKAGE.MODULE:FUNCTION",
                 help="Function that builds the PyTorch network whose weights CHECKPOINT holds."),
    click.option("--trust-remote-code", is_flag=True, help="Run code that the checkpoint brings. Read it first."),
)  # fmt: skip


def _card_options(function: Callable) -> Callable:
    for option in reversed(_CARD_OPTIONS):
        function = option(function)
    return function


_LIMITS = (
    click.option("--max-difference", type=click.FloatRange(0), metavar="SCORE",
                 help="Largest difference of a score that is accepted [default: by precision]."),
    click.option("--max-mean-difference", type=click.FloatRange(0), metavar="SCORE",
                 help="Largest mean difference [default: by precision]."),
    click.option("--min-agreement", type=click.FloatRange(0, 1), metavar="SHARE",
                 help="Least share of windows (or bins) with the same label [default: by precision]."),
    click.option("--compared", type=click.IntRange(1), metavar="WINDOWS",
                 help="Windows of each kind of sequence to compare on [default: 64, of models that score bins 8]."),
)  # fmt: skip


def limit_options(function: Callable) -> Callable:
    """Options of every command that compares a model with a checkpoint."""
    for option in reversed(_LIMITS):
        function = option(function)
    return function


def limits_of(precision: str, difference: float | None, mean: float | None, agreement: float | None):
    """The limits of a precision (`export.parity.Limits`) with the user's in their place."""
    from dataclasses import replace

    from ..export.parity import DEFAULT_LIMITS

    given = {"largest": difference, "mean": mean, "agreement": agreement}
    return replace(DEFAULT_LIMITS[precision], **{name: value for name, value in given.items() if value is not None})


@click.command()
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, metavar="ONNX", help="The model to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True,
              help="fp16 for GPUs, int8 for CPUs.")  # fmt: skip
@click.option("--for", "runtime", type=click.Choice(["onnxruntime", "tensorrt"]), default="onnxruntime",
              show_default=True,
              help="onnxruntime: attention as its own operator; tensorrt: standard ONNX.")  # fmt: skip
@click.option("--per-bin", is_flag=True, help="Let overlapping windows share their work (networks of convolutions).")
@click.option("--engine", metavar="DIR", help="Build the TensorRT engine too, for scans with GENOSCAN_CACHE=DIR.")
@click.option("--genome", metavar="FASTA", help="Compare (and calibrate int8) on windows of this sequence too.")
@limit_options
@_card_options
@guarded
def export(checkpoint, output, precision, runtime, per_bin, engine, genome, max_difference, max_mean_difference,
           min_agreement, compared, **card):  # fmt: skip
    """Turn a checkpoint into an .onnx with its card inside, once both are shown to give the same scores.

    CHECKPOINT is a folder of transformers or peft, a name on the Hugging Face hub, a run of `genoscan train`, or, with
    --module, a file of weights.

    \b
    Examples:
      genoscan export runs/repeats/best.pt -o repeats.onnx --genome hg38.fa
      genoscan export ./dnabert-promoters -o promoters.int8.onnx --precision int8 --window 300 --genome hg38.fa
      genoscan export ./dnabert-promoters -o promoters.onnx --window 300 --step 100
      genoscan export InstaDeepAI/nucleotide-transformer-v2-50m-multi-species -o nt.onnx --embeddings mean
      genoscan export cnn.pt -o cnn.onnx --module my_nets:build --input one-hot --window 1000 --task regression
    """
    from ..export.engine import build_engine, require_tensorrt
    from ..export.export import export_model
    from ..export.families import CheckpointSettings

    if engine is not None:
        require_tensorrt(runtime)
    for name in ("outputs", "called"):
        card[name] = tuple(one.strip() for one in (card[name] or "").split(",") if one.strip())
    limits = limits_of(precision, max_difference, max_mean_difference, min_agreement)
    report = export_model(
        checkpoint, output, precision, genome, limits, compared, CheckpointSettings(**card), runtime, per_bin, say=say
    )
    click.echo(report)
    if engine is not None:
        click.echo(f"engine: {build_engine(output, engine)}")
