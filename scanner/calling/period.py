"""Candidate periods: how often a sequence matches itself at every lag, counted 64 bases at a time."""

from __future__ import annotations

import numpy as np
from numba import njit, types
from numba.extending import intrinsic

LONGEST_PERIOD = 4096
"""Longest period in bases that is looked for."""


CANDIDATES = 4
"""Most lags of either kind (see `candidate_periods`) that are tried by alignment."""


MULTIPLE_SHARE = 0.8
"""A lag is no candidate if a lag of which it is a multiple saves this share of the bits that it saves itself."""


@intrinsic
def _ones(typingctx, word):
    """Number of bits set in a 64-bit word."""

    def codegen(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.uint64(types.uint64), codegen


@njit(nogil=True, cache=True, inline="always")
def bit_planes(codes):
    """uint64[3, words]: low bits, high bits and which bases are known; one bit a base, zeros behind the end."""
    n = codes.shape[0]
    planes = np.zeros((3, (n >> 6) + 2), dtype=np.uint64)
    for word in range((n + 63) >> 6):
        low, high, known = np.uint64(0), np.uint64(0), np.uint64(0)
        first = word << 6
        for i in range(min(64, n - first)):
            code = codes[first + i]
            place = np.uint64(i)
            low |= np.uint64(code & 1) << place
            high |= np.uint64((code >> 1) & 1) << place
            known |= np.uint64(code < 4) << place
        planes[0, word], planes[1, word], planes[2, word] = low, high, known
    return planes


@njit(nogil=True, cache=True)
def matches_at(planes, lag):
    """(bases i with s[i] == s[i + lag], starts of four such bases in a row), counted; both integers.

    Of four in a row those that lie across the border of two words are not seen.
    """
    skip = lag >> 6
    right = np.uint64(lag & 63)
    left = np.uint64(63) - right
    words = planes.shape[1] - 1 - skip
    one = np.uint64(1)
    low, high, known = planes[0, :words], planes[1, :words], planes[2, :words]
    low_0, high_0, known_0 = planes[0, skip : skip + words], planes[1, skip : skip + words], planes[2, skip:][:words]
    low_1, high_1, known_1 = planes[0, skip + 1 :], planes[1, skip + 1 :], planes[2, skip + 1 :]
    single = np.uint64(0)
    runs = np.uint64(0)
    for word in range(words):
        other_low = (low_0[word] >> right) | ((low_1[word] << one) << left)
        other_high = (high_0[word] >> right) | ((high_1[word] << one) << left)
        other_known = (known_0[word] >> right) | ((known_1[word] << one) << left)
        match = ~((low[word] ^ other_low) | (high[word] ^ other_high)) & known[word] & other_known
        single += _ones(match)
        match &= match >> one
        runs += _ones(match & (match >> np.uint64(2)))
    return np.int64(single), np.int64(runs)


@njit(nogil=True, cache=True, inline="always")
def lag_matches(planes, longest):
    """int32[longest + 1, 2]: what `matches_at` counts at every lag from 1 to ``longest``."""
    counts = np.zeros((longest + 1, 2), dtype=np.int32)
    for lag in range(1, longest + 1):
        single, runs = matches_at(planes, lag)
        counts[lag, 0] = single
        counts[lag, 1] = runs
    return counts


@njit(nogil=True, cache=True)
def longest_lag(n):
    """The longest lag that can be the period of a call of n bases: two copies, of which the edges may be off a
    little."""
    return max(1, min(LONGEST_PERIOD, n - 1, (3 * n) // 5 + 6))


@njit(nogil=True, cache=True)
def lag_bits(matches, pairs):
    """Bits saved by telling ``pairs`` bases as copies of those one lag before, of which ``matches`` agree."""
    if 4 * matches <= pairs or pairs == 0:
        return 0.0
    differ = pairs - matches
    cost = 1.584962500721156 * differ
    if differ:
        cost += matches * np.log2(pairs / matches) + differ * np.log2(pairs / differ)
    return 2.0 * pairs - cost


@njit(nogil=True, cache=True, inline="always")
def candidate_periods(counts, n):
    """Lags that may be the period, most promising first: int64[at most 2 * CANDIDATES].

    Of two kinds: lags whose matches save the most bits, and (from lag 12 on) those around which, within one base and 2
    % of the lag, most runs of four matches lie, because insertions and deletions spread the matches of one period over
    several lags. A lag is left out that saves less than half of what the best of its kind saves, or less than a quarter
    if it is so short that it could be the monomer of the best.
    """
    longest = counts.shape[0] - 1
    bits = np.zeros(longest + 1)
    for lag in range(1, longest + 1):
        bits[lag] = lag_bits(counts[lag, 0], n - lag)
    runs = run_excess(counts, n)
    found = np.zeros(2 * CANDIDATES, dtype=np.int64)
    size = 0
    top = int(np.argmax(bits))
    best, most = top, bits[top]
    for _ in range(CANDIDATES):
        if bits[best] <= 0 or bits[best] < most * (0.25 if 7 * best < 4 * top else 0.5):
            break
        found[size] = best
        size += 1
        bits[best] = 0
        best = int(np.argmax(bits))
    top = int(np.argmax(runs))
    best, most = top, runs[top]
    for _ in range(CANDIDATES):
        if runs[best] <= 2 or runs[best] < most * (0.25 if 7 * best < 4 * top else 0.5):
            break
        known = False
        for one in found[:size]:
            known |= one == best
        if not known:
            found[size] = best
            size += 1
        reach = 2 * (1 + best // 50)
        runs[max(0, best - reach) : best + reach + 1] = 0
        best = int(np.argmax(runs))
    return without_multiples(found[:size], counts, n)


@njit(nogil=True, cache=True)
def without_multiples(periods, counts, n):
    """Those of ``periods`` that are no multiple (within 2 %) of a shorter one that saves nearly as many bits."""
    kept = np.empty_like(periods)
    size = 0
    for period in periods:
        own = lag_bits(counts[period, 0], n - period)
        needless = False
        for shorter in periods:
            times = (period + shorter // 2) // shorter
            if times > 1 and abs(period - times * shorter) <= period // 50:
                needless |= lag_bits(counts[shorter, 0], n - shorter) >= MULTIPLE_SHARE * own
        if not needless:
            kept[size] = period
            size += 1
    return kept[:size]


@njit(nogil=True, cache=True)
def run_excess(counts, n):
    """How many more runs of four matches lie around each lag than chance puts there: float64[lags + 1]."""
    longest = counts.shape[0] - 1
    sums = np.zeros(longest + 2, dtype=np.int64)
    for lag in range(1, longest + 1):
        sums[lag + 1] = sums[lag] + counts[lag, 1]
    runs = np.zeros(longest + 1)
    for lag in range(12, longest + 1):
        reach = 1 + lag // 50
        first, last = lag - reach, min(longest, lag + reach)
        expected = (n - lag) / 256  # a run of four by chance
        runs[lag] = sums[last + 1] - sums[first] - (last + 1 - first) * expected
        runs[lag] += 0.5 * (counts[lag, 1] - expected)  # of equal surroundings the lag that itself has most
    return runs
