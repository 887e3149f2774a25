"""Scanning a genome with a model: the composition of reading, inference, calling and writing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .calling.channels import Channel, channels_of
from .calling.intervals import Caller, Thresholds
from .calling.levels import Leveller
from .errors import UsageError
from .inference.devices import available_threads
from .inference.session import Model, open_model
from .inference.stitch import LARGEST_SCORE, SCORE_UNIT
from .pipeline import TileResult, tile_levels, tile_runs
from .reading.genome import Genome, open_genome
from .reading.regions import parse_regions
from .reading.tiles import Interval, Tile, cut_tiles, tile_size_for
from .workers import ordered_map
from .writing.bed import bed_header, bed_lines
from .writing.bedgraph import bedgraph_lines
from .writing.output import is_stream, open_output, write_beside
from .writing.summary import summary_json

DEFAULT_TILE = 2**18
TILES_PER_THREAD = 8
FORMATS = ("bed", "bedgraph")


@dataclass(frozen=True)
class ScanOptions:
    """How to scan. None stands for the model's own default (thresholds) or for what suits the machine (threads)."""

    regions: tuple[str, ...] = ()
    threads: int | None = None
    tile_size: int = DEFAULT_TILE
    threshold: float | None = None
    min_length: int | None = None
    format: str = "bed"

    def __post_init__(self):
        if self.format not in FORMATS:
            raise UsageError(f"unknown format '{self.format}': choose one of {', '.join(FORMATS)}")
        for name in ("threads", "tile_size", "min_length"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{name.replace('_', '-')} {value}: must be at least 1")
        if self.threshold is not None and not abs(self.threshold) <= LARGEST_SCORE:  # NaN is not either
            raise UsageError(f"--threshold {self.threshold}: must be a number within +-{LARGEST_SCORE:,.0f}")


@dataclass
class Counts:
    """What a scan has done so far."""

    bases: int = 0
    windows: int = 0
    skipped_windows: int = 0
    calls: int = 0
    called_bases: int = 0
    seconds: float = 0.0
    started: float = field(default_factory=time.perf_counter, repr=False)

    def add_tile(self, result: TileResult) -> None:
        self.bases += result.tile.bases
        self.windows += result.windows
        self.skipped_windows += result.skipped
        self.seconds = time.perf_counter() - self.started

    def add_calls(self, calls: np.ndarray) -> None:
        self.calls += len(calls)
        self.called_bases += int((calls["end"] - calls["start"]).sum())


class Call(NamedTuple):
    """One call: bases [start, end) of a contig, 0-based half-open; mean and highest score in the model's units."""

    chrom: str
    start: int
    end: int
    name: str
    score: float
    strand: str
    peak: float


OnTile = Callable[[TileResult], None]


def thresholds_of(model: Model, options: ScanOptions) -> Thresholds:
    """The card's calling defaults with the user's threshold and length; a lower threshold lowers ``extend`` too."""
    calling = model.card.calling
    threshold = calling.threshold if options.threshold is None else options.threshold
    length = calling.min_length if options.min_length is None else options.min_length
    return Thresholds.of(threshold, min(calling.extend, threshold), calling.gap, length)


def intervals_of(genome: Genome, regions: Sequence[str]) -> list[Interval]:
    """What is to be scanned, in genome order: the regions, or every contig that has bases."""
    if regions:
        return [Interval(*one) for one in parse_regions(regions, genome.names, genome.lengths, genome.source).tolist()]
    return [Interval(contig, 0, length) for contig, length in enumerate(genome.lengths.tolist()) if length]


def scan_chunks(
    genome: Genome, model: Model, options: ScanOptions, intervals: Sequence[Interval], on_tile: OnTile
) -> Iterator[np.ndarray]:
    """Settled calls (RUN arrays) or, for bedGraph, levels (LEVEL arrays), in genome order."""
    thresholds = thresholds_of(model, options)
    if options.format == "bedgraph":
        collector: Caller | Leveller = Leveller()
        work = tile_levels(model, genome, only_channel(model))
    else:
        collector = Caller(thresholds)
        work = tile_runs(model, genome, thresholds.extend)
    threads = options.threads or available_threads()
    # A small genome in tiles of the usual size would leave threads without work.
    share = sum(one.end - one.start for one in intervals) // (TILES_PER_THREAD * threads)
    size = tile_size_for(model.card, model.batch_size, min(options.tile_size, share + 1))
    tiles: Iterator[Tile] = cut_tiles(intervals, size, model.card.step)
    with closing(ordered_map(work, tiles, threads)) as results:
        for result in results:
            last = result.tile.intervals[-1]
            chunk = collector.add(result.found, last.contig, last.end)
            on_tile(result)
            if len(chunk):
                yield chunk
    yield collector.finish()


def only_channel(model: Model) -> Channel:
    """The model's channel, for formats that hold one score a base."""
    channels = channels_of(model.card)
    if len(channels) > 1:
        listed = ", ".join(f"{channel.name} ({channel.strand})" for channel in channels)
        raise UsageError(f"--format bedgraph holds one score a base, but {model.card.name} gives {listed}; use bed")
    return channels[0]


def scan(genome: str | Path, model: str | Path = "repeats", *, device: str = "auto", **options) -> Iterator[Call]:
    """Calls of a bundled model's name or an .onnx on a FASTA file, in genome order, as they are found.

    Keyword options are those of `ScanOptions` (regions, threads, tile_size, threshold, min_length).

    >>> for call in genoscan.scan("genome.fa", model="repeats"):  # doctest: +SKIP
    ...     print(call.chrom, call.start, call.end, call.score)
    """
    from .catalogue import find_model

    settings = ScanOptions(**options)
    opened = open_model(find_model(str(model)), device=device)
    channels = channels_of(opened.card)
    with open_genome(genome) as reading:
        intervals = intervals_of(reading, settings.regions)
        for chunk in scan_chunks(reading, opened, settings, intervals, lambda _: None):
            for row in chunk:
                channel = channels[row["channel"]]
                mean = row["total"] / row["scored"] / SCORE_UNIT
                place = reading.names[row["contig"]], int(row["start"]), int(row["end"])
                yield Call(*place, channel.name, float(mean), channel.strand, row["peak"] / SCORE_UNIT)


def scan_to_track(
    genome: Genome, model: Model, output: str | None, options: ScanOptions, on_tile: OnTile = lambda _: None
) -> Counts:
    """Scan a genome and write its track to ``output`` (None or '-': standard output), with a JSON summary beside a
    file.

    The track is put in place only when it is complete. `on_tile` hears of each finished tile, in order.
    """
    intervals = intervals_of(genome, options.regions)
    channels, counts = channels_of(model.card), Counts()
    score_range = model.card.track.score_range

    def heard(result: TileResult) -> None:
        counts.add_tile(result)
        on_tile(result)

    with open_output(output) as write:
        if options.format == "bed":
            write(bed_header())
        for chunk in scan_chunks(genome, model, options, intervals, heard):
            counts.add_calls(chunk)
            if options.format == "bed":
                write(bed_lines(chunk, genome.names, channels, score_range))
            else:
                write(bedgraph_lines(chunk, genome.names))
    counts.seconds = time.perf_counter() - counts.started
    if not is_stream(output):
        used = replace(options, threads=options.threads or available_threads())
        write_beside(Path(f"{output}.json"), summary_json(genome, model, used, thresholds_of(model, options), counts))
    return counts
