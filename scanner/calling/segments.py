"""Where the unit changes along a call: its segments.

A call of up to WINDOW bases is aligned to its unit. Where the alignment fails over a stretch that tells in fewer bits
as a repeat of another unit, the call is split. A longer call is walked along in blocks, each of which is compared with
itself at the lags of the current unit; where that no longer holds, a window is looked at as a short call would be.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from .alignment import LONGEST, align, saved_bits
from .unit import MONOMER_IDENTITY, find_unit, same_unit

WINDOW = 2048
"""Calls up to this many bases are aligned whole; longer ones in windows of this size (or as long as the unit needs)."""

BLOCK = 256
"""Bases of a long call that are compared with what lies a period before."""

HELD = 0.47
"""Share of a block's bases that agree with a base one or two periods before, while the unit holds."""

REPETITIVE = 0.12
"""Bits a base that a window must save to be told by a unit at all, or else a larger window is tried."""

SPLIT_BITS = 30.0
"""Bits that the parts must save over the whole, all units told, for a call to be split."""

SMALLEST = 16
"""Fewest bases of a segment of a compound call."""

WORST_WEIGHT = 12
"""Weight of the worst stretch (see `worst_stretch`) from which on a split is tried."""

MIXED, MIXED_COPIES = 0.8, 8
"""A unit of this many copies or more that matches in no more than this share of the columns, and nowhere worse than
elsewhere, may be a mixture of two: the unit of the second half is then looked at instead."""

ALONE_BITS = 20.0
"""Bits that the first or last segment of a compound call must save by its own unit to be one. What saves less is what
scores that fade out have added to the repeat beside it."""

MOST = 64
"""Most segments of a window."""


@njit(nogil=True, cache=True)
def worst_stretch(codes, unit, positions):
    """(start, end, weight) of the stretch that agrees worst with an alignment: the highest sum of 2 for every mismatch,
    insertion and run of deletions and -1 for every match. Above a third of errors the sum grows."""
    best, best_start, best_end = 0, 0, 0
    weight, start, last = 0, 0, -1
    for i in range(codes.shape[0]):
        j = positions[i]
        if j < 0:
            weight += 2
        else:
            if last >= 0 and j != last + 1 and not (j == 0 and last == unit.shape[0] - 1):
                weight += 2
            if codes[i] < 4:
                weight += -1 if codes[i] == unit[j] else 2
            last = j
        if weight <= 0:
            weight, start = 0, i + 1
        elif weight > best:
            best, best_start, best_end = weight, start, i + 1
    return best_start, best_end, best


@njit(nogil=True, cache=True, inline="always")
def stretch_bits(size, weight, events):
    """About how many bits it takes to tell the worst stretch, of ``size`` bases, in an alignment with these events."""
    errors, columns = (size + weight) / 3, events.sum()
    wrong = max(1, columns - events[0])
    bits = errors * (1.584962500721156 + np.log2(columns / wrong))
    return bits + (size - errors) * np.log2(columns / max(1, events[0]))


@njit(nogil=True, cache=True)
def errors_before(codes, unit):
    """int32[n + 1]: how many errors an alignment to ``unit`` has in the first 0, 1, ... n bases."""
    n, p = codes.shape[0], unit.shape[0]
    positions, _ = align(codes, unit)
    errors = np.zeros(n + 1, dtype=np.int32)
    last = -1
    for i in range(n):
        j = positions[i]
        if j < 0:
            wrong = 1
        else:
            wrong = int(codes[i] != unit[j] or codes[i] > 3)
            if last >= 0:
                wrong += j - last - 1 if j > last else j - last - 1 + p
            last = j
        errors[i + 1] = errors[i] + wrong
    return errors


@njit(nogil=True, cache=True)
def border(codes, unit, other):
    """Where in ``codes`` it is best to change from the left unit to the right one: the number of bases on the left."""
    n = codes.shape[0]
    left = errors_before(codes, unit)
    right = errors_before(codes[::-1].copy(), other[::-1].copy())
    best = 0
    for i in range(n + 1):
        if left[i] + right[n - i] < left[best] + right[n - best]:
            best = i
    return best


@njit(nogil=True, cache=True, inline="always")
def grown_together(codes, place, size, other_size):
    """Whether the copies before and behind ``place`` are neighbours in one array that drifted, not two arrays."""
    if abs(size - other_size) > 1 + size // 20 or size < 7 or place < size or place + size > codes.shape[0]:
        return False
    _, events = align(codes[place - size : place], codes[place : place + size])
    return events[0] >= MONOMER_IDENTITY * events.sum()


