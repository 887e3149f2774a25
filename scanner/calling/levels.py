"""Raw scores as levels: stretches of equal score, channel by channel, for bedGraph and bigWig."""

from __future__ import annotations

import numpy as np
from numba import njit

from ..inference.stitch import NO_SCORE
from ..reading.tiles import Bins
from .intervals import fill

LEVEL = np.dtype([("contig", "i4"), ("channel", "i2"), ("start", "i8"), ("end", "i8"), ("score", "i4")])
"""Bases [start, end) of one contig that share a score (ten-thousandths) in a channel (an output on a strand)."""


def find_levels(scores: np.ndarray, bins: Bins, channel: int) -> np.ndarray:
    """Maximal stretches of equal score in each interval; bins without a score are left out. As for `find_runs`."""
    found = fill(LEVEL, lambda out: _find_levels(scores, *bins, out))
    found["channel"] = channel
    return found


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
    """By channel, and in genome order within it: neighbours that touch and have the same score are joined. Associative,
    for levels each of whose channels is in genome order."""
    if len(levels) < 2:
        return levels
    if (np.diff(levels["channel"]) < 0).any():
        levels = levels[np.argsort(levels["channel"], kind="stable")]
    before, after = levels[:-1], levels[1:]
    joined = (
        (before["channel"] == after["channel"])
        & (before["contig"] == after["contig"])
        & (before["end"] == after["start"])
        & (before["score"] == after["score"])
    )
    first = np.flatnonzero(np.concatenate(([True], ~joined)))
    last = np.append(first[1:], len(levels)) - 1
    merged = levels[first]
    merged["end"] = levels["end"][last]
    return merged


class Leveller:
    """Joins levels across tiles that arrive in genome order; the last one of each channel waits for the next tile. What
    it gives is sorted by channel first."""

    def __init__(self):
        self._waiting = np.empty(0, dtype=LEVEL)

    def add(self, levels: np.ndarray, contig: int, position: int) -> np.ndarray:  # noqa: ARG002 (same call as Caller)
        merged = merge_levels(np.concatenate([self._waiting, levels]))
        last = np.diff(merged["channel"], append=-1) != 0
        self._waiting = merged[last]
        return merged[~last]

    def finish(self) -> np.ndarray:
        rest, self._waiting = self._waiting, np.empty(0, dtype=LEVEL)
        return rest
