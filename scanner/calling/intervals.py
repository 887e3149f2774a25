"""From scores to calls: runs above a threshold, joined across tiles, then hysteresis, gaps and lengths.

A tile yields runs: maximal stretches whose score reaches the lower threshold. Runs hold integer sums, so joining
two that touch at a tile's border gives exactly the run that an uncut contig would have given, in any grouping. Only
then are neighbours merged and weak or short intervals dropped, in one pass in genome order that keeps nothing but
the interval that may still grow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from ..inference.stitch import NO_SCORE, SCORE_UNIT
from ..reading.tiles import Bins

_FIRST_GUESS = 1024

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
    """How calls are made: scores in ten-thousandths, gap and length in bases. With a prominence, calls are peaks
    (`peaks`), and there is no gap."""

    call: int
    extend: int
    gap: int
    min_length: int
    prominence: int | None = None

    @classmethod
    def of(
        cls, threshold: float, extend: float, gap: int, min_length: int, prominence: float | None = None
    ) -> Thresholds:
        rise = None if prominence is None else round(prominence * SCORE_UNIT)
        return cls(round(threshold * SCORE_UNIT), round(extend * SCORE_UNIT), gap, min_length, rise)


def find_runs(scores: np.ndarray, bins: Bins, lowest: int, channel: int) -> np.ndarray:
    """Runs of bins that score at least ``lowest``: a RUN array sorted by contig and start.

    scores: int32 (bins,) ten-thousandths. A run ends where its interval ends.
    """
    return fill(RUN, lambda out: _find_runs(scores, *bins, lowest, channel, out))


def fill(dtype: np.dtype, write: Callable[[np.ndarray], int]) -> np.ndarray:
    """The rows that ``write`` puts into an array and counts; it is called again when there were more than fitted."""
    out = np.empty(_FIRST_GUESS, dtype=dtype)
    count = write(out)
    if count > len(out):
        out = np.empty(count, dtype=dtype)
        write(out)
        return out
    return out[:count].copy()


@njit(nogil=True, cache=True)
def _find_runs(scores, intervals, firsts, offsets, size, lowest, channel, out):
    count = 0
    for number in range(len(intervals)):
        contig, start, end = intervals[number].contig, intervals[number].start, intervals[number].end
        first, offset = firsts[number], offsets[number]
        inside, total, peak, run_start, run_end = False, 0, 0, 0, 0
        for i in range((start - first) // size, -(-(end - first) // size)):
            score = scores[offset + i]
            if score == NO_SCORE or score < lowest:
                if inside:
                    _put(out, count, contig, channel, run_start, run_end, total, peak)
                    count, inside = count + 1, False
                continue
            left = max(start, first + i * size)
            if not inside:
                inside, run_start, total, peak = True, left, 0, score
            run_end = min(end, first + (i + 1) * size)
            total += score * (run_end - left)
            peak = max(peak, score)
        if inside:
            _put(out, count, contig, channel, run_start, run_end, total, peak)
            count += 1
    return count


@njit(nogil=True, cache=True)
def _put(out, place, contig, channel, start, end, total, peak):
    if place < len(out):
        run = out[place]
        run.contig, run.channel, run.start, run.end = contig, channel, start, end
        run.total, run.scored, run.peak = total, end - start, peak


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
    return _in_order(runs, "contig", "channel", "start", "end")


def in_genome_order(runs: np.ndarray) -> np.ndarray:
    """Sorted by contig, start, end, channel."""
    return _in_order(runs, "contig", "start", "end", "channel")


def _in_order(runs: np.ndarray, *fields: str) -> np.ndarray:
    columns = [runs[field] for field in fields]
    if _are_sorted(*columns):  # as what a model without strands gives always is
        return runs
    return runs[np.lexsort(columns[::-1])]


@njit(nogil=True, cache=True)
def _are_sorted(first, second, third, fourth):
    for i in range(1, first.shape[0]):
        if first[i - 1] != first[i]:
            if first[i - 1] > first[i]:
                return False
        elif second[i - 1] != second[i]:
            if second[i - 1] > second[i]:
                return False
        elif third[i - 1] != third[i]:
            if third[i - 1] > third[i]:
                return False
        elif fourth[i - 1] > fourth[i]:
            return False
    return True


def reduce_runs(runs: np.ndarray, thresholds: Thresholds, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
    """What later stages need of the runs of a piece that reaches from ``start`` to ``end`` (contig, position).

    Runs are merged, and those too weak or too short for a call are left out unless they are so near to an edge of the
    piece that a run beyond it could join them. Handing the results of consecutive pieces to a `Caller` gives the
    calls that all their runs would have given. In genome order.
    """
    merged = merge_runs(in_channel_order(runs), thresholds.gap)
    return in_genome_order(merged[_at_edges(merged, thresholds.gap, start, end) | _is_call(merged, thresholds)])


def settled_calls(
    reduced: np.ndarray, thresholds: Thresholds, start: tuple[int, int], end: tuple[int, int]
) -> np.ndarray:
    """Which of a piece's reduced runs (`reduce_runs`) are calls that nothing outside of the piece can change: their
    numbers, ascending."""
    edges = _at_edges(reduced, thresholds.gap, start, end)
    return np.flatnonzero(_is_call(reduced, thresholds) & ~edges)


def _at_edges(runs: np.ndarray, gap: int, start: tuple[int, int], end: tuple[int, int]) -> np.ndarray:
    """bool (runs,): those so near to the start or end of a piece that a run beyond it could join them."""
    at_start = (runs["contig"] == start[0]) & (runs["start"] - start[1] <= gap)
    at_end = (runs["contig"] == end[0]) & (end[1] - runs["end"] <= gap)
    return at_start | at_end


def _is_call(runs: np.ndarray, thresholds: Thresholds) -> np.ndarray:
    return (runs["peak"] >= thresholds.call) & (runs["end"] - runs["start"] >= thresholds.min_length)


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
        return in_genome_order(runs[_is_call(runs, self.thresholds)])