@njit(nogil=True, cache=True, inline="always")
def split_once(codes, unit, positions, events):
    """(first, last): the part of ``codes`` that is a repeat of its own; the whole, where nothing is to be split.

    Either border may be one of the ends. The other arguments as `find_unit` gives them.
    """
    n = codes.shape[0]
    whole = saved_bits(events, unit.shape[0])
    start, end, weight = worst_stretch(codes, unit, positions)
    several = n >= max(4 * SMALLEST, MIXED_COPIES * unit.shape[0])
    if weight < WORST_WEIGHT and several and events[0] <= MIXED * events.sum():
        unit, _, _ = find_unit(codes[n // 2 :])
        start, end, weight = worst_stretch(codes, unit, align(codes, unit)[0])
    if weight < WORST_WEIGHT or end - start < SMALLEST:
        return 0, n
    other, _, other_events = find_unit(codes[start:end])
    saved = saved_bits(other_events, other.shape[0])
    if saved <= 0 or saved < 2.0 * (end - start) - stretch_bits(end - start, weight, events) + SPLIT_BITS / 2:
        return 0, n
    if same_unit(unit, other):
        return 0, n
    first, last = 0, n
    reach = 40 + 2 * min(unit.shape[0] + other.shape[0], 300)
    middle = (start + end) // 2
    if start >= SMALLEST:
        begin = max(0, start - reach)
        first = begin + border(codes[begin:middle], unit, other)
    if n - end >= SMALLEST:
        last = middle + border(codes[middle : min(n, end + reach)], other, unit)
    if first < SMALLEST:
        first = 0
    if n - last < SMALLEST:
        last = n
    if last - first < SMALLEST or last - first == n:
        return 0, n
    for place in (first, last):
        if 0 < place < n and grown_together(codes, place, unit.shape[0], other.shape[0]):
            return 0, n
    saved = -whole
    for begin, stop in ((0, first), (first, last), (last, n)):
        if stop > begin:
            part, _, part_events = find_unit(codes[begin:stop])
            saved += saved_bits(part_events, part.shape[0])
    return (first, last) if saved >= SPLIT_BITS else (0, n)


@njit(nogil=True, cache=True)
def split_window(codes):
    """(borders, units, saved) of the segments of a window.

    Borders: int64[segments + 1], from 0 to its length; units: a list of uint8[...]; saved: float64[segments], the bits
    a base that each unit saves.
    """
    borders = np.zeros(MOST + 3, dtype=np.int64)
    borders[1] = codes.shape[0]
    saved = np.zeros(MOST + 2)
    units = [codes[:0].copy()]
    size, k = 1, 0
    while k < size:
        begin, stop = borders[k], borders[k + 1]
        unit, positions, events = find_unit(codes[begin:stop])
        first, last = 0, stop - begin
        if size < MOST:
            first, last = split_once(codes[begin:stop], unit, positions, events)
        added = int(first > 0) + int(last < stop - begin)
        if not added:
            units.append(unit)
            saved[k] = saved_bits(events, unit.shape[0]) / (stop - begin)
            k += 1
            continue
        for one in range(size, k, -1):
            borders[one + added] = borders[one]
        if first > 0:
            borders[k + 1] = begin + first
        if last < stop - begin:
            borders[k + added] = begin + last
        size += added
    return borders[: size + 1], units[1:], saved[:size]


@njit(nogil=True, cache=True, inline="always")
def holds(codes, start, end, unit):
    """Whether the bases [start, end) agree with those one or two periods before, or about so, or else with the unit."""
    period = unit.shape[0]
    reach = 2 + period // 100
    for copies in (1, 2):
        for turn in range(2 * reach + 1):  # the period itself first
            lag = copies * period + (turn + 1) // 2 * (1 if turn % 2 else -1)
            if not 0 < lag <= start:
                continue
            same = 0
            for i in range(start, end):
                same += codes[i] == codes[i - lag]
            if same >= HELD * (end - start):
                return True
    _, events = align(codes[start:end], unit)
    return events[0] >= MONOMER_IDENTITY * events.sum()


@njit(nogil=True, cache=True, inline="always")
def split_long(codes):
    """(borders, units) of the segments of a call longer than WINDOW, as of `split_window`."""
    n = codes.shape[0]
    size, place = 1, 0
    borders = np.zeros(n // SMALLEST + 2, dtype=np.int64)
    units = [codes[:0].copy()]
    while place < n:
        if place and holds(codes, place, min(n, place + BLOCK), units[-1]):
            place += BLOCK
            continue
        begin = max(borders[size - 1], place - 2 * BLOCK)
        end = min(n, begin + WINDOW)
        parts, found, saved = split_window(codes[begin:end])
        if len(found) == 1 and saved[0] < REPETITIVE and begin + WINDOW < n:
            end = min(n, begin + LONGEST)
            parts, found, saved = split_window(codes[begin:end])
        for k in range(len(found)):
            start = begin + parts[k]
            if start == 0:
                units.append(found[k])
            elif saved[k] >= REPETITIVE and not same_unit(units[-1], found[k]):
                if start > borders[size - 1]:
                    borders[size] = start
                    size += 1
                    units.append(found[k])
                else:
                    units[-1] = found[k]
        place = end
    borders[size] = n
    return borders[: size + 1], units[1:]


@njit(nogil=True, cache=True, inline="always")
def outermost(codes, borders, units, min_length):
    """(first, last): the segments of a call without those at its ends that are no repeats, [first, last).

    codes: uint8[n]; borders and units as of `split_window`. A segment at an end must have ``min_length`` bases and save
    ALONE_BITS; the last one that is left need not.
    """
    first, last = 0, borders.shape[0] - 1
    while last - first > 1 and not _stands_alone(codes[borders[first] : borders[first + 1]], units[first], min_length):
        first += 1
    while last - first > 1 and not _stands_alone(codes[borders[last - 1] : borders[last]], units[last - 1], min_length):
        last -= 1
    return first, last


@njit(nogil=True, cache=True, inline="always")
def _stands_alone(codes, unit, min_length):
    if codes.shape[0] > WINDOW:
        return True
    return codes.shape[0] >= min_length and saved_bits(align(codes, unit)[1], unit.shape[0]) >= ALONE_BITS
