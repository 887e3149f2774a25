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


@njit(nogil=True, cache=True)
def align(codes, unit):
    """Align ``codes`` uint8[n] (n <= LONGEST) to the ring ``unit`` uint8[p].

    Returns int32[n]: for each base the position in the unit that it is aligned to, or -1 - position for a base that is
    inserted behind that position. Positions between those of two neighbours are deleted.
    """
    n, p = codes.shape[0], unit.shape[0]
    gains = np.empty((5, p), dtype=np.int16)
    for code in range(5):
        for j in range(p):
            gains[code, j] = MATCH if unit[j] == code and code < 4 else -MISMATCH
    # Column 0 repeats the last one, so that every cell finds its diagonal neighbour to the left.
    scores = np.empty((n + 1, p + 1), dtype=np.int16)
    scores[0] = 0
    for i in range(n):
        _fill_row(scores[i], scores[i + 1], gains[codes[i]])
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


@njit(nogil=True, cache=True)
def _trace(scores, gains, codes):
    n, p = codes.shape[0], gains.shape[1]
    positions = np.empty(n, dtype=np.int32)
    j = 0
    for k in range(p):
        if scores[n, k + 1] > scores[n, j + 1]:
            j = k
    i = n
    while i > 0:
        score = scores[i, j + 1]
        if score == scores[i - 1, j] + gains[codes[i - 1], j]:
            i -= 1
            positions[i] = j
            j = j - 1 if j else p - 1
        elif score == scores[i - 1, j + 1] - GAP:
            i -= 1
            positions[i] = -1 - j
        else:
            j = j - 1 if j else p - 1
    return positions


@njit(nogil=True, cache=True)
def count_events(codes, unit, positions):
    """What an alignment holds: int64[4] of matches, mismatches, insertions and deletions."""
    p = unit.shape[0]
    events = np.zeros(4, dtype=np.int64)
    last = -1
    for i in range(codes.shape[0]):
        j = positions[i]
        if j < 0:
            events[2] += 1
            if last < 0:
                last = -1 - j
            continue
        if last >= 0:
            events[3] += (j - last - 1) % p
        events[0 if unit[j] == codes[i] and codes[i] < 4 else 1] += 1
        last = j
    return events


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
def vote(codes, unit, positions):
    """The unit by majority at each position of an alignment: uint8[new size].

    A base stays unless more than half of the copies lack it; one is inserted where more than half of the copies have one.
    Of several equally frequent bases the unit's own is kept, else the alphabetically first taken.
    """
    p, n = unit.shape[0], codes.shape[0]
    bases = np.zeros((p, 5), dtype=np.int32)
    inserted = np.zeros((p, 5), dtype=np.int32)
    deleted = np.zeros(p, dtype=np.int32)
    last = -1
    fresh = True  # only the first base of an insertion votes: one base is inserted at a time
    for i in range(n):
        j = positions[i]
        if j < 0:
            if fresh and last >= 0:
                inserted[-1 - j, codes[i]] += 1
            fresh = False
            continue
        if last >= 0:
            k = last + 1 if last + 1 < p else 0
            while k != j:
                deleted[k] += 1
                k = k + 1 if k + 1 < p else 0
        bases[j, codes[i]] += 1
        last = j
        fresh = True
    voted = np.empty(2 * p, dtype=np.uint8)
    size = 0
    for j in range(p):
        present = bases[j].sum()
        if deleted[j] <= present:
            voted[size] = _most(bases[j], unit[j])
            size += 1
        extra = inserted[j].sum()
        if 2 * extra > present + deleted[j]:
            voted[size] = _most(inserted[j], 4)
            size += 1
    return voted[:size].copy() if size else unit.copy()


@njit(nogil=True, cache=True)
def _most(numbers, own):
    best = own
    for code in range(4):
        if numbers[code] > (numbers[best] if best < 4 else 0):
            best = code
    return np.uint8(best)
