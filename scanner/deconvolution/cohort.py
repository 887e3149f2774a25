"""`genoscan deconvolve`: the samples of a cohort to one table of proportions, one sample at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from ..batch import require_apart, require_genome
from ..catalogue import find_model
from ..errors import GenoscanError, UsageError
from ..inference.devices import available_threads
from ..inference.session import Model, open_model
from ..options import require_methylation
from ..progress import say
from ..reading.atlas import Atlas, read_atlas
from ..reading.genome import Genome, open_genome
from ..writing.output import is_stream, open_output, require_place
from . import baseline as healthy
from .estimates import COLUMNS, UNKNOWN, Estimate, table_text
from .finished import open_finished, stamp
from .marker_reads import MarkerReads
from .methods import (
    LEAST_SQUARES,
    LIKELIHOOD,
    NETWORK,
    atlas_estimator,
    estimate_sample,
    estimate_table,
    least_squares_estimator,
    likelihood_estimator,
    network_estimator,
)
from .plot import plot_proportions, require_plot
from .region_network import RegionNetwork, is_region_network, markers_of, open_region_network
from .region_tables import RegionTable, is_region_table, matched, read_region_table
from .samples import atlas_reads, model_reads

_KINDS_OF_READS = (".bam", ".cram", ".pat", ".bed", ".bedmethyl")


@dataclass(frozen=True)
class DeconvolveOptions:
    """method: 'likelihood' or 'least-squares'; unknown: whether to estimate what the atlas does not explain; resamples:
    of the bootstrap, 0: no intervals; seed: of the bootstrap."""

    method: str = LIKELIHOOD
    unknown: bool = True
    resamples: int = 100
    seed: int = 0

    def __post_init__(self):
        if self.method not in (LIKELIHOOD, LEAST_SQUARES):
            raise UsageError(f"unknown method '{self.method}': choose {LIKELIHOOD} or {LEAST_SQUARES}")
        if self.resamples < 0:
            raise UsageError(f"--resamples {self.resamples}: must be at least 0")


class Means(NamedTuple):
    """What samples are read with, as far as it was given: paths as keys of ``digests``, SHA-256 as values."""

    atlas: str | None
    model: Model | None
    network: RegionNetwork | None
    genome: Genome | None
    digests: dict[str, str]


def deconvolve(
    samples: Sequence[str],
    output: str | None = None,
    *,
    model: str | None = None,
    atlas: str | None = None,
    genome: str | None = None,
    baseline: str | None = None,
    plot: str | None = None,
    resume: bool = False,
    device: str = "auto",
    threads: int | None = None,
    quiet: bool = False,
    **options,
) -> list[Estimate]:
    """Write the proportions of all samples to ``output`` (None: standard output) and return them.

    samples: BAM, CRAM, .pat or bedMethyl, or tables of regions x samples (`region_tables`). model: of reads, or a
    network of region means, a path or a bundled name; atlas: of markers, or for tables the reference. ``options`` are
    those of `DeconvolveOptions`. Samples that are finished are kept beside the output until all are.

    Raises `GenoscanError`, one line that names the file, for what cannot be read or does not belong together.
    """
    settings = DeconvolveOptions(**options)
    inputs = [one for one in (*samples, atlas, genome, baseline) if one is not None and one != "-"]
    _require_files(inputs)
    if not is_stream(output):
        require_apart([output], inputs)
        require_place(Path(output))
    if plot is not None:
        require_plot(Path(plot))
        require_place(Path(plot))
    norm = None if baseline is None else healthy.read_baseline(Path(baseline))
    tables = [is_region_table(Path(one)) for one in samples]
    with ExitStack() as stack:
        means = _opened(stack, model, atlas, genome, device, any(tables))
        store = None
        if not is_stream(output):
            identity = {**means.digests, **{f"option {name}": value for name, value in vars(settings).items()}}
            store = open_finished(Path(f"{output}.samples"), identity, resume, _warn)
        try:
            estimates = _all_estimates(samples, tables, means, settings, store, threads, quiet)
            header, lines = list(COLUMNS), [line for one in estimates for line in one.lines()]
            if norm is not None:
                header += healthy.COLUMNS
                more = [line for one in estimates for line in healthy.elevation(one, norm).lines()]
                lines = [one + other for one, other in zip(lines, more, strict=True)]
            with open_output(output) as write:
                write(table_text(header, lines).encode())
            if plot is not None:
                plot_proportions(estimates, Path(plot))
        except BaseException as error:
            kept = 0 if store is None else store.close()
            if kept:
                error.add_note(f"{kept:,} finished inputs are kept; run again with --resume to go on")
            raise
    if store is not None:
        store.remove()
    return estimates


def _all_estimates(samples, tables, means, settings, store, threads, quiet) -> list[Estimate]:
    estimates: list[Estimate] = []
    owners: dict[str, str] = {}
    for path, is_table in zip(samples, tables, strict=True):
        before = stamp(path)
        found = store.load(path) if store is not None else None
        known = found is not None
        if found is None:
            read = _table_estimates if is_table else _read_estimates
            found = read(path, means, settings, threads or available_threads())
            if store is not None:
                store.commit(path, before, found)
        for one in found:
            if one.sample in owners:
                raise UsageError(f"{path}: its sample '{one.sample}' is also in {owners[one.sample]}; rename one")
            owners[one.sample] = path
        estimates += found
        if not quiet:
            reads = "" if len(found) > 1 else f" of {found[0].reads:,} reads"
            say(f"{path}: proportions of {len(found):,} sample{'s' * (len(found) > 1)}{reads}{' (kept)' * known}")
    return estimates


def _read_estimates(path: str, means: Means, settings: DeconvolveOptions, threads: int) -> list[Estimate]:
    """The estimate of a sample of reads."""
    name = sample_name(path)
    options = (settings.resamples, settings.seed)
    if means.model is not None:
        if means.genome is None:
            raise UsageError(f"{path}: a model of reads needs the genome that they were aligned to: give --genome")
        evidence = model_reads(path, means.model, means.genome, threads, _warn)
        classes = means.model.card.output.names
        unknown = settings.unknown and UNKNOWN not in classes
        estimator = likelihood_estimator(evidence.log_likelihoods, evidence.counts, unknown)
        reads = int(evidence.counts.sum())
        method = f"{LIKELIHOOD}:{means.model.card.name}"
        tissues = classes + (UNKNOWN,) * unknown
        return [estimate_sample(name, method, tissues, estimator, evidence.counts, reads, *options)]
    atlas = _marker_atlas(path, means)
    found = atlas_reads(path, atlas, means.atlas, means.genome)
    reads = int(found.counts.sum())
    if means.network is not None:
        return [_network_estimate(name, found, atlas, means, reads, options)]
    if settings.method == LEAST_SQUARES:
        estimator = least_squares_estimator(found, atlas.unmethylated, settings.unknown)
    else:
        estimator = atlas_estimator(found, atlas.unmethylated, settings.unknown)
    tissues = atlas.cell_types + (UNKNOWN,) * settings.unknown
    return [estimate_sample(name, settings.method, tissues, estimator, found.counts, reads, *options)]


def _network_estimate(
    name: str, found: MarkerReads, atlas: Atlas, means: Means, reads: int, options: tuple[int, int]
) -> Estimate:
    network = means.network
    rows = markers_of(network, atlas, means.atlas)
    estimator = network_estimator(found, rows, len(atlas.starts), network.run)
    method = f"{NETWORK}:{network.card.name}"
    return estimate_sample(name, method, network.card.tissues, estimator, found.counts, reads, *options)


def _marker_atlas(path: str, means: Means) -> Atlas:
    if means.atlas is None:
        raise UsageError(f"{path}: needs an atlas or a model of reads: give --atlas, or --model")
    return read_atlas(Path(means.atlas))


def _table_estimates(path: str, means: Means, settings: DeconvolveOptions, _threads: int) -> list[Estimate]:
    """The estimates of all samples of a table."""
    table, reference = read_region_table(Path(path))
    if means.atlas is not None:
        reference = _reference(means.atlas)
    if reference is None:
        raise UsageError(f"{path}: is a table of regions: give the reference table with --atlas")
    table, reference = matched(table, reference)
    return estimate_table(table, reference, settings.method, settings.unknown, settings.resamples, settings.seed)


def _reference(path: str) -> RegionTable:
    """A reference by itself; of a file that has samples, too, its second part."""
    table, reference = read_region_table(Path(path))
    return reference or table


def _opened(stack: ExitStack, model, atlas, genome, device, tables: bool) -> Means:
    digests = {}
    opened = network = None
    if model is not None:
        if tables:
            raise UsageError("--model: reads only; of tables of regions, give the reference with --atlas")
        path = find_model(model)
        if is_region_network(path):
            network = open_region_network(path)
            digests["model"] = network.sha256
            if atlas is None:
                raise UsageError(f"{path}: reads means of an atlas' regions: give that atlas with --atlas")
        else:
            opened = open_model(path, device)
            require_methylation(opened.card, str(path))
            digests["model"] = opened.sha256
            if not opened.card.markers:
                raise UsageError(f"{path}: has no markers in its card: proportions need a model that knows its regions")
    if atlas is not None:
        digests["atlas"] = _sha256(atlas)
    reading = None
    if genome is not None:
        require_genome(genome)
        reading = stack.enter_context(open_genome(genome, warn=_warn))
        digests["genome"] = f"{reading.source} {reading.stamp}"
    return Means(atlas, opened, network, reading, digests)


def sample_name(path: str) -> str:
    """A sample's name: its file's without folder and endings that say the format."""
    name = Path(path).name.removesuffix(".gz")
    suffix = next((one for one in _KINDS_OF_READS if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)] or name


def _require_files(paths: Sequence[str]) -> None:
    for path in paths:
        try:
            with open(path, "rb"):
                pass
        except OSError as error:
            raise GenoscanError(f"{path}: cannot be read: {error.strerror or error}") from None


def _sha256(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _warn(text: str) -> None:
    say(f"warning: {text}")
