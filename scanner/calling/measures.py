"""What TRF and the UCSC table simpleRepeat tell of a tandem repeat, from its alignment to its unit."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(nogil=True, cache=True)
def percent(part, whole):
    """A share in whole percent, halves rounded up; 0 of nothing."""
    return (200 * part + whole) // (2 * whole) if whole else 0


@njit(nogil=True, cache=True, inline="always")
def composition(codes):
    """(int64[4] of bases A, C, G, T; entropy of their shares in hundredths of a bit)."""
    numbers = np.zeros(5, dtype=np.int64)
    for code in codes:
        numbers[min(code, np.uint8(4))] += 1
    known = numbers[:4].sum()
    entropy = 0.0
    for number in numbers[:4]:
        if number:
            entropy += number / known * np.log2(known / number)
    return numbers[:4], int(100 * entropy + 0.5)


@njit(nogil=True, cache=True, inline="always")
def adjacent_copies(codes, positions, size):
    """How adjacent copies agree: (distance, matches, mismatches, indels), in columns of the alignment.

    ``positions`` as of `align` for a unit of ``size`` bases. A column is a position of the unit in two adjacent copies
    of which at least one has a base, or a base inserted behind it in one of them only. The distance is the most common
    one, in bases, between the two bases of a match; of several the one nearest to ``size``, then the shorter.
    """
    n = codes.shape[0]
    columns = np.empty(n, dtype=np.int64)  # of the endless row of copies
    column, last = -1, -1
    for i in range(n):
        j = positions[i]
        if j >= 0:
            column = j if last < 0 else column + 1 + (j - last - 1 if j > last else j - last - 1 + size)
            last = j
        columns[i] = column
    first = 0
    while first < n and positions[first] < 0:
        first += 1
    if first == n:
        return size, 0, 0, 0
    begin, width = columns[first], columns[n - 1] + 1 - columns[first]
    where = np.full(width, -1, dtype=np.int64)
    inserted = np.zeros(width, dtype=np.int32)
    for i in range(first, n):
        if positions[i] >= 0:
            where[columns[i] - begin] = i
        else:
            inserted[columns[i] - begin] += 1
    matches = mismatches = indels = 0
    distances = np.zeros(2 * size + 2, dtype=np.int32)
    for one in range(width - size):
        here, there = where[one], where[one + size]
        extra = abs(inserted[one] - inserted[one + size])
        both = min(inserted[one], inserted[one + size])
        indels += extra
        for k in range(both):
            # What is inserted lies right behind the column's base, or behind the last base before a deleted column.
            if here >= 0 and there >= 0 and codes[here + 1 + k] == codes[there + 1 + k]:
                matches += 1
            else:
                mismatches += 1
        if here >= 0 and there >= 0:
            if codes[here] == codes[there] and codes[here] < 4:
                matches += 1
                distances[min(there - here, 2 * size + 1)] += 1
            else:
                mismatches += 1
        elif here >= 0 or there >= 0:
            indels += 1
    period = size
    for away in range(1, size + 1):
        if distances[size - away] > distances[period]:
            period = size - away
        if size + away <= 2 * size and distances[size + away] > distances[period]:
            period = size + away
    return period, matches, mismatches, indels
