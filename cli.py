"""The command line: one command a verb, thin; everything heavy is imported inside the command."""

from __future__ import annotations

import errno
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps

import click

from . import __version__
from .scanner.errors import ClosedPipe, GenoscanError, one_line

_HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 110}

_EXTRAS = {
    "torch": "train",
    "tensorboard": "train",
    "transformers": "train",
    "accelerate": "train",
    "onnx": "export",
    "onnxscript": "export",
}
"""Packages that only some commands need, and the extra that brings them."""


_AGAIN_SECONDS = 0.05


class _Ended(BaseException):
    """The process was asked to end by this signal."""

    def __init__(self, number: int):
        self.number = number


class _CtrlC(KeyboardInterrupt):
    """Ctrl-C. Where KeyboardInterrupt itself has passed through exec(), which many imports call, Python ends by the
    signal and not with our exit code although it was caught."""


def _interrupt(*_: object) -> None:
    raise _CtrlC


def _say(text: str) -> None:
    click.echo(f"genoscan: {one_line(text)}", err=True)


def _warn(text: str) -> None:
    _say(f"warning: {text}")


def _noted(text: str, error: BaseException) -> str:
    """The text, and what was noted of the error on its way: work that is kept."""
    return "; ".join([text, *getattr(error, "__notes__", [])])


@contextmanager
def _signals_raise() -> Iterator[None]:
    """SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that partial files and temporary folders go.

    Where Python has to drop the exception (a signal came during a destructor, or a callback of the compiler) the signal
    is sent again a moment later.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.getsignal(number) for number in numbers}

    def end(number: int, _: object) -> None:
        for one in numbers:
            signal.signal(one, signal.SIG_IGN)  # asked once is enough; let the cleaning finish
        raise _Ended(number)

    ctrl_c = signal.getsignal(signal.SIGINT)
    if ctrl_c is signal.default_int_handler:
        signal.signal(signal.SIGINT, _interrupt)

    def listen() -> None:
        for number in numbers:
            if before[number] is not signal.SIG_IGN:  # nohup
                signal.signal(number, end)

    def dropped(unraisable, /) -> None:
        error = unraisable.exc_value
        if not isinstance(error, _Ended | KeyboardInterrupt):
            hook_before(unraisable)
            return
        listen()
        number = error.number if isinstance(error, _Ended) else signal.SIGINT
        threading.Timer(_AGAIN_SECONDS, os.kill, (os.getpid(), number)).start()

    hook_before, sys.unraisablehook = sys.unraisablehook, dropped
    listen()
    try:
        yield
    finally:
        sys.unraisablehook = hook_before
        signal.signal(signal.SIGINT, ctrl_c)
        for number in numbers:
            signal.signal(number, before[number])


def _drop_stdout() -> None:
    """Keep the interpreter from flushing into a closed pipe or a full disk at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _guarded(function: Callable) -> Callable:
    """Run a command so that what a user can cause ends in one line on stderr and an exit code, not in a traceback."""

    @wraps(function)
    def run(*args, **kwargs):
        try:
            with _signals_raise():
                return function(*args, **kwargs)
        except GenoscanError as error:
            _say(_noted(f"error: {error}", error))
            sys.exit(error.exit_code)
        except ModuleNotFoundError as error:
            extra = _EXTRAS.get((error.name or "").split(".")[0])
            if extra is None:
                raise
            _say(f"error: this command needs {error.name}: pip install 'genoscan[{extra}]'")
            sys.exit(1)
        except KeyboardInterrupt as error:
            _say(_noted("interrupted", error))
            sys.exit(130)
        except _Ended as ended:
            _say(_noted(f"ended by {signal.Signals(ended.number).name}", ended))
            sys.exit(128 + ended.number)
        except (ClosedPipe, BrokenPipeError):
            _drop_stdout()  # the reader (head, less) has what it wanted
            sys.exit(128 + signal.SIGPIPE)
        except MemoryError as error:
            _say(f"error: not enough memory: {error or 'out of memory'}; use a smaller batch, tile or genome")
            sys.exit(1)
        except OSError as error:
            if error.filename is not None:
                _say(f"error: {os.fsdecode(error.filename)}: {error.strerror}")
            elif error.errno in (errno.ENOSPC, errno.EDQUOT):
                _say(f"error: cannot write: {error.strerror}")
                _drop_stdout()
            else:
                raise
            sys.exit(1)

    return run


