"""Where the repeat of a call begins and ends, from its alignment to its unit.

Scores fade out towards a repeat's ends, so that a threshold on them gives ends that are off by some bases, the more the
longer the unit. The alignment says where the copies stop agreeing, and how sure that is: in a perfect repeat to the
base, in a diverged one less.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LEAST_ERRORS, MOST_ERRORS = 0.02, 0.25
"""Between these the rate of errors of a repeat is believed."""

GAP_BITS = 1.0
"""What opening a gap costs beside an error."""

DELETED_BITS = 2.0
"""What each further base of a deletion costs: about what a further inserted one does."""

TOLERANCE = 2
"""Bases by which a border may be off: those that continue a repeat by chance cannot be told from its own."""

ROUNDS = 2
"""The rate of errors is first that of the whole call, then that of the best stretch that was found with it."""


@njit(nogil=True, cache=True)
def repeat_borders(codes, unit, positions, confidence):
    """(start, end) of the bases of ``codes`` that belong to a repeat of the unit, 0-based half-open.

    codes: uint8[n]; unit: uint8[p]; positions: int32[n], of the alignment of one to the other (`alignment.align`).
    confidence: how probable it must be, at either end, that no more than TOLERANCE bases beyond it are told as repeat;
        0.5 to below 1.

    Columns of the alignment have log odds under the repeat's own rate of errors against independent bases. The stretch
    with the highest sum (Karlin & Altschul 1990) is where the repeat is. Every place outside of its middle may be where
    it begins (ends), as probable as the odds of all that it would then hold; where that leaves much open, as in a
    diverged repeat, the stretch is cut back.
    """
    n = codes.shape[0]
    start, end = 0, n
    odds = np.empty(n)
    for _ in range(ROUNDS):
        rate = error_rate(codes, unit, positions, start, end)
        log_odds(codes, unit, positions, min(max(rate, LEAST_ERRORS), MOST_ERRORS), odds)
        start, end = best_stretch(odds)
    middle = (start + end) // 2
    before, behind = reach(odds[:middle][::-1].copy(), confidence), reach(odds[middle:], confidence)
    return max(start, middle - before - TOLERANCE), min(end, middle + behind + TOLERANCE)


@njit(nogil=True, cache=True, inline="always")
def log_odds(codes, unit, positions, rate, out):
    """Fill ``out`` float64[n] with the bits of each base's columns, where columns are errors at this rate."""
    match, error = np.log2(4 * (1 - rate)), np.log2(4 * rate / 3)
    last = -1
    for i in range(codes.shape[0]):
        j = positions[i]
        if j < 0:
            out[i] = error - GAP_BITS
            continue
        out[i] = match if codes[i] == unit[j] and codes[i] < 4 else error
        skipped = deleted_before(last, j, unit.shape[0])
        if skipped:
            out[i] += error - GAP_BITS - DELETED_BITS * (skipped - 1)
        last = j


@njit(nogil=True, cache=True, inline="always")
def best_stretch(odds):
    """(start, end) of the stretch with the highest sum; the whole, if none is positive."""
    best = total = 0.0
    best_start, best_end, first = 0, odds.shape[0], 0
    for i in range(odds.shape[0]):
        total += odds[i]
        if total <= 0:
            total, first = 0.0, i + 1
        elif total > best:
            best, best_start, best_end = total, first, i + 1
    return best_start, best_end


@njit(nogil=True, cache=True)
def reach(odds, confidence):
    """How many bases, from the first on, belong to a repeat with this confidence or more."""
    n = odds.shape[0]
    weights = np.zeros(n + 1)  # first the sums of the odds
    most = 0.0
    for i in range(n):
        weights[i + 1] = weights[i] + odds[i]
        most = max(most, weights[i + 1])
    total = beyond = 0.0
    for i in range(n + 1):
        weights[i] = np.exp2(weights[i] - most)
        total += weights[i]
    for size in range(n, 0, -1):
        beyond += weights[size]
        if beyond >= confidence * total:
            return size
    return 0


@njit(nogil=True, cache=True, inline="always")
def deleted_before(last, j, size):
    """Positions of a unit of ``size`` bases between two that neighbours are aligned to; ``last`` is -1 for none."""
    if last < 0:
        return 0
    return j - last - 1 if j > last else j - last - 1 + size


@njit(nogil=True, cache=True, inline="always")
def error_rate(codes, unit, positions, start, end):
    """Share of mismatches, insertions and deletions in the columns of the bases [start, end); one match and one error
    are added, so that a few bases without an error do not promise that there is none."""
    errors, columns, last = 1, 2, -1
    for i in range(start, end):
        j = positions[i]
        columns += 1
        if j < 0:
            errors += 1
            continue
        skipped = deleted_before(last, j, unit.shape[0])
        errors += skipped + (codes[i] != unit[j])
        columns += skipped
        last = j
    return errors / columns
