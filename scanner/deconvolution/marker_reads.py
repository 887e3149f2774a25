"""Reads of a sample as what they say of an atlas' markers: how many CpGs, and how many of them methylated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from ..reading.methylation.reads import MethylationReads


class MarkerReads(NamedTuple):
    """Distinct reads, clipped to markers, int64 (rows,) each, ordered by marker, CpGs and methylated CpGs.

    markers: number of the marker in its atlas; cpgs: CpGs inside it that the read tells of, at least one; methylated:
    how many of them are; counts: reads of this kind.
    """

    markers: np.ndarray
    cpgs: np.ndarray
    methylated: np.ndarray
    counts: np.ndarray

    def with_counts(self, counts: np.ndarray) -> MarkerReads:
        """The same kinds of reads, seen so often."""
        return self._replace(counts=np.asarray(counts, dtype=np.int64))


def marker_reads(reads_of_markers: Iterable[MethylationReads], starts: np.ndarray, ends: np.ndarray) -> MarkerReads:
    """The reads of each marker in order, clipped to it and counted; memory grows with the kinds of reads only.

    starts, ends: int64 (markers,), half-open, in the unit of the reads' positions (bases, or numbers of CpGs).
    """
    parts = [np.empty((0, 4), dtype=np.int64)]
    for marker, (reads, start, end) in enumerate(zip(reads_of_markers, starts, ends, strict=True)):
        cpgs, methylated = clipped(reads, int(start), int(end))
        kinds, which = np.unique(np.stack([cpgs, methylated], axis=1), axis=0, return_inverse=True)
        counts = np.bincount(which.ravel(), weights=reads.counts, minlength=len(kinds)).astype(np.int64)
        rows = np.column_stack([np.full(len(kinds), marker, dtype=np.int64), kinds, counts])
        parts.append(rows[kinds[:, 0] > 0])
    table = np.concatenate(parts)
    return MarkerReads(*(np.ascontiguousarray(table[:, column]) for column in range(4)))


def clipped(reads: MethylationReads, start: int, end: int) -> tuple[np.ndarray, np.ndarray]:
    """Of each read, int64 (reads,): its CpGs whose C lies in [start, end), and how many of them are methylated."""
    inside = (reads.positions >= start) & (reads.positions < end)
    sums = np.concatenate([[0], np.cumsum(inside)])
    methylated = np.concatenate([[0], np.cumsum(inside & (reads.states == 1))])
    return np.diff(sums[reads.offsets]), np.diff(methylated[reads.offsets])
