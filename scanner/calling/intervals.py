"""From scores to calls: runs above a threshold, joined across tiles, then hysteresis, gaps and lengths.

A tile yields runs: maximal stretches whose score reaches the lower threshold. Runs hold integer sums, so joining
two that touch at a tile's border gives exactly the run that an uncut contig would have given, in any grouping. Only
then are neighbours merged and weak or short intervals dropped, in one pass in genome order that keeps nothing but
the interval that may still grow.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from ..inference.stitch import NO_SCORE, SCORE_UNIT

RUN = np.dtype(
    [
        ("contig", "i4"),
        ("channel", "i2"),
        ("start", "i8"),
        ("end", "i8"),
        ("total", "i8"),  # sum of score (ten-thousandths) * bases
        ("scored", "i8"),  # bases that the sum runs over
        ("peak", "i4"),  # highest score, ten-thousandths
    ]
)
"""A stretch of bases of one channel (an output on a strand), 0-based half-open."""


class Thresholds(NamedTuple):
    """How calls are made: scores in ten-thousandths, gap and length in bases."""

    call: int
    extend: int
    gap: int
    min_length: int

    @classmethod
    def of(cls, threshold: float, extend: float, gap: int, min_length: int) -> Thresholds:
        return cls(round(threshold * SCORE_UNIT), round(extend * SCORE_UNIT), gap, min_length)


@njit(nogil=True, cache=True)
def _find_runs(scores, edges, lowest, starts, ends, totals, peaks):
    count, inside = 0, False
    for i in range(scores.shape[0]):
        size = edges[i + 1] - edges[i]
        if size <= 0:
            continue
        score = scores[i]
        if score == NO_SCORE or score < lowest:
            inside = False
            continue
        if not inside:
            inside = True
            starts[count], totals[count], peaks[count] = edges[i], 0, score
            count += 1
        ends[count - 1] = edges[i + 1]
        totals[count - 1] += score * size
        if score > peaks[count - 1]:
            peaks[count - 1] = score
    return count


def find_runs(scores: np.ndarray, edges: np.ndarray, lowest: int, contig: int, channel: int) -> np.ndarray:
    """Runs of bins that score at least ``lowest``: a RUN array sorted by start.

    scores: int32 (bins,) ten-thousandths; edges: int64 (bins + 1,) borders of the bins in bases; empty bins are
    passed over.
    """
    most = len(scores) // 2 + 1
    starts, ends, totals = (np.empty(most, dtype=np.int64) for _ in range(3))
    peaks = np.empty(most, dtype=np.int32)
    count = _find_runs(np.ascontiguousarray(scores), edges, lowest, starts, ends, totals, peaks)
    runs = np.empty(count, dtype=RUN)
    runs["contig"], runs["channel"] = contig, channel
    runs["start"], runs["end"] = starts[:count], ends[:count]
    runs["total"], runs["peak"] = totals[:count], peaks[:count]
    runs["scored"] = runs["end"] - runs["start"]
    return runs


def merge_runs(runs: np.ndarray, gap: int) -> np.ndarray:
    """Merge runs of one contig and channel that are at most ``gap`` bases apart (0: those that touch).

    ``runs`` must be sorted by contig, channel and start. Associative: merging any grouping of consecutive pieces and
    then the results is the same as merging all at once.
    """
    if len(runs) < 2:
        return runs
    same = (runs["contig"][1:] == runs["contig"][:-1]) & (runs["channel"][1:] == runs["channel"][:-1])
    first = np.flatnonzero(np.concatenate(([True], ~(same & (runs["start"][1:] - runs["end"][:-1] <= gap)))))
    merged = runs[first]
    merged["end"] = np.maximum.reduceat(runs["end"], first)
    merged["total"] = np.add.reduceat(runs["total"], first)
    merged["scored"] = np.add.reduceat(runs["scored"], first)
    merged["peak"] = np.maximum.reduceat(runs["peak"], first)
    return merged


def in_channel_order(runs: np.ndarray) -> np.ndarray:
    """Sorted by contig, channel, start."""
    return runs[np.lexsort((runs["start"], runs["channel"], runs["contig"]))]


def in_genome_order(runs: np.ndarray) -> np.ndarray:
    """Sorted by contig, start, end, channel."""
    return runs[np.lexsort((runs["channel"], runs["end"], runs["start"], runs["contig"]))]


class Caller:
    """Turns runs that arrive tile by tile, in genome order, into calls in genome order.

    ``add(runs, contig, position)`` takes the runs of a tile whose last interval ends at ``position`` of ``contig``
    and returns the calls that no later tile can change; ``finish()`` returns the rest. Memory is the calls
    that still may change, or that wait for such a one to keep the order.
    """

    def __init__(self, thresholds: Thresholds):
        self.thresholds = thresholds
        self._waiting = np.empty(0, dtype=RUN)

    def add(self, runs: np.ndarray, contig: int, position: int) -> np.ndarray:
        merged = merge_runs(in_channel_order(np.concatenate([self._waiting, runs])), self.thresholds.gap)
        near = position - merged["end"] <= self.thresholds.gap
        growing = merged[(merged["contig"] == contig) & near]
        if len(growing) == 0:
            self._waiting = np.empty(0, dtype=RUN)
            return self._kept(merged)
        settled = (merged["contig"] < contig) | (merged["start"] < growing["start"].min())
        self._waiting = merged[~settled]
        return self._kept(merged[settled])

    def finish(self) -> np.ndarray:
        rest, self._waiting = self._waiting, np.empty(0, dtype=RUN)
        return self._kept(rest)

    def _kept(self, runs: np.ndarray) -> np.ndarray:
        long_enough = runs["end"] - runs["start"] >= self.thresholds.min_length
        return in_genome_order(runs[(runs["peak"] >= self.thresholds.call) & long_enough])
