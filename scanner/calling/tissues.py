"""Regions called by the reads on them: how much of them comes from each class (a tissue, a cell type).

A read's probability of each class is what a model says of it, every class as likely as any other beforehand. The
probability of a class in a region is the mean over its reads: the share of them that is expected to come from it. Sums
are of whole ten-thousandths, so that no order of reads, threads or batches changes them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..card import ModelCard
from ..inference.stitch import SCORE_UNIT
from ..read_likelihoods import RegionReads
from ..reading.tiles import INTERVAL
from .repeats import Column

COLUMNS = (
    Column("thickStart", "uint", "Start"),
    Column("thickEnd", "uint", "End"),
    Column("itemRgb", "string", "Colour of the tissue"),
    Column("probability", "float", "Share of the reads expected to come from the tissue"),
    Column("secondTissue", "string", "The next most probable tissue"),
    Column("secondProbability", "float", "Its probability"),
    Column("reads", "uint", "Reads used"),
    Column("cpgs", "uint", "CpGs that these tell of"),
    Column("target", "string", "Tissue that the region is a marker of, or ."),
    Column("probabilities", "lstring", "Tissues of at least the listed probability, with it"),
)
"""The columns after the strand. With the first six these are more than twelve: readers take lines of exactly twelve
columns for BED12."""


class RegionTotals(NamedTuple):
    """Regions in genome order with what their reads say together.

    places: INTERVAL (regions,). markers: int64 (regions,), the number of the marker that each is; -1 where it is none.
    reads, cpgs: int64 (regions,). shares: int64 (regions, classes), probabilities summed over reads, in
    ten-thousandths.
    """

    places: np.ndarray
    markers: np.ndarray
    reads: np.ndarray
    cpgs: np.ndarray
    shares: np.ndarray


@dataclass(frozen=True)
class TissueThresholds:
    """call: probability of a called class; listed: of those named beside it; both in ten-thousandths. reads: fewest
    reads of a call."""

    call: int
    listed: int
    reads: int

    @classmethod
    def of(
        cls, card: ModelCard, threshold: float | None, min_probability: float | None, min_reads: int | None
    ) -> TissueThresholds:
        """The card's, unless others are given; a lower threshold lowers what is listed too."""
        call = card.calling.threshold if threshold is None else threshold
        listed = min(card.calling.extend, call) if min_probability is None else min_probability
        reads = card.calling.min_reads if min_reads is None else min_reads
        return cls(round(call * SCORE_UNIT), round(listed * SCORE_UNIT), reads)


def read_shares(log_likelihoods: np.ndarray) -> np.ndarray:
    """int64 (reads, classes): each read's probability of each class, all equally likely beforehand, in
    ten-thousandths."""
    values = log_likelihoods.astype(np.float64)
    values = np.exp(values - values.max(axis=1, keepdims=True)) if len(values) else values
    return np.rint(SCORE_UNIT * values / values.sum(axis=1, keepdims=True)).astype(np.int64)


def marker_totals(parts: Iterable[RegionReads], markers: np.ndarray, classes: int) -> RegionTotals:
    """What the reads of each marker (INTERVAL array in genome order) say together."""
    reads, cpgs = np.zeros(len(markers), dtype=np.int64), np.zeros(len(markers), dtype=np.int64)
    shares = np.zeros((len(markers), classes), dtype=np.int64)
    for part in parts:
        np.add.at(reads, part.regions, part.counts)
        np.add.at(cpgs, part.regions, part.counts * part.cpgs)
        np.add.at(shares, part.regions, part.counts[:, None] * read_shares(part.log_likelihoods))
    return RegionTotals(markers, np.arange(len(markers)), reads, cpgs, shares)


def merged_totals(parts: Iterable[RegionReads]) -> Iterator[RegionTotals]:
    """What overlapping reads say together: a region wherever reads are. The reads come in genome order of their
    starts."""
    last: RegionTotals | None = None
    for part in parts:
        if not len(part.starts):
            continue
        found = _merged(part) if last is None else _joined(last, _merged(part))
        yield RegionTotals(*(column[:-1] for column in found))
        last = RegionTotals(*(column[-1:] for column in found))
    if last is not None:
        yield last


def _merged(part: RegionReads) -> RegionTotals:
    contigs = np.cumsum(np.diff(part.contigs, prepend=part.contigs[:1]) != 0)
    stride = int(part.ends.max()) + 1
    reach = np.maximum.accumulate(part.ends + contigs * stride)
    begins = np.concatenate(([0], np.flatnonzero(part.starts[1:] + contigs[1:] * stride >= reach[:-1]) + 1))
    places = np.empty(len(begins), dtype=INTERVAL)
    places["contig"], places["start"] = part.contigs[begins], part.starts[begins]
    places["end"] = np.maximum.reduceat(part.ends, begins)
    shares = part.counts[:, None] * read_shares(part.log_likelihoods)
    sums = (np.add.reduceat(one, begins) for one in (part.counts, part.counts * part.cpgs, shares))
    return RegionTotals(places, np.full(len(begins), -1), *sums)


def _joined(last: RegionTotals, found: RegionTotals) -> RegionTotals:
    """The last region of what came before, and what comes after it; those at its start that overlap with it join it."""
    place = last.places[0]
    within = (found.places["contig"] == place["contig"]) & (found.places["start"] < place["end"])
    count = int(np.argmin(within)) if not within.all() else len(within)
    places = last.places.copy()
    places["end"] = max([int(place["end"]), *found.places["end"][:count].tolist()])
    sums = (
        np.concatenate((a + b[:count].sum(axis=0, keepdims=True), b[count:]))
        for a, b in zip(last[2:], found[2:], strict=True)
    )
    return RegionTotals(
        np.concatenate((places, found.places[count:])), np.concatenate((last.markers, found.markers[count:])), *sums
    )


class TissueCalls(NamedTuple):
    """Called regions in genome order: ``totals`` of each, and int64 (regions, 2): the most and the second most probable
    class."""

    totals: RegionTotals
    best: np.ndarray


def called(totals: RegionTotals, thresholds: TissueThresholds) -> TissueCalls:
    """The regions whose most probable class, of equals the first, is as probable as asked, by enough reads."""
    order = np.argsort(-totals.shares, axis=1, kind="stable")[:, :2]
    highest = np.take_along_axis(totals.shares, order[:, :1], axis=1)[:, 0]
    kept = (totals.reads >= thresholds.reads) & (highest >= thresholds.call * totals.reads) & (totals.reads > 0)
    return TissueCalls(RegionTotals(*(column[kept] for column in totals)), order[kept])
