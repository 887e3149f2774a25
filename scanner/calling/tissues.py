"""Regions called by the reads on them: which classes (tissues, cell types) these come from.

A region's **shares** are the maximum-likelihood proportions of the classes among its reads (`deconvolution.mixture`).
The **evidence** for a class is log10 of the likelihood ratio: how much likelier the reads are under these shares than
under the best ones without the class. Where a region does not tell classes apart any of them may have the share of all,
but none has evidence; a class that a tenth of the reads come from, and that nothing else explains, has both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..deconvolution.mixture import proportions
from ..read_likelihoods import RegionReads
from ..reading.tiles import INTERVAL
from .columns import Column

COLUMNS = (
    Column("thickStart", "uint", "Start"),
    Column("thickEnd", "uint", "End"),
    Column("itemRgb", "string", "Colour of the tissue"),
    Column("share", "float", "Share of the reads that come from the tissue"),
    Column("evidence", "float", "log10 of how much likelier the reads are with the tissue than without"),
    Column("secondTissue", "string", "The tissue with the next most evidence, or ."),
    Column("secondShare", "float", "Its share"),
    Column("secondEvidence", "float", "Its evidence"),
    Column("reads", "uint", "Reads used"),
    Column("cpgs", "uint", "CpGs that these tell of"),
    Column("target", "string", "Tissue that the region is a marker of, or ."),
    Column("shares", "lstring", "Tissues of at least the listed share and evidence, with their shares"),
)
"""The columns after the strand. With the first six these are more than twelve: readers take lines of exactly twelve
columns for BED12."""


_RANKED = 5
"""Classes of a region, of the largest shares, whose evidence is asked for."""
_MOST_EVIDENCE = 9999.0
_MOST_WINDOWS = 10_000
"""Where overlapping reads make a region, it ends after so many windows, so that memory stays bounded."""


class RegionShares(NamedTuple):
    """Regions in genome order, each with reads, and what these say together.

    places: INTERVAL (regions,). markers: int64 (regions,), the number of the marker that each is; -1 where it is none.
    reads, cpgs: int64 (regions,). shares: float64 (regions, classes), of sum 1. evidence: float64 (regions, classes); 0
    for classes that it was not asked of.
    """

    places: np.ndarray
    markers: np.ndarray
    reads: np.ndarray
    cpgs: np.ndarray
    shares: np.ndarray
    evidence: np.ndarray


@dataclass(frozen=True)
class TissueThresholds:
    """share: least share of a called class; listed: of those named beside it; evidence: least of all these; reads:
    fewest reads of a call."""

    share: float
    listed: float
    evidence: float
    reads: int


def shares_and_evidence(log_likelihoods: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares and evidence, float64 (classes,) each, of one region's reads.

    log_likelihoods: (windows, classes), each row up to a constant of its own; counts: int64 (windows,), reads alike.
    """
    values = log_likelihoods.astype(np.float64)
    shares = proportions(values, counts)
    evidence = np.zeros(len(shares))
    if len(shares) == 1:
        return shares, evidence
    whole = _log_likelihood(values, counts, shares)
    for one in np.argsort(-shares, kind="stable")[:_RANKED].tolist():
        others = np.delete(np.arange(len(shares)), one)
        start = shares[others] + 1e-3 / len(others)
        without = proportions(values[:, others], counts, start / start.sum())
        ratio = (whole - _log_likelihood(values[:, others], counts, without)) / np.log(10)
        evidence[one] = min(max(ratio, 0.0), _MOST_EVIDENCE)
    return shares, evidence


def _log_likelihood(values: np.ndarray, counts: np.ndarray, shares: np.ndarray) -> float:
    largest = values.max(axis=1)
    return float((counts * (largest + np.log(np.exp(values - largest[:, None]) @ shares))).sum())


def marker_shares(parts: Iterable[RegionReads], markers: np.ndarray) -> Iterator[RegionShares]:
    """What the reads of each marker (INTERVAL array in genome order) say together, for markers with reads. All reads
    of a marker must be in one part."""
    for part in parts:
        order = np.argsort(part.regions, kind="stable")
        borders = np.flatnonzero(np.diff(part.regions[order])) + 1
        rows = np.split(order, borders) if len(order) else []
        owners = np.array([part.regions[some[0]] for some in rows], dtype=np.int64)
        yield _summed(part, rows, markers[owners], owners)


def merged_shares(parts: Iterable[RegionReads]) -> Iterator[RegionShares]:
    """What overlapping reads say together: a region wherever reads are, of at most 10,000 windows. The reads come in
    genome order of their starts."""
    waiting: RegionReads | None = None
    for part in parts:
        waiting = part if waiting is None else RegionReads(*map(np.concatenate, zip(waiting, part, strict=True)))
        rows = _overlapping(waiting)
        if len(rows) > 1:
            yield _merged(waiting, rows[:-1])
            waiting = RegionReads(*(column[rows[-1]] for column in waiting))
    if waiting is not None:
        yield _merged(waiting, _overlapping(waiting))


def _overlapping(part: RegionReads) -> list[np.ndarray]:
    """Rows of each region, consecutive."""
    begins, reach, contig = [], -1, -1
    places = zip(part.contigs.tolist(), part.starts.tolist(), part.ends.tolist(), strict=True)
    for row, (owner, start, end) in enumerate(places):
        if owner != contig or start >= reach or row - begins[-1] == _MOST_WINDOWS:
            begins.append(row)
            contig, reach = owner, end
        reach = max(reach, end)
    return np.split(np.arange(len(part.starts)), begins[1:]) if begins else []


def _merged(part: RegionReads, rows: list[np.ndarray]) -> RegionShares:
    places = [(int(part.contigs[some[0]]), int(part.starts[some[0]]), int(part.ends[some].max())) for some in rows]
    return _summed(part, rows, np.array(places, dtype=INTERVAL), np.full(len(rows), -1))


def _summed(part: RegionReads, rows: list[np.ndarray], places: np.ndarray, markers: np.ndarray) -> RegionShares:
    classes = part.log_likelihoods.shape[1]
    shares, evidence = np.empty((len(rows), classes)), np.empty((len(rows), classes))
    for number, some in enumerate(rows):
        shares[number], evidence[number] = shares_and_evidence(part.log_likelihoods[some], part.counts[some])
    reads = np.array([part.counts[some].sum() for some in rows], dtype=np.int64)
    cpgs = np.array([(part.counts[some] * part.cpgs[some]).sum() for some in rows], dtype=np.int64)
    return RegionShares(places, markers, reads, cpgs, shares, evidence)


class TissueCalls(NamedTuple):
    """Called regions in genome order, and int64 (regions, 2): the classes of the most evidence and of the next."""

    regions: RegionShares
    best: np.ndarray


def called(regions: RegionShares, thresholds: TissueThresholds) -> TissueCalls:
    """The regions with enough reads, each with the class of most evidence, of equals that of the larger share; if share
    and evidence are as large as asked."""
    order = np.lexsort((-regions.shares, -regions.evidence), axis=1)[:, :2]
    rows = np.arange(len(order))
    share, evidence = regions.shares[rows, order[:, 0]], regions.evidence[rows, order[:, 0]]
    kept = (regions.reads >= thresholds.reads) & (share >= thresholds.share) & (evidence >= thresholds.evidence)
    return TissueCalls(RegionShares(*(column[kept] for column in regions)), order[kept])
