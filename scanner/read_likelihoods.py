"""What a model says of sequenced reads: how likely each is to come from each class."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .inference.batching import batches
from .inference.session import Model
from .markers import groups_of, owners_of
from .read_windows import marked_windows, read_windows
from .reading.genome import Genome
from .reading.methylation.reads import MethylationReads, Region
from .reading.methylation.sample import Sample

_WINDOWS_AT_ONCE = 4096
"""Windows that are gathered, over regions, before the model runs."""
_PIECE = 1 << 18


class ReadLikelihoods(NamedTuple):
    """Of the windows of reads, in the order of `read_windows`.

    reads: int64 (windows,), the number of the read that a window is of.
    cpgs: int64 (windows,), CpGs that it tells of.
    log_likelihoods: float32 (windows, classes), natural logarithms; each row up to a constant of its own.
    """

    reads: np.ndarray
    cpgs: np.ndarray
    log_likelihoods: np.ndarray


def read_log_likelihoods(model: Model, genome: Genome, reads: MethylationReads, threads: int = 1) -> ReadLikelihoods:
    """The log-likelihood of each read under each class of a model of reads, in the order of the card's outputs.

    By Bayes' rule that is the model's probability over the class's share in training (``output.prior``). A read longer
    than the model's window counts as several (`read_windows`). Raises KeyError for a contig that is not the genome's.
    """
    windows = read_windows(reads, model.card.window)
    codes = marked_windows(genome, reads, windows, model.card.window)
    found = window_log_likelihoods(model, codes, threads)
    return ReadLikelihoods(windows.reads, windows.cpgs, found)


def window_log_likelihoods(model: Model, codes: np.ndarray, threads: int = 1) -> np.ndarray:
    """float32 (windows, classes) of marked codes uint8 (windows, window), as `read_log_likelihoods`.

    Batches always have the same shape, so that the number of threads changes nothing.
    """
    card, rows = model.card, model.rows(model.card.window)
    logits = np.empty((len(codes), len(card.output.names)), dtype=np.float32)

    def fill(chosen: np.ndarray, out: np.ndarray) -> None:
        out[:] = codes[chosen]

    def run(numbers: np.ndarray) -> None:
        for chosen, batch in batches(model.encoder, numbers, card.window, rows, fill):
            logits[chosen] = model.run(batch)[: len(chosen)]

    share = max(1, -(-len(codes) // (rows * threads))) * rows
    parts = [np.arange(begin, min(begin + share, len(codes))) for begin in range(0, len(codes), share)]
    if len(parts) > 1:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, parts))
    elif parts:
        run(parts[0])
    values = logits.astype(np.float64)
    values -= values.max(axis=1, keepdims=True)
    values -= np.log(np.exp(values).sum(axis=1, keepdims=True))
    if card.output.prior:
        values -= np.log(card.output.prior)
    return values.astype(np.float32)


class RegionReads(NamedTuple):
    """Windows of reads, and what a model says of them.

    regions: int64 (windows,), the number of the region that a window is counted for; -1: there are no regions.
    contigs, starts, ends: int64 (windows,), the contig's number and the bases of the read that a window is of.
    counts: int64 (windows,), reads alike. cpgs, log_likelihoods: as in `ReadLikelihoods`.
    """

    regions: np.ndarray
    contigs: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    counts: np.ndarray
    cpgs: np.ndarray
    log_likelihoods: np.ndarray


def region_likelihoods(
    model: Model,
    genome: Genome,
    sample: Sample,
    markers: np.ndarray | None,
    within: np.ndarray | None = None,
    threads: int = 1,
) -> Iterator[tuple[RegionReads, int]]:
    """What a model says of a sample's reads, many at a time; and how many reads were met that are of no marker.

    markers: INTERVAL array in genome order, each with the reads that tell of a CpG in it; a read that does so in
        several counts for that with the most of its CpGs, of equals for the first. None: all reads, each once, in
        genome order, or those ``within`` an INTERVAL array of merged intervals.

    Reads of earlier markers come before those of later ones, but for markers close together (`markers.groups_of`).
    Memory does not grow with the sample. Errors of `Sample.reads`.
    """
    waiting: list[RegionReads] = []
    codes: list[np.ndarray] = []
    off = 0
    source = _reads_on(genome, sample, markers) if markers is not None else _reads_within(genome, sample, within)
    for found, first, own in source:
        windows = read_windows(found, model.card.window)
        owners = np.full(len(windows.reads), -1, dtype=np.int64)
        if own is not None:
            owners = owners_of(found, windows, own)
            off += int(found.counts[windows.reads[owners < 0]].sum())
            windows, owners = windows.take(owners >= 0), owners[owners >= 0] + first
        if not len(owners):
            continue
        codes.append(marked_windows(genome, found, windows, model.card.window))
        columns = found.starts[windows.reads], found.ends[windows.reads], found.counts[windows.reads], windows.cpgs
        contigs = np.full(len(owners), genome.number(found.contig), dtype=np.int64)
        waiting.append(RegionReads(owners, contigs, *columns, np.empty((len(owners), 0), dtype=np.float32)))
        if sum(map(len, codes)) >= _WINDOWS_AT_ONCE:
            yield _told(model, waiting, codes, threads), off
            waiting, codes, off = [], [], 0
    if waiting or off:
        yield _told(model, waiting, codes, threads), off


_Reads = Iterator[tuple[MethylationReads, int, np.ndarray | None]]
"""Reads, the number of the first of the markers that they may be of, and these markers."""


def _reads_on(genome: Genome, sample: Sample, markers: np.ndarray) -> _Reads:
    groups = groups_of(markers, genome)
    for group, found in zip(groups, sample.reads(one.span for one in groups), strict=True):
        yield found, group.first, markers[group.first : group.end]


def _reads_within(genome: Genome, sample: Sample, within: np.ndarray | None) -> _Reads:
    if within is None:
        for found in sample.reads():
            yield found, -1, None
        return
    pieces = [
        (begin, Region(genome.names[contig], start, min(start + _PIECE, end)))
        for contig, begin, end in within.tolist()
        for start in range(begin, end, _PIECE)
    ]
    for (begin, piece), found in zip(pieces, sample.reads(piece for _, piece in pieces), strict=True):
        yield (found if piece.start == begin else found.take(found.starts >= piece.start)), -1, None


def _told(model: Model, waiting: list[RegionReads], codes: list[np.ndarray], threads: int) -> RegionReads:
    if not waiting:
        none = np.empty(0, dtype=np.int64)
        return RegionReads(*(none,) * 6, np.empty((0, len(model.card.output.names)), dtype=np.float32))
    columns = (np.concatenate(column) for column in list(zip(*waiting, strict=True))[:-1])
    return RegionReads(*columns, window_log_likelihoods(model, np.concatenate(codes), threads))
