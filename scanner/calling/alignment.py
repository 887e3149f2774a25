"""Wraparound alignment: a sequence against any number of copies of a unit, exactly, and what it says of the unit.

The dynamic programming is that of a global alignment in which the row of the unit is closed to a ring, so that after
its last base comes its first (Fischetti, Landau, Sellers & Schmidt 1993; Benson 1999). The sequence is aligned whole,
beginning and ending anywhere in the unit. An unknown base (code 4) matches nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

MATCH, MISMATCH, GAP = 2, 3, 5
"""Scores of the alignment: a match, and what a mismatch and every base of a gap cost (TRF's most tolerant set)."""

LONGEST = 8192
"""Longest sequence that is aligned in one piece, in bases: the scores of a row fit into 16 bits."""

NARROW = 24
"""Units up to this many bases are aligned cell by cell, longer ones in vectors."""

EDGE = 3
"""Bases at either end of a sequence that have half a vote: they may lie outside of the repeat."""


@njit(nogil=True, cache=True)
def align(codes, unit):
    """Align ``codes`` uint8[n] (n <= LONGEST) to the ring ``unit`` uint8[p].

    Returns (positions, events). Positions, int32[n]: for each base the position in the unit that it is aligned to, or
    -1 - position for a base that is inserted behind that position; the positions between those of two neighbours are
    deleted. Events, int64[4]: matches, mismatches, inserted bases, deleted bases.
    """
    n, p = codes.shape[0], unit.shape[0]
    gains = np.full((5, p), -MISMATCH, dtype=np.int16)
    for j in range(p):
        if unit[j] < 4:
            gains[unit[j], j] = MATCH
    # Column 0 repeats the last one, so that every cell finds its diagonal neighbour to the left.
    scores = np.empty((n + 1, p + 1), dtype=np.int16)
    scores[0] = 0
    if p <= NARROW:
        for i in range(n):
            _fill_narrow(scores, i, gains, min(codes[i], np.uint8(4)))
    else:
        for i in range(n):
            _fill_row(scores[i], scores[i + 1], gains[min(codes[i], np.uint8(4))])
    return _trace(scores, gains, codes)


@njit(nogil=True, cache=True)
def _fill_row(before, row, gains):
    """One row of scores from the row before it, both int16[p + 1]."""
    p = gains.shape[0]
    aligned, above, cells = before[:p], before[1:], row[1:]
    for j in range(p):
        cells[j] = max(np.int16(aligned[j] + gains[j]), np.int16(above[j] - GAP))
    best = cells[p - 1]
    for j in range(p):
        best = max(np.int16(best - GAP), cells[j])
        cells[j] = best
    for j in range(p):  # deletions that reach across the end of the unit
        best = np.int16(best - GAP)
        if best <= cells[j]:
            break
        cells[j] = best
    row[0] = cells[p - 1]


@njit(nogil=True, cache=True, inline="always")
def _fill_narrow(scores, i, gains, code):
    """As `_fill_row`, without what it costs to take rows out of arrays."""
    p = gains.shape[1]
    best = max(scores[i, p - 1] + gains[code, p - 1], scores[i, p] - GAP)
    for j in range(p):
        best = max(best - GAP, scores[i, j] + gains[code, j], scores[i, j + 1] - GAP)
        scores[i + 1, j + 1] = best
    for j in range(1, p + 1):
        best -= GAP
        if best <= scores[i + 1, j]:
            break
        scores[i + 1, j] = best
    scores[i + 1, 0] = scores[i + 1, p]


@njit(nogil=True, cache=True)
def best_scores(codes, unit):
    """int32[n + 1]: the score of the best alignment of the first 0, 1, ... n bases of ``codes`` to the ring
    ``unit``."""
    n, p = codes.shape[0], unit.shape[0]
    best = np.zeros(n + 1, dtype=np.int32)
    before, row = np.zeros(p + 1, dtype=np.int16), np.zeros(p + 1, dtype=np.int16)
    gains = np.full((5, p), -MISMATCH, dtype=np.int16)
    for j in range(p):
        if unit[j] < 4:
            gains[unit[j], j] = MATCH
    for i in range(n):
        _fill_row(before, row, gains[min(codes[i], np.uint8(4))])
        best[i + 1] = row.max()
        before, row = row, before
    return best


@njit(nogil=True, cache=True)
def _trace(scores, gains, codes):
    """`align`'s result from all scores: the way back from the best cell of the last row."""
    n, p = codes.shape[0], gains.shape[1]
    positions = np.empty(n, dtype=np.int32)
    events = np.zeros(4, dtype=np.int64)
    j = 0
    for k in range(p):
        if scores[n, k + 1] > scores[n, j + 1]:
            j = k
    i = n
    while i > 0:
        score = scores[i, j + 1]
        gain = gains[min(codes[i - 1], np.uint8(4)), j]
        if score == scores[i - 1, j] + gain:
            i -= 1
            positions[i] = j
            events[0 if gain == MATCH else 1] += 1
            j = j - 1 if j else p - 1
        elif score == scores[i - 1, j + 1] - GAP:
            i -= 1
            positions[i] = -1 - j
            events[2] += 1
        else:
            events[3] += 1
            j = j - 1 if j else p - 1
    return positions, events


@njit(nogil=True, cache=True)
def saved_bits(events, size):
    """How many bits shorter a sequence becomes when it is told as copies of a unit of ``size`` bases: a float.

    Told plainly a base takes two bits. Told as copies it takes two bits for each base of the unit, what it costs to say
    which column of the alignment is a match, mismatch, insertion or deletion (the entropy of their shares), and the
    bases that mismatch or are inserted: the minimum description length (Rissanen 1978). A longer unit must therefore
    explain so much more as its own bases cost.
    """
    columns = events.sum()
    cost = 2.0 * size + 1.584962500721156 * events[1] + 2.0 * events[2]
    for number in events:
        if number:
            cost += number * np.log2(columns / number)
    return 2.0 * (events[0] + events[1] + events[2]) - cost


@njit(nogil=True, cache=True)
def count_votes(codes, size, positions):
    """What the copies have at each position of a unit of ``size`` bases, in an alignment: three arrays of votes.

    Bases int32[size, 5], deletions int32[size], and the first bases of insertions behind the position, int32[size, 5].
    A base has two votes, one of the EDGE outermost at either end has one.
    """
    n = codes.shape[0]
    bases = np.zeros((size, 5), dtype=np.int32)
    inserted = np.zeros((size, 5), dtype=np.int32)
    deleted = np.zeros(size, dtype=np.int32)
    last = -1
    fresh = True
    for i in range(n):
        j = positions[i]
        code = min(codes[i], np.uint8(4))
        if j < 0:
            if fresh and last >= 0:
                inserted[-1 - j, code] += 2
            fresh = False
            continue
        if last >= 0:
            k = last + 1 if last + 1 < size else 0
            while k != j:
                deleted[k] += 2
                k = k + 1 if k + 1 < size else 0
        bases[j, code] += 1 if i < EDGE or i >= n - EDGE else 2
        last = j
        fresh = True
    return bases, deleted, inserted


@njit(nogil=True, cache=True)
def elect(unit, bases, deleted, inserted):
    """The unit by majority at each position, from the votes of `count_votes`: uint8[new size].

    A base stays unless more than half of the copies lack it; one is inserted where more than half have one, one base at
    a time. Of several equally frequent bases the unit's own is kept, else the alphabetically first taken.
    """
    p = unit.shape[0]
    voted = np.empty(2 * p, dtype=np.uint8)
    size = 0
    for j in range(p):
        present = bases[j].sum()
        if deleted[j] <= present:
            voted[size] = most_votes(bases[j], unit[j])
            size += 1
        if 2 * inserted[j].sum() > present + deleted[j]:
            voted[size] = most_votes(inserted[j], 4)
            size += 1
    return voted[:size].copy() if size else unit.copy()


@njit(nogil=True, cache=True)
def most_votes(numbers, own):
    """The base with the most votes; ``own``, which may be 4 for none, where no other has more."""
    best = own
    for code in range(4):
        if numbers[code] > (numbers[best] if best < 4 else 0):
            best = code
    return np.uint8(best)
