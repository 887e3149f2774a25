"""The unit of one tandem repeat: the period that explains a sequence best, and the consensus of its copies."""

from __future__ import annotations

import numpy as np
from numba import njit

from .alignment import align, count_events, saved_bits, vote
from .period import bit_planes, candidate_periods, lag_matches, longest_lag

CANDIDATES = 4
"""Periods of either kind (see `candidate_periods`) that are tried by alignment."""

ROUNDS = 5
"""Most rounds of alignment and vote; a consensus is rarely still changing after three."""

MONOMER_BITS = 20.0
MONOMER_IDENTITY = 0.65
"""A unit stays the unit against one of about twice its length or more, as monomers do against a higher-order repeat, if
the longer one is itself copies of it: telling it so saves this many bits, and this share of the columns matches."""


@njit(nogil=True, cache=True)
def best_window(codes, period):
    """Start of the ``period`` bases that agree best with the copies before and behind them."""
    n = codes.shape[0]
    matches = np.zeros(n + 1, dtype=np.int32)  # running sums of s[i] == s[i + period]
    for i in range(n):
        same = i + period < n and codes[i] == codes[i + period] and codes[i] < 4
        matches[i + 1] = matches[i] + same
    best, most = 0, -1
    for start in range(n - period + 1):
        ahead = matches[start + period] - matches[start]
        behind = matches[start] - matches[max(0, start - period)]
        if ahead + behind > most:
            best, most = start, ahead + behind
    return best


@njit(nogil=True, cache=True)
def primitive(unit):
    """The shortest unit of which ``unit`` is a whole number of copies."""
    p = unit.shape[0]
    for shorter in range(1, p // 2 + 1):
        if p % shorter:
            continue
        same = True
        for j in range(p - shorter):
            if unit[j] != unit[j + shorter]:
                same = False
                break
        if same:
            return unit[:shorter].copy()
    return unit


@njit(nogil=True, cache=True)
def refine(codes, unit):
    """Align and vote until the unit stays as it is: (unit, positions as of `align`, events as of `count_events`)."""
    for _ in range(ROUNDS):
        positions = align(codes, unit)
        voted = primitive(vote(codes, unit, positions))
        if voted.shape[0] == unit.shape[0] and np.all(voted == unit):
            break
        unit = voted
    else:
        positions = align(codes, unit)
    return unit, positions, count_events(codes, unit, positions)


@njit(nogil=True, cache=True)
def smallest_rotation(unit):
    """How far ``unit`` must be turned left to become the lexicographically smallest of its rotations.

    Booth's problem, by the two-pointer method (Duval 1983; Shiloach 1981).
    """
    p = unit.shape[0]
    i, j, k = 0, 1, 0
    while i < p and j < p and k < p:
        a, b = unit[(i + k) % p], unit[(j + k) % p]
        if a == b:
            k += 1
            continue
        if a > b:
            i += k + 1
        else:
            j += k + 1
        if i == j:
            j += 1
        k = 0
    return min(i, j)


@njit(nogil=True, cache=True)
def is_monomer(unit, longer):
    """Whether ``longer`` is a higher-order repeat of ``unit``: itself copies of it, beyond what happens by chance."""
    events = count_events(longer, unit, align(longer, unit))
    return saved_bits(events, unit.shape[0]) >= MONOMER_BITS and events[0] >= MONOMER_IDENTITY * events.sum()


@njit(nogil=True, cache=True)
def find_unit(codes):
    """The unit of a sequence that is taken to be one tandem repeat.

    ``codes`` uint8[n], 1 <= n <= LONGEST. Returns (unit uint8[p] in its smallest rotation, positions int32[n], events
    int64[4]): see `align` and `count_events`.
    """
    n = codes.shape[0]
    counts = lag_matches(bit_planes(codes), n, longest_lag(n))
    periods = candidate_periods(counts, n, CANDIDATES)
    if periods.shape[0] == 0:
        periods = np.ones(1, dtype=np.int64)
    unit, positions, events = codes[:1], np.zeros(n, dtype=np.int32), np.zeros(4, dtype=np.int64)
    best = -np.inf
    for period in np.sort(periods):
        start = best_window(codes, period)
        other, other_positions, other_events = refine(codes, codes[start : start + period].copy())
        saved = saved_bits(other_events, other.shape[0])
        if best > 0 and 4 * other.shape[0] >= 7 * unit.shape[0] and is_monomer(unit, other):
            continue
        if saved > best:
            unit, positions, events, best = other, other_positions, other_events, saved
    turn = smallest_rotation(unit)
    p = unit.shape[0]
    turned = np.concatenate((unit[turn:], unit[:turn]))
    for i in range(n):
        j = positions[i]
        positions[i] = (j - turn) % p if j >= 0 else -1 - (-1 - j - turn) % p
    return turned, positions, events