@click.group(context_settings=_HELP)
@click.version_option(__version__, prog_name="genoscan", message="%(prog)s %(version)s")
def main() -> None:
    """Run neural models over whole genomes and write BED tracks.

    \b
    Example:
      genoscan scan genome.fa --model repeats -o repeats.bed.gz
    """


_device = click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda", "tensorrt"]),
    default="auto",
    show_default=True,
    help="Where the model runs; a device that is not there is an error.",
)
_threads = click.option(
    "-t", "--threads", type=click.IntRange(1, 1024), help="CPU threads [default: all this process may use]."
)
_batch = click.option("--batch-size", type=click.IntRange(1, 2**20), help="Windows in a batch [default: by device].")
_SCAN_OPTIONS = (
    _device,
    click.option("-t", "--threads", type=click.IntRange(1, 1024),
                 help="CPU threads of each worker [default: all this process may use, shared out]."),
    click.option("--workers", type=click.IntRange(1, 4096),
                 help="Processes with a session each; several run on Ray [default: 1, or one per GPU]."),
    click.option("--ray", "address", metavar="ADDRESS", help="Ray cluster to run on: HOST:PORT, or auto."),
    click.option("--gpus-per-worker", type=click.FloatRange(0, 1, min_open=True),
                 help="Share of a GPU that each worker gets [default: 1, or less for more workers than GPUs]."),
    _batch,
    click.option("--tile-size", type=click.IntRange(1), default=2**18, show_default=True,
                 help="Bases in a unit of work."),
    click.option("--threshold", type=float, help="Lowest peak score of a call [default: the model's]."),
    click.option("--min-length", type=click.IntRange(1), help="Shortest call in bases [default: the model's]."),
    click.option("--format", "format", type=click.Choice(["bed", "bedgraph"]), default="bed", show_default=True,
                 help="Calls as BED, or the raw score as bedGraph."),
    click.option("--satellites", metavar="FASTA",
                 help="Units that annotated calls are named by, beside the bundled satellites; a record's name names."),
    click.option("--resume", is_flag=True, help="Go on with an interrupted scan; what is complete stays as it is."),
    click.option("-q", "--quiet", is_flag=True, help="No progress, no summary; warnings and errors only."),
)  # fmt: skip


def _scan_options(function: Callable) -> Callable:
    for option in reversed(_SCAN_OPTIONS):
        function = option(function)
    return function


@main.command()
@click.argument("genomes", nargs=-1, required=True, metavar="GENOME...")
@click.option("-m", "--model", "models", multiple=True, required=True, metavar="NAME_OR_PATH",
              help="A bundled model's name or an .onnx file; may be given several times.")  # fmt: skip
@click.option("-o", "--output", metavar="OUT", help="Track to write; .gz: bgzip with a CSI index [default: stdout].")
@click.option("--out-dir", metavar="DIR", help="Folder for GENOME.MODEL.bed.gz of several genomes or models.")
@click.option("--regions", multiple=True, metavar="REGION_OR_BED",
              help="chr1:1,001-2,000 (1-based, inclusive), a contig, or a BED file; repeatable.")  # fmt: skip
@_scan_options
@_guarded
def scan(genomes, models, output, out_dir, regions, **options):
    """Scan genomes (FASTA, plain, bgzip or gzip; - for stdin) with models and write tracks.

    \b
    Examples:
      genoscan scan genome.fa --model repeats > repeats.bed
      genoscan scan genome.fa.gz --model repeats -o repeats.bed.gz --regions chr1:1,001-2,000
      genoscan scan a.fa b.fa --model repeats --model my.onnx --out-dir tracks/ --resume
      genoscan scan genome.fa --model repeats --satellites my_satellites.fa -o repeats.bed.gz
    """
    from .scanner.batch import Sample, genome_stem, scan_samples

    samples = [Sample(genome_stem(genome), genome, models, regions) for genome in genomes]
    scan_samples(samples, output, out_dir, **options)


