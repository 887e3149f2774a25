"""Raw scores as levels: stretches of equal score, for bedGraph."""

from __future__ import annotations

import numpy as np

from ..inference.stitch import NO_SCORE

LEVEL = np.dtype([("contig", "i4"), ("start", "i8"), ("end", "i8"), ("score", "i4")])
"""Bases [start, end) of one contig that share a score (ten-thousandths)."""


def find_levels(scores: np.ndarray, edges: np.ndarray, contig: int) -> np.ndarray:
    """Maximal stretches of equal score; bins without a score are left out. Shapes as for `find_runs`."""
    held = (edges[1:] > edges[:-1]) & (scores != NO_SCORE)
    levels = np.empty(int(held.sum()), dtype=LEVEL)
    levels["contig"], levels["score"] = contig, scores[held]
    levels["start"], levels["end"] = edges[:-1][held], edges[1:][held]
    return merge_levels(levels)


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
