"""Scanning from Python: the calls of one model on one genome."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from .calling.channels import channels_of
from .catalogue import find_model
from .errors import UsageError
from .inference.devices import available_threads
from .inference.session import open_model
from .inference.stitch import SCORE_UNIT
from .options import ScanOptions
from .schedule import Job, OpenJob, open_job
from .tracks import Collector, settled_chunks
from .workers import ThreadWorkers


class Call(NamedTuple):
    """One call: bases [start, end) of a contig, 0-based half-open; mean and highest score in the model's units."""

    chrom: str
    start: int
    end: int
    name: str
    score: float
    strand: str
    peak: float


def scan(
    genome: str | Path,
    model: str | Path = "repeats",
    *,
    regions: Sequence[str] = (),
    device: str = "auto",
    threads: int | None = None,
    **options,
) -> Iterator[Call]:
    """Calls of a bundled model's name or an .onnx on a FASTA file, in genome order, as they are found.

    ``regions`` as on the command line; ``options`` are those of `ScanOptions` (tile_size, threshold, min_length).

    >>> for call in genoscan.scan("genome.fa", model="repeats"):  # doctest: +SKIP
    ...     print(call.chrom, call.start, call.end, call.score)
    """
    settings = ScanOptions(**options)
    if settings.format != "bed":
        raise UsageError("scan() gives calls: leave out format, or use the command line for bedGraph")
    if threads is not None and threads < 1:
        raise UsageError(f"threads {threads}: must be at least 1")
    workers = ThreadWorkers([open_model(find_model(str(model)), device=device)], threads or available_threads())
    job = Job(str(genome), str(genome), (0,), tuple(regions))
    opened = open_job(job, workers, settings)
    with closing(settled_chunks(opened, workers, Collector(opened.searches[0], 0))) as chunks:
        for chunk in chunks:
            yield from _calls(opened, workers, chunk)


def _calls(opened: OpenJob, workers: ThreadWorkers, chunk) -> Iterator[Call]:
    channels, names = channels_of(workers.models[0].card), opened.genome.names
    for row in chunk:
        channel = channels[row["channel"]]
        place = names[row["contig"]], int(row["start"]), int(row["end"])
        mean = row["total"] / row["scored"] / SCORE_UNIT
        yield Call(*place, channel.name, float(mean), channel.strand, row["peak"] / SCORE_UNIT)