@main.command()
@click.argument("sheet")
@click.option("--out-dir", required=True, metavar="DIR", help="Folder for SAMPLE.MODEL.bed.gz and summary.tsv.")
@click.option("-m", "--model", "models", multiple=True, metavar="NAME_OR_PATH",
              help="Model for rows that name none; may be given several times.")  # fmt: skip
@_scan_options
@_guarded
def batch(sheet, out_dir, models, **options):
    """Scan the genomes of a sample sheet: a table separated by tabs with the columns sample, genome, models
    (separated by commas) and regions (by semicolons).

    \b
    Examples:
      genoscan batch samples.tsv --model repeats --out-dir tracks/ --resume
      genoscan batch samples.tsv --model repeats --satellites my_satellites.fa --out-dir tracks/
    """
    from .scanner.batch import scan_samples
    from .scanner.sheet import read_sheet

    scan_samples(read_sheet(sheet, models), None, out_dir, sheet=sheet, **options)


@main.group(invoke_without_command=True)
@click.pass_context
@_guarded
def models(context: click.Context) -> None:
    """List the bundled models.

    \b
    Examples:
      genoscan models
      genoscan models show repeats
    """
    if context.invoked_subcommand is not None:
        return
    from rich.console import Console
    from rich.table import Table

    from .scanner.catalogue import bundled_models
    from .scanner.inference.session import read_card

    table = Table("model", "version", "task", "window", "what it does", box=None, pad_edge=False)
    for name, path in bundled_models().items():
        card = read_card(path)
        table.add_row(name, card.version, card.task, f"{card.window:,} bp", card.description)
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    Console(width=None if on_terminal else 1000).print(table)  # elsewhere one line a model, for grep and cut


@models.command("show")
@click.argument("name")
@click.option(
    "--autosql", "as_autosql", is_flag=True, help="The columns of its BED instead, as bedToBigBed takes them."
)
@_guarded
def show_model(name: str, as_autosql: bool) -> None:
    """Print the card of a bundled model or an .onnx file as JSON, or the columns of its BED as the autoSql table that
    bedToBigBed takes.

    \b
    Examples:
      genoscan models show repeats
      genoscan models show repeats --autosql > repeats.as
    """
    from .scanner.catalogue import find_model
    from .scanner.inference.session import read_card
    from .scanner.writing.autosql import autosql

    card = read_card(find_model(name))
    click.echo(autosql(card) if as_autosql else card.model_dump_json(indent=2), nl=not as_autosql)


