"""Wraparound alignment: a sequence against any number of copies of a unit, exactly, and what it says of the unit.

The dynamic programming is that of a global alignment in which the row of the unit is closed to a ring, so that after
its last base comes its first (Fischetti, Landau, Sellers & Schmidt 1993; Benson 1999). A mismatch, an inserted and a
deleted base cost the same, so that neighbouring cells differ by one at most and 64 of them are worked out at once, one
bit each (Myers 1999, as Hyyro 2003 writes it; the carry and the shift go round the ring). The sequence is aligned
whole, beginning and ending anywhere in the unit. An unknown base (code 4) matches nothing.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LONGEST = 8192
"""Longest sequence that is aligned in one piece, in bases."""

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
    words = (p + 63) >> 6
    masks = np.zeros((5, words), dtype=np.uint64)  # where the unit has each base; nowhere an unknown one
    for j in range(p):
        if unit[j] < 4:
            masks[unit[j], j >> 6] |= np.uint64(1) << np.uint64(j & 63)
    # Cells that cost as much as their diagonal neighbour; cells that cost one more than the one above.
    level = np.empty((n, words), dtype=np.uint64)
    above = np.empty((n, words), dtype=np.uint64)
    rises = np.zeros(words, dtype=np.uint64)
    falls = np.zeros(words, dtype=np.uint64)
    if words == 1:
        rises[0], falls[0] = _fill_word(codes, masks, p, level, above)
    else:
        _fill_words(codes, masks, p, level, above, rises, falls)
    cost = best = j = 0
    for k in range(1, p):
        place = np.uint64(k & 63)
        cost += np.int64((rises[k >> 6] >> place) & np.uint64(1)) - np.int64((falls[k >> 6] >> place) & np.uint64(1))
        if cost < best:
            best, j = cost, k
    return _trace(codes, unit, level, above, j)


@njit(nogil=True, cache=True)
def _fill_word(codes, masks, p, level, above):
    """All rows for a unit of up to 64 bases: where the last one rises and falls from a position to the next."""
    one = np.uint64(1)
    last = np.uint64(p - 1)
    used = ~np.uint64(0) >> np.uint64(64 - p)
    rises, falls = np.uint64(0), np.uint64(0)
    for i in range(codes.shape[0]):
        match = masks[min(codes[i], np.uint8(4)), 0]
        total = (match & rises) + rises
        if p == 64:
            total += np.uint64(total < rises)
        else:
            total += (total >> last) >> one
        same = ((total ^ rises) | match | falls) & used
        more = (falls | ~(same | rises)) & used
        less = same & rises
        level[i, 0], above[i, 0] = same, more
        more = ((more << one) | (more >> last)) & used
        less = ((less << one) | (less >> last)) & used
        rises = (less | ~(same | more)) & used
        falls = more & same
    return rises, falls


@njit(nogil=True, cache=True, inline="always")
def _fill_words(codes, masks, p, level, above, rises, falls):
    """As `_fill_word` for longer units; ``rises`` and ``falls``, uint64[words], begin as zeros, end as its result."""
    one, shift = np.uint64(1), np.uint64(63)
    words = rises.shape[0]
    size = np.uint64(p - 64 * (words - 1))  # bits of the last word
    used = ~np.uint64(0) >> (np.uint64(64) - size)
    totals = np.zeros(words, dtype=np.uint64)
    for i in range(codes.shape[0]):
        code = min(codes[i], np.uint8(4))
        carry = np.uint64(0)
        for word in range(words):
            rise = rises[word]
            total = (masks[code, word] & rise) + rise
            summed = total + carry
            carry = np.uint64(total < rise) | np.uint64(summed < total)
            totals[word] = summed
        if size < np.uint64(64):
            carry = (totals[words - 1] >> size) & one
        word = 0
        while carry and word < words:
            totals[word] += one
            carry = np.uint64(totals[word] == 0)
            word += 1
        rise, match = rises[words - 1], masks[code, words - 1]
        same = (totals[words - 1] ^ rise) | match | falls[words - 1]
        more_in = ((falls[words - 1] | ~(same | rise)) >> (size - one)) & one
        less_in = ((same & rise) >> (size - one)) & one
        for word in range(words):
            rise, fall = rises[word], falls[word]
            same = (totals[word] ^ rise) | masks[code, word] | fall
            more = fall | ~(same | rise)
            less = same & rise
            level[i, word], above[i, word] = same, more
            more_out, less_out = more >> shift, less >> shift
            more = (more << one) | more_in
            less = (less << one) | less_in
            more_in, less_in = more_out, less_out
            rises[word] = less | ~(same | more)
            falls[word] = more & same
        rises[words - 1] &= used
        falls[words - 1] &= used


@njit(nogil=True, cache=True, inline="always")
def _trace(codes, unit, level, above, j):
    """`align`'s result: the way back from position ``j`` of the last row."""
    p = unit.shape[0]
    positions = np.empty(codes.shape[0], dtype=np.int32)
    matches = mismatches = inserted = deleted = 0
    i = codes.shape[0] - 1
    while i >= 0:
        word, place = j >> 6, np.uint64(j & 63)
        alike = codes[i] == unit[j] and codes[i] < 4
        if alike or not (level[i, word] >> place) & np.uint64(1):
            positions[i] = j
            matches += alike
            mismatches += not alike
            i -= 1
        elif (above[i, word] >> place) & np.uint64(1):
            positions[i] = -1 - j
            inserted += 1
            i -= 1
            continue
        else:
            deleted += 1
        j = j - 1 if j else p - 1
    return positions, np.array([matches, mismatches, inserted, deleted])


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
        present = all_votes(bases, j)
        if deleted[j] <= present:
            voted[size] = most_votes(bases, j, unit[j])
            size += 1
        if 2 * all_votes(inserted, j) > present + deleted[j]:
            voted[size] = most_votes(inserted, j, 4)
            size += 1
    return voted[:size].copy() if size else unit.copy()


@njit(nogil=True, cache=True)
def all_votes(votes, j):
    """The votes for any base at position ``j``; ``votes`` int32[size, 5]."""
    return votes[j, 0] + votes[j, 1] + votes[j, 2] + votes[j, 3] + votes[j, 4]


@njit(nogil=True, cache=True)
def most_votes(votes, j, own):
    """The base with the most votes at position ``j``; ``own``, which may be 4 for none, where no other has more."""
    best, most = own, votes[j, own] if own < 4 else 0
    for code in range(4):
        if votes[j, code] > most:
            best, most = code, votes[j, code]
    return np.uint8(best)
