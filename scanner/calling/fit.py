"""A segment told by its unit: the counts that its columns are made of, from its alignment or from samples of it."""

from __future__ import annotations

import numpy as np
from numba import njit

from .alignment import LONGEST, align, count_votes, elect
from .measures import adjacent_copies
from .segments import WINDOW
from .unit import polish, primitive, refine, rotate

SAMPLES = 3
"""Stretches of a segment longer than WINDOW that are aligned, evenly spaced from its start to its end."""

SAMPLE_COPIES, SAMPLE_BASES = 3, 512
"""Copies of the unit that each of them holds, and the fewest bases."""

COUNTS = 10
"""Matches, mismatches, inserted and deleted bases against the unit; bases aligned; matches, mismatches and indels
between adjacent copies; and the most common distance of adjacent copies in bases, with how many bases it was weighed
by."""


@njit(nogil=True, cache=True)
def fit_segment(codes, unit):
    """(unit uint8[p] in its smallest rotation, counts int64[COUNTS]) of one segment.

    ``codes`` uint8[n], and its unit as it was found: uint8[...], to be refined.
    """
    n = codes.shape[0]
    counts = np.zeros(COUNTS, dtype=np.int64)
    if n <= WINDOW:
        unit, positions, events = rotate(*polish(codes, *refine(codes, unit, 0)))
        add_counts(counts, codes, positions, events, unit.shape[0])
        return unit, counts
    length = min(n, LONGEST, max(SAMPLE_BASES, SAMPLE_COPIES * unit.shape[0]))
    for last in (False, True):
        p = unit.shape[0]
        bases = np.zeros((p, 5), dtype=np.int32)
        deleted = np.zeros(p, dtype=np.int32)
        inserted = np.zeros((p, 5), dtype=np.int32)
        for sample in range(SAMPLES):
            start = (n - length) * sample // (SAMPLES - 1)
            stretch = codes[start : start + length]
            positions, events = align(stretch, unit)
            if last:
                add_counts(counts, stretch, positions, events, p)
            votes = count_votes(stretch, p, positions)
            bases += votes[0]
            deleted += votes[1]
            inserted += votes[2]
        if not last:
            unit = primitive(elect(unit, bases, deleted, inserted))
    return rotate(unit, np.zeros(0, dtype=np.int32), np.zeros(4, dtype=np.int64))[0], counts


@njit(nogil=True, cache=True)
def add_counts(counts, codes, positions, events, size):
    period, matches, mismatches, indels = adjacent_copies(codes, positions, size)
    counts[:4] += events
    counts[4] += codes.shape[0]
    counts[5] += matches
    counts[6] += mismatches
    counts[7] += indels
    if codes.shape[0] > counts[9]:
        counts[8], counts[9] = period, codes.shape[0]