@main.command()
@click.option(
    "-m", "--model", default="repeats", show_default=True, metavar="NAME_OR_PATH", help="The model to measure."
)
@click.option("--genome", metavar="FASTA", help="Sequence to scan [default: 8 Mb made on the spot].")
@_device
@_threads
@_batch
@click.option(
    "--seconds", type=click.FloatRange(0.1, 3600), default=6.0, show_default=True, help="Time for each stage."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead of the table.")
@_guarded
def bench(model, genome, device, threads, batch_size, seconds, as_json):
    """Measure a model: the bare session, encoding alone, and the whole scan.

    \b
    Example:
      genoscan bench --model repeats --genome genome.fa --json
    """
    import json
    import tempfile
    from pathlib import Path

    from .scanner.catalogue import find_model
    from .scanner.inference.session import open_model
    from .scanner.reading.genome import open_genome
    from .scanner.throughput import measure

    opened = open_model(find_model(model), device, batch_size)
    with tempfile.TemporaryDirectory(prefix="genoscan-") as folder:
        if genome is None:
            from .training.data.demo import write_demo

            genome = str(write_demo(Path(folder), 8_000_000, 1).genome)
        with open_genome(genome, warn=_warn) as reading:
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


@main.command()
@click.option("-o", "--out-dir", default="demo", show_default=True, metavar="DIR", help="Where genome and track go.")
@click.option("--bases", type=click.IntRange(10_000), default=2_000_000, show_default=True, help="Size of the genome.")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True)
@click.option("--no-scan", is_flag=True, help="Only write the genome and its truth.")
@_threads
@_guarded
def demo(out_dir, bases, seed, no_scan, threads):
    """Simulate a small genome with known repeats, scan it, and say how many were found.

    \b
    Example:
      genoscan demo --out-dir demo
    """
    from pathlib import Path

    from .training.data.demo import covered_shares, write_demo

    made = write_demo(Path(out_dir), bases, seed)
    click.echo(f"genome  {made.genome} ({bases / 1e6:.1f} Mb)\ntruth   {made.truth} ({made.repeats} repeats)")
    if no_scan:
        return
    from .scanner.batch import Sample, scan_samples

    track = Path(out_dir) / "demo.repeats.bed"
    (row,) = scan_samples([Sample("demo", str(made.genome), ("repeats",))], str(track), threads=threads, quiet=True)
    shares = covered_shares(made.truth, track)
    click.echo(
        f"track   {track} ({row.calls} calls)\n"
        f"found   {(shares >= 0.5).sum()} of {len(shares)} true repeats by half of their bases or more, "
        f"{(shares > 0).sum()} touched\n"
        f"speed   {float(row.mb_per_second):.1f} Mb/s"
    )


@main.group()
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
@_guarded
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

    from .scanner.errors import UsageError
    from .training.data.repeat_windows import WindowSettings, build_from_genome, build_simulated

    if min_length > max_length:
        raise UsageError(f"--min-length {min_length} is larger than --max-length {max_length}")
    settings = WindowSettings(
        seed=seed, shortest=min_length, longest=max_length, flank=flank, limit=limit, distance=max(1000, 2 * flank)
    )
    if simulate is not None:
        if positives or masked or soft_masked or excluded or limit:
            raise UsageError("--simulate makes its own sequences: of the inputs it takes --genome only")
        build_simulated(Path(out), simulate, genome, settings, _say)
        return
    if not (genome and positives):
        raise UsageError("give --genome and --positives, or --simulate N")
    build_from_genome(Path(out), genome, positives, masked, soft_masked, excluded, settings, _say)


@main.group()
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
@_threads
@_guarded
def train_repeats(net, recipe, backgrounds, data, device, out, time_limit, threads):
    """Train a tandem-repeat network: the one that scores each base on simulated genomes, or a k-mer BERT that
    classifies windows on a data set.

    \b
    Examples:
      genoscan train repeats --background hg38.fa --background yeast.fa -o runs/repeats
      genoscan train repeats --net kmer-bert --data data/repeats -o runs/kmer-bert
    """
    from pathlib import Path

    from .scanner.errors import UsageError

    if net == "spectrum":
        if data or device != "auto":
            raise UsageError("--data and --device are for --net kmer-bert")
        from .training.fit import fit

        fit(recipe or "repeats", Path(out), backgrounds, time_limit=time_limit, threads=threads)
        return
    if backgrounds or not data:
        raise UsageError("--net kmer-bert learns from a data set: give --data DIR, and no --background")
    from .training.classify import train_classifier

    train_classifier(recipe or "repeats-kmer-bert", data, out, device, threads, time_limit)


@main.command()
@click.argument("checkpoint")
@click.option("-o", "--output", required=True, metavar="ONNX", help="The model to write.")
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True)
@click.option("--genome", metavar="FASTA", help="Compare (and calibrate int8) on windows of this sequence too.")
@_guarded
def export(checkpoint, output, precision, genome):
    """Turn a checkpoint into an .onnx with its card inside, once both are shown to give the same scores.

    \b
    Example:
      genoscan export runs/repeats/best.pt -o repeats.onnx --genome hg38.fa
    """
    from .export.export import export_model

    click.echo(export_model(checkpoint, output, precision, genome))
