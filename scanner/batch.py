"""Several genomes and several models in one call: which track goes where, and what is said about it."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from .catalogue import find_model
from .errors import GenoscanError, UsageError
from .inference.devices import available_threads
from .inference.session import Model, open_model
from .progress import progress_bar, readable_bases, say, wants_bar
from .reading.genome import Genome, open_genome
from .scan import Counts, ScanOptions, intervals_of, only_channel, scan_to_track
from .writing.output import is_stream, require_place

_FASTA_ENDINGS = (".gz", ".bgz", ".fasta", ".fa", ".fna")


def genome_stem(source: str) -> str:
    """A genome's name for output files: its file name without .fa, .fasta, .fna and .gz."""
    name = "stdin" if source == "-" else Path(source).name
    for ending in _FASTA_ENDINGS:
        name = name.removesuffix(ending)
    return name


def plan_outputs(
    genomes: Sequence[str],
    models: Sequence[Model],
    output: str | None,
    out_dir: str | None,
    format_: str,
    regions: Sequence[str] = (),
) -> dict[tuple[str, str], str | None]:
    """The output of each (genome, model path); ``out_dir`` is made. Nothing is scanned when a file would be lost:
    when two outputs share one, or one is an input."""
    if output is not None and out_dir is not None:
        raise UsageError("give -o for one track or --out-dir for several, not both")
    inputs = [*(genome for genome in genomes if genome != "-"), *(model.path for model in models), *regions]
    if out_dir is None:
        if len(genomes) * len(models) > 1:
            raise UsageError(
                f"{_counted(len(genomes), 'genome')} and {_counted(len(models), 'model')}: "
                "name a folder for their tracks with --out-dir"
            )
        if not is_stream(output):
            _require_apart(output, inputs)
            require_place(Path(output))
        return {(genomes[0], models[0].path): output}
    ending = "bed" if format_ == "bed" else "bedgraph"
    planned: dict[tuple[str, str], str | None] = {}
    for genome in genomes:
        for model in models:
            path = os.path.join(out_dir, f"{genome_stem(genome)}.{model.card.name}.{ending}.gz")
            if path in planned.values():
                raise UsageError(f"{path}: two of the genomes or models would be written here; scan them apart")
            _require_apart(path, inputs)
            planned[genome, model.path] = path
    try:
        os.makedirs(out_dir, exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out_dir}: cannot make the folder: {error.strerror or error}") from None
    for path in planned.values():
        require_place(Path(path))
    return planned


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' if count > 1 else ''}"


def _require_apart(output: str, inputs: Sequence[str]) -> None:
    """`UsageError` where writing the track or what lies beside it would replace an input."""
    for written in (output, f"{output}.json", f"{output}.csi"):
        for one in inputs:
            try:
                same = os.path.samefile(written, one)
            except OSError:  # one of them is not there
                continue
            if same:
                raise UsageError(f"{written}: is an input of this scan; name another output")


def require_genome(source: str) -> None:
    """`GenoscanError` when there is no such genome: asked before hours of work on others, not after."""
    if source == "-":
        if sys.stdin is None:
            raise GenoscanError("<stdin>: is closed; give a FASTA file")
        return
    try:
        os.stat(source)
    except FileNotFoundError:
        raise GenoscanError(f"{source}: no such file") from None
    except OSError as error:
        raise GenoscanError(f"{source}: cannot be read: {error.strerror or error}") from None


def scan_all(
    genomes: Sequence[str],
    models: Sequence[str],
    output: str | None,
    out_dir: str | None,
    device: str,
    batch_size: int | None,
    options: ScanOptions,
    quiet: bool,
) -> None:
    """`genoscan scan`: every genome with every model. Tracks that are complete stay when a later one fails."""
    repeated = {genome for genome in genomes if list(genomes).count(genome) > 1}
    if repeated:
        raise UsageError(f"genome '{sorted(repeated)[0]}' is given twice")
    for genome in genomes:
        require_genome(genome)
    opened = [open_model(find_model(name), device, batch_size) for name in models]
    if options.format == "bedgraph":
        for model in opened:
            only_channel(model)
    planned = plan_outputs(genomes, opened, output, out_dir, options.format, options.regions)
    for source in genomes:
        with open_genome(source, warn=lambda text: say(f"warning: {text}")) as genome:
            for model in opened:
                _scan_one(genome, model, planned[source, model.path], options, device, quiet)


def _scan_one(genome: Genome, model: Model, output: str | None, options: ScanOptions, asked: str, quiet: bool) -> None:
    label = f"{genome_stem(genome.source)} {model.card.name}"
    intervals = intervals_of(genome, options.regions)
    bases = int((intervals["end"] - intervals["start"]).sum())
    with progress_bar(label, bases, shown=not quiet and wants_bar(output)) as on_tile:
        counts = scan_to_track(genome, model, output, options, on_tile)
    if not quiet:
        say(summary_line(genome.source, model, counts, options, asked))


def summary_line(source: str, model: Model, counts: Counts, options: ScanOptions, asked: str) -> str:
    """One line on what was scanned, where, how much was found and how fast."""
    threads = options.threads or available_threads()
    chosen = f"{model.device}{' (auto)' if asked == 'auto' else ''}"
    found = f"{counts.calls:,} calls, {readable_bases(counts.called_bases)}"
    if options.format == "bedgraph":
        found = f"{counts.calls:,} levels"
    speed = counts.bases / 1e6 / counts.seconds if counts.seconds else 0.0
    return (
        f"{source}: {readable_bases(counts.bases)} with {model.card.name} on {chosen}, {threads} "
        f"thread{'s' if threads > 1 else ''}: {found}; {counts.seconds:.1f} s, {speed:.1f} Mb/s"
    )
