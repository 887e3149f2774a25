"""`genoscan check`: is an .onnx what its card says, and is it still its checkpoint."""

from __future__ import annotations

import sys

import click

from .cards import card_text
from .export import limit_options, limits_of
from .guard import guarded
from .messages import say
from .options import device_option

_SHOWN = 8
"""Bins of a window whose scores are printed."""


@click.command()
@click.argument("model")
@click.option("--against", "checkpoint", metavar="CHECKPOINT", help="Compare with the checkpoint it was exported from.")
@click.option("--genome", metavar="FASTA", help="Score its first window, and compare on windows of this sequence too.")
@click.option("--module", metavar="PACKAGE.MODULE:FUNCTION", help="With --against: what builds a plain network.")
@click.option("--trust-remote-code", is_flag=True, help="With --against: run code that the checkpoint brings.")
@device_option
@limit_options
@guarded
def check(model, checkpoint, genome, module, trust_remote_code, device, max_difference, max_mean_difference,
          min_agreement, compared):  # fmt: skip
    """Check that a model can be scanned with: its card, tensors, numbers and devices. Prints the card and the scores of
    one window; the exit code is 0 only if all is well.

    \b
    Examples:
      genoscan check promoters.onnx
      genoscan check promoters.onnx --against ./dnabert-promoters --genome hg38.fa
    """
    from ..scanner.catalogue import find_model
    from ..scanner.examination import examine, example_window
    from ..scanner.inference.session import open_model

    path = find_model(model)
    opened = open_model(path, device)
    found = examine(opened, example_window(opened.card, genome))
    click.echo(card_text(opened.card))
    click.echo(f"input    {found.input}\noutput   {found.output}\nsha256   {opened.sha256}")
    for name, hindrance in found.devices.items():
        click.echo(f"{name:<8} {hindrance or 'can run it' if name != opened.device else 'runs it'}")
    rows, names = found.scores.reshape(-1, found.scores.shape[-1]), opened.card.output.names
    shown = [", ".join(f"{name} {score:.4f}" for name, score in zip(names, row, strict=True)) for row in rows[:_SHOWN]]
    more = f" (and {len(rows) - _SHOWN} more bins)" if len(rows) > _SHOWN else ""
    click.echo(f"scores   {'; '.join(shown)}{more}")
    if checkpoint is None:
        return
    from ..export.against import compare_with_checkpoint
    from ..export.families import CheckpointSettings

    limits = limits_of(opened.card.provenance.precision, max_difference, max_mean_difference, min_agreement)
    settings = CheckpointSettings(module=module, trust_remote_code=trust_remote_code)
    report = compare_with_checkpoint(path, checkpoint, settings, genome, limits, compared)
    click.echo(report)
    for note in report.notes():
        say(note)
    for problem in report.problems():
        say(f"error: {path}: does not agree with {checkpoint}: {problem}")
    if report.problems():
        sys.exit(1)
