"""A segment told by its unit: the counts that its columns are made of, from its alignment or from samples of it."""

from __future__ import annotations

import numpy as np
from numba import njit

from .alignment import LONGEST, align, count_votes, elect
from .borders import repeat_borders
from .measures import adjacent_copies
from .segments import WINDOW
from .unit import ROUNDS, polish, primitive, refine, rotate

SAMPLES = 3
"""Stretches of a segment longer than WINDOW that are aligned, evenly spaced from its start to its end."""

SAMPLE_COPIES, SAMPLE_BASES = 3, 512
"""Copies of the unit that each of them holds, and the fewest bases."""

COUNTS = 10
"""Matches, mismatches, inserted and deleted bases against the unit; bases aligned; matches, mismatches and indels
between adjacent copies; and the most common distance of adjacent copies in bases, with how many bases it was weighed
by."""


@njit(nogil=True, cache=True, inline="always")
def fit_segment(codes, unit, first, last, confidence):
    """(start, end, unit uint8[p] in its smallest rotation, counts int64[COUNTS]) of one segment.

    ``codes`` uint8[n], and its unit as it was found: uint8[...], to be refined. Start and end, 0-based half-open, say
    which of the bases are told: those of the repeat (`borders.repeat_borders`), where the segment is the ``first`` or
    the ``last`` of its call, so that its start or its end is where scores faded out.
    """
    if codes.shape[0] > WINDOW:
        return _fit_samples(codes, unit, first, last, confidence)
    unit, positions, events = refine(codes, unit, 0)
    start, end = repeat_borders(codes, unit, positions, confidence)
    if not first:
        start = 0
    if not last:
        end = codes.shape[0]
    if end - start < codes.shape[0]:
        unit, positions, events = refine(codes[start:end], unit, ROUNDS)
    unit, positions, events = rotate(*polish(codes[start:end], unit, positions, events))
    counts = np.zeros(COUNTS, dtype=np.int64)
    add_counts(counts, codes[start:end], positions, events, unit.shape[0])
    return start, end, unit, counts


@njit(nogil=True, cache=True, inline="always")
def _fit_samples(codes, unit, first, last, confidence):
    """`fit_segment` of a long segment, from samples of it."""
    n = codes.shape[0]
    start, end = 0, n
    counts = np.zeros(COUNTS, dtype=np.int64)
    length = min(n, LONGEST, max(SAMPLE_BASES, SAMPLE_COPIES * unit.shape[0]))
    for final in (False, True):
        p = unit.shape[0]
        bases = np.zeros((p, 5), dtype=np.int32)
        deleted = np.zeros(p, dtype=np.int32)
        inserted = np.zeros((p, 5), dtype=np.int32)
        for sample in range(SAMPLES):
            begin = (n - length) * sample // (SAMPLES - 1)
            stretch = codes[begin : begin + length]
            positions, events = align(stretch, unit)
            if final:
                add_counts(counts, stretch, positions, events, p)
                if first and sample == 0:
                    start = repeat_borders(stretch, unit, positions, confidence)[0]
                if last and sample == SAMPLES - 1:
                    end = begin + repeat_borders(stretch, unit, positions, confidence)[1]
            votes, deletions, insertions = count_votes(stretch, p, positions)
            for j in range(p):
                deleted[j] += deletions[j]
                for base in range(5):
                    bases[j, base] += votes[j, base]
                    inserted[j, base] += insertions[j, base]
        if not final:
            unit = primitive(elect(unit, bases, deleted, inserted))
    return start, end, rotate(unit, np.zeros(0, dtype=np.int32), np.zeros(4, dtype=np.int64))[0], counts


@njit(nogil=True, cache=True)
def add_counts(counts, codes, positions, events, size):
    period, matches, mismatches, indels = adjacent_copies(codes, positions, size)
    for event in range(4):
        counts[event] += events[event]
    counts[4] += codes.shape[0]
    counts[5] += matches
    counts[6] += mismatches
    counts[7] += indels
    if codes.shape[0] > counts[9]:
        counts[8], counts[9] = period, codes.shape[0]
