"""`genoscan bench`: how fast a model is here, and with which settings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from ..scanner.errors import GenoscanError, UsageError
from .guard import guarded
from .messages import say, warn

_DEMO_BASES = 8_000_000
_COPIES_A_GPU = 32
"""Of the demo's sequence, so that a GPU has work for some seconds."""
_MOST_COPIES = 128


@click.command()
@click.option("-m", "--model", "models", multiple=True, metavar="NAME_OR_PATH", default=("repeats",), show_default=True,
              help="The model to measure; several to compare, as precisions of one network.")  # fmt: skip
@click.option("--device", "devices", multiple=True, type=click.Choice(["auto", "cpu", "cuda", "tensorrt"]),
              help="Where the model runs; may be given several times [default: auto; with --sweep all there are]."
              )  # fmt: skip
@click.option("-t", "--threads", multiple=True, type=click.IntRange(1, 1024),
              help="CPU threads of each worker; may be given several times [default: all this process may use, shared "
              "out].")  # fmt: skip
@click.option("--workers", multiple=True, type=click.IntRange(1, 4096),
              help="Processes with a session each; may be given several times [default: 1].")  # fmt: skip
@click.option("--batch-size", "batch_sizes", multiple=True, type=click.IntRange(1, 2**20),
              help="Windows in a batch; may be given several times [default: by device].")  # fmt: skip
@click.option("--sweep", is_flag=True,
              help="Try several values of what is not given: devices, batch sizes, threads, workers for each GPU."
              )  # fmt: skip
@click.option("--genome", metavar="FASTA", help="Sequence to scan [default: made on the spot].")
@click.option("--seconds", type=click.FloatRange(0.1, 3600),
              help="Time for each stage of a setting [default: 6, with --sweep 2].")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of the table.")
@click.option("--plot", "picture", metavar="FILE", help="Draw it too: a .png, .svg or .pdf.")
@guarded
def bench(models, devices, threads, workers, batch_sizes, sweep, genome, seconds, as_json, picture):
    """Measure models: the bare session, encoding alone, the whole scan, memory; how long a human genome takes; and with
    which settings a scan is the fastest.

    On a GPU the batch that is nearly the fastest is found first, unless --batch-size says which. Where an option is
    given several values, batch sizes are tried first, then threads, then workers, each with the fastest so far.

    \b
    Examples:
      genoscan bench
      genoscan bench -m my.onnx --device cuda --genome genome.fa
      genoscan bench -m my.fp32.onnx -m my.int8.onnx --sweep --plot bench.png
      genoscan bench --batch-size 1 --batch-size 4 -t 1 -t 2 --json > bench.json
    """
    import json

    from ..scanner.throughput import sweep as sweeping
    from ..scanner.throughput.machine import provenance

    devices = devices or (sweeping.devices_here() if sweep else ("auto",))
    seconds = seconds or (2.0 if sweep else 6.0)
    if picture is not None:
        from ..results.throughput_plot import plot_sweep, require_picture

        require_picture(Path(picture))
    given = {"batch_sizes": batch_sizes, "threads": threads, "workers": workers}
    with _genome(genome, devices) as (path, bases):
        about = {"genome": None if genome is None else Path(genome).name, "bases": bases, "seconds": seconds}
        result = {**provenance(), **about, "probes": []}
        rows = list(sweeping.rows_of(models, devices, given, sweep, path, seconds, result["probes"], _telling))
    if len(rows) == 1 and rows[0].error:
        raise GenoscanError(rows[0].error)
    result["settings"] = [row.to_dict() for row in rows]
    result["fastest"] = [sweeping.scan_flags(row) for row in sweeping.recommended(rows)]
    if as_json:
        click.echo(json.dumps(result, indent=1))
    else:
        _print(rows)
    if not result["fastest"]:
        raise GenoscanError("no setting could run")
    if picture is not None:
        plot_sweep(rows, result["machine"], Path(picture))


@contextmanager
def _telling(text: str) -> Iterator[None]:
    """What is being measured, on a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(text):
        yield


@contextmanager
def _genome(given: str | None, devices) -> Iterator[tuple[str, int]]:
    """The path of the genome to scan, and its bases; what is odd about it is said once, here."""
    from ..scanner.inference.devices import cuda_device_count
    from ..scanner.inference.session import choose_device
    from ..scanner.reading.genome import open_genome
    from ..scanner.temporary import temporary_folder

    if given == "-":
        raise UsageError("--genome -: it is read several times: name a file")
    with temporary_folder() as folder:
        if given is None:
            gpus = cuda_device_count() if any(choose_device(one) != "cpu" for one in devices) else 0
            given = str(_made(folder, min(_MOST_COPIES, _COPIES_A_GPU * gpus) or 1))
        with open_genome(given, warn=warn) as reading:
            bases = int(reading.lengths.sum())
        if not bases:
            raise GenoscanError(f"{given}: there is no base to scan")
        yield given, bases


def _made(folder: Path, copies: int) -> Path:
    """The demo's genome, several times over under other names."""
    from ..training.data.demo import write_demo

    path = write_demo(folder, _DEMO_BASES, 1).genome
    if copies > 1:
        content = path.read_bytes()
        with path.open("ab") as fasta:
            for number in range(2, copies + 1):
                fasta.write(content.replace(b">sim", b">copy%d.sim" % number))
    return path


def _print(rows) -> None:
    from rich.console import Console

    from ..results.throughput_table import failures, recommendations, settings_table, stages_table

    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    console = Console(width=None if on_terminal else 1000)  # elsewhere one line a setting, for grep and cut
    console.print(stages_table(rows[0]) if len(rows) == 1 else settings_table(rows))
    for line in failures(rows):
        say(line)
    for line in recommendations(rows):
        console.print(line, soft_wrap=True, highlight=False)
