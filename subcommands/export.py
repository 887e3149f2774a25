"""`genoscan export`: a checkpoint to a checked .onnx."""

from __future__ import annotations

import click

from .guard import guarded


@click.command()
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, metavar="ONNX", help="The model to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True)
@click.option("--genome", metavar="FASTA", help="Compare (and calibrate int8) on windows of this sequence too.")
@guarded
def export(checkpoint, output, precision, genome):
    """Turn a checkpoint into an .onnx with its card inside, once both are shown to give the same scores.

    \b
    Example:
      genoscan export runs/repeats/best.pt -o repeats.onnx --genome hg38.fa
    """
    from ..export.export import export_model

    click.echo(export_model(checkpoint, output, precision, genome))
