"""Options that several commands share."""

from __future__ import annotations

import click

device_option = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "tensorrt"]),
    default="auto",
    show_default=True,
    help="Where the model runs; a device that is not there is an error.",
)
threads_option = click.option(
    "-t", "--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all this process may use]."
)
batch_size_option = click.option(
    "--batch-size", type=click.IntRange(1, 2**20), help="Windows in a batch [default: by device]."
)
