"""`genoscan bench`: how fast a model is here."""

from __future__ import annotations

import click

from .guard import guarded
from .messages import say, warn
from .options import batch_size_option, device_option, threads_option


@click.command()
@click.option(
    "-m", "--model", default="repeats", show_default=True, metavar="NAME_OR_PATH", help="The model to measure."
)
@click.option("--genome", metavar="FASTA", help="Sequence to scan [default: 8 Mb made on the spot].")
@device_option
@threads_option
@batch_size_option
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=6.0, show_default=True, help="Time for each stage."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of the table.")
@guarded
def bench(model, genome, device, threads, batch_size, seconds, as_json):
    """Measure a model: the bare session, encoding alone, and the whole scan.

    On a GPU the batch that is nearly the fastest is found first, unless --batch-size says which.

    \b
    Example:
      genoscan bench --model repeats --genome genome.fa --json
    """
    import json
    import tempfile
    from pathlib import Path

    from ..scanner.catalogue import find_model
    from ..scanner.inference.session import choose_device, open_model
    from ..scanner.reading.genome import open_genome
    from ..scanner.throughput import best_batch_size, measure

    path, device = find_model(model), choose_device(device)
    if device == "cuda" and batch_size is None:
        batch_size, speeds = best_batch_size(lambda size: open_model(path, device, size), min(seconds / 4, 2.0))
        tried = ", ".join(f"{size}: {speed:.0f}" for size, speed in speeds.items())
        say(f"windows/s by batch size: {tried}; --batch-size {batch_size} is taken")
    opened = open_model(path, device, batch_size)
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        if genome is None:
            from ..training.data.demo import write_demo

            genome = str(write_demo(Path(folder), 8_000_000, 1).genome)
        with open_genome(genome, warn=warn) as reading:
            measured = measure(opened, reading, threads, seconds)
    if as_json:
        click.echo(json.dumps(measured.to_dict(), indent=2))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{measured.model} on {measured.device}, {measured.threads} threads", box=None)
    table.add_column("stage")
    table.add_column("Mb/s", justify="right")
    for label, value in (
        ("bare session", measured.session),
        ("encoding", measured.encoding),
        ("whole scan", measured.scan),
    ):
        table.add_row(label, f"{value:.2f}")
    table.add_row("whole scan / slowest stage", f"{measured.share_of_slowest:.0%}")
    table.add_row("whole scan / bound of shared cores", f"{measured.share_of_bound:.0%}")
    Console().print(table)
