"""Raw scores as levels: stretches of equal score, for bedGraph."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..inference.stitch import NO_SCORE
from ..reading.tiles import Bins
from .intervals import fill

LEVEL = np.dtype([("contig", "i4"), ("start", "i8"), ("end", "i8"), ("score", "i4")])
"""Bases [start, end) of one contig that share a score (ten-thousandths)."""


def find_levels(scores: np.ndarray, bins: Bins) -> np.ndarray:
    """Maximal stretches of equal score in each interval; bins without a score are left out. As for `find_runs`."""
    return fill(LEVEL, lambda out: _find_levels(scores, *bins, out))


@njit(nogil=True, cache=True)
def _find_levels(scores, intervals, firsts, offsets, size, out):
    count = 0
    for number in range(len(intervals)):
        start, end = intervals[number].start, intervals[number].end
        first, offset = firsts[number], offsets[number]
        before = NO_SCORE
        for i in range((start - first) // size, -(-(end - first) // size)):
            score = scores[offset + i]
            if score != NO_SCORE:
                if score != before:
                    count += 1
                    if count <= len(out):
                        out[count - 1].contig, out[count - 1].score = intervals[number].contig, score
                        out[count - 1].start = max(start, first + i * size)
                if count <= len(out):
                    out[count - 1].end = min(end, first + (i + 1) * size)
            before = score
    return count


def merge_levels(levels: np.ndarray) -> np.ndarray:
    """Join neighbours that touch and have the same score; associative."""
    if len(levels) < 2:
        return levels
    before, after = levels[:-1], levels[1:]
    joined = (
        (before["contig"] == after["contig"]) & (before["end"] == after["start"]) & (before["score"] == after["score"])
    )
    first = np.flatnonzero(np.concatenate(([True], ~joined)))
    last = np.append(first[1:], len(levels)) - 1
    merged = levels[first]
    merged["end"] = levels["end"][last]
    return merged


class Leveller:
    """Joins levels across tiles that arrive in genome order; the last one waits for the next tile."""

    def __init__(self):
        self._waiting = np.empty(0, dtype=LEVEL)

    def add(self, levels: np.ndarray, contig: int, position: int) -> np.ndarray:  # noqa: ARG002 (same call as Caller)
        merged = merge_levels(np.concatenate([self._waiting, levels]))
        self._waiting = merged[-1:]
        return merged[:-1]

    def finish(self) -> np.ndarray:
        rest, self._waiting = self._waiting, np.empty(0, dtype=LEVEL)
        return rest
