"""Several genomes and several models in one call: which track goes where, and what is said about it."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from .catalogue import find_model
from .errors import GenoscanError, UsageError
from .inference.devices import available_threads
from .inference.session import Model, open_model
from .progress import progress_bar, readable_bases, say
from .reading.genome import Genome, open_genome
from .scan import Counts, ScanOptions, intervals_of, only_channel, scan_to_track
from .writing.output import require_place

_FASTA_ENDINGS = (".gz", ".bgz", ".fasta", ".fa", ".fna")


def genome_stem(source: str) -> str:
    """A genome's name for output files: its file name without .fa, .fasta, .fna and .gz."""
    name = "stdin" if source == "-" else Path(source).name
    for ending in _FASTA_ENDINGS:
        name = name.removesuffix(ending)
    return name


def plan_outputs(
    genomes: Sequence[str], models: Sequence[Model], output: str | None, out_dir: str | None, format_: str
) -> dict[tuple[str, str], str | None]:
    """The output of each (genome, model path). Nothing is scanned when two would share a file."""
    if output is not None and out_dir is not None:
        raise UsageError("give -o for one track or --out-dir for several, not both")
    if out_dir is None:
        if len(genomes) * len(models) > 1:
            raise UsageError(f"{len(genomes)} genomes and {len(models)} models: name a folder for them with --out-dir")
        if output not in (None, "-"):
            _require_apart(Path(output), [*genomes, models[0].path])
            require_place(Path(output))
        return {(genomes[0], models[0].path): output}
    folder = Path(out_dir)
    try:
        folder.mkdir(exist_ok=True)
    except OSError as error:
        raise GenoscanError(f"{out_dir}: cannot make the folder: {error.strerror or error}") from None
    ending = "bed" if format_ == "bed" else "bedgraph"
    planned: dict[tuple[str, str], str | None] = {}
    for genome in genomes:
        for model in models:
            path = folder / f"{genome_stem(genome)}.{model.card.name}.{ending}.gz"
            if str(path) in planned.values():
                raise UsageError(f"{path}: two of the genomes or models would be written here; scan them apart")
            require_place(path)
            planned[genome, model.path] = str(path)
    return planned


def _require_apart(output: Path, inputs: Sequence[str]) -> None:
    for one in inputs:
        if one != "-" and output.exists() and Path(one).exists() and output.samefile(one):
            raise UsageError(f"{output}: is an input of this scan; name another output")


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
    opened = [open_model(find_model(name), device, batch_size) for name in models]
    if options.format == "bedgraph":
        for model in opened:
            only_channel(model)
    planned = plan_outputs(genomes, opened, output, out_dir, options.format)
    for source in genomes:
        with open_genome(source, warn=lambda text: say(f"warning: {text}")) as genome:
            for model in opened:
                _scan_one(genome, model, planned[source, model.path], options, device, quiet)


def _scan_one(genome: Genome, model: Model, output: str | None, options: ScanOptions, asked: str, quiet: bool) -> None:
    label = f"{genome_stem(genome.source)} {model.card.name}"
    bases = sum(one.end - one.start for one in intervals_of(genome, options.regions))
    with progress_bar(label, bases, shown=not quiet and sys.stderr.isatty()) as on_tile:
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
