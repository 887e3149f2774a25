"""What the tandem repeats of a genome are: period, unit, copies and name of every call, as columns of the track."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from .columns import Column
from .fit import fit_segment
from .measures import composition, percent
from .satellites import Satellites, find_satellite
from .segments import WINDOW, outermost, split_long, split_window
from .unit import same_unit

SEGMENT = np.dtype(
    [
        ("call", "i8"),
        ("start", "i8"),
        ("end", "i8"),
        ("period", "i4"),
        ("copies", "i4"),
        ("consensus_size", "i4"),
        ("match", "i2"),
        ("indel", "i2"),
        ("purity", "i2"),
        ("a", "i2"),
        ("c", "i2"),
        ("g", "i2"),
        ("t", "i2"),
        ("entropy", "i2"),
        ("name", "i2"),
        ("unit_start", "i8"),
        ("unit_end", "i8"),
    ]
)
"""One repeat: the index of its call; start and end in bases of the contig, 0-based half-open; period in bases; copies
in tenths; size of the consensus in bases; matches and indels between adjacent copies, agreement with the consensus and
composition in percent; entropy in hundredths of a bit; index into the satellites' names, -1 for none; and its
consensus, ``letters[unit_start:unit_end]``."""


PART = np.dtype([("call", "i8"), ("start", "i8"), ("end", "i8"), ("unit_size", "i8"), ("opens", "?"), ("closes", "?")])
"""A segment before it is told: the index of its call, where it is, 0-based half-open; the bases of the unit that it was
found by; whether its start and its end are where its call's scores faded out."""


class Annotation(NamedTuple):
    """Segments (SEGMENT, in order of call and start), and the letters of their units: uint8, ASCII."""

    segments: np.ndarray
    letters: np.ndarray


COLUMNS = (
    Column("period", "uint", "Length of repeat unit"),
    Column("copyNum", "float", "Mean number of copies of repeat"),
    Column("consensusSize", "uint", "Length of consensus sequence"),
    Column("perMatch", "uint", "Percentage match between adjacent copies"),
    Column("perIndel", "uint", "Percentage indel between adjacent copies"),
    Column("purity", "uint", "Percentage of bases that agree with the consensus"),
    Column("A", "uint", "Percent of A's in repeat"),
    Column("C", "uint", "Percent of C's in repeat"),
    Column("G", "uint", "Percent of G's in repeat"),
    Column("T", "uint", "Percent of T's in repeat"),
    Column("entropy", "float", "Entropy in bits"),
    Column("sequence", "lstring", "Consensus of the repeat unit"),
)
"""What follows BED6, named as UCSC names it in simpleRepeat; purity is ours."""

SPAN = 1 << 20
"""Most bases that are read at a time."""

GAP = 1 << 14
"""Calls at most this many bases apart are read together."""

_LETTERS = np.frombuffer(b"ACGTN", dtype=np.uint8)

Read = Callable[[int, int], np.ndarray]


def annotate(
    read: Read,
    starts: np.ndarray,
    ends: np.ndarray,
    satellites: Satellites,
    min_length: int = 1,
    confidence: float = 0.8,
) -> Annotation:
    """What the calls of one contig are, each of which depends on its own bases alone.

    read: ``read(start, end)`` gives the bases [start, end) of the contig as uint8 codes, 0-3 for A, C, G, T, above for
    N. starts, ends: int64[calls], 0-based half-open, sorted and disjoint. The segments of a call lie one behind the
    other, from where in the call its repeat begins to where it ends with this ``confidence``, 0.5 to below 1 (see
    `borders`). A call of one segment that is then shorter than ``min_length`` has none.
    """
    library = (satellites.rings, satellites.bounds, satellites.owners, satellites.words, satellites.holders)
    found = []
    first = 0
    while first < len(starts):
        last = first + 1
        while last < len(starts) and starts[last] - ends[last - 1] <= GAP and ends[last] - starts[first] <= SPAN:
            last += 1
        begin, end = int(starts[first]), int(ends[last - 1])
        if end - begin <= SPAN:
            codes = np.ascontiguousarray(read(begin, end))
            places = starts[first:last] - begin, ends[first:last] - begin
            rows, units = annotate_span(codes, *places, library, min_length, confidence)
        else:
            rows, units = annotate_giant(read, begin, end, library, confidence)
        rows["call"] += first
        rows["start"] += begin
        rows["end"] += begin
        found.append((rows, units))
        first = last
    return _join(found)


def annotate_giant(
    read: Read, begin: int, end: int, library: tuple, confidence: float
) -> tuple[np.ndarray, np.ndarray]:
    """As `annotate_span` for a call longer than SPAN, one stretch of SPAN bases after the other.

    Segments that meet where two stretches do are one if their units are variants of each other: it is told by the
    larger of the two.
    """
    pieces = []
    for start in range(begin, end, SPAN):
        stop = min(end, start + SPAN)
        codes = np.ascontiguousarray(read(start, stop))
        places = np.zeros(1, dtype=np.int64), np.array([stop - start])
        rows, units = annotate_span(codes, *places, library, 1, confidence, start == begin, stop == end)
        cuts = np.cumsum(rows["consensus_size"])
        parts = list(zip(rows, np.split(units, cuts[:-1]), strict=True))
        for row, _ in parts:
            row["start"] += start - begin
            row["end"] += start - begin
        if pieces and same_unit(pieces[-1][1], parts[0][1]):
            pieces[-1] = _merge(pieces[-1], parts.pop(0))
        pieces += parts
    return np.array([row for row, _ in pieces], dtype=SEGMENT), np.concatenate([unit for _, unit in pieces])


def _merge(left, right):
    """One segment of two that meet, as (row, unit)."""
    larger, unit = max(left, right, key=lambda piece: int(piece[0]["end"] - piece[0]["start"]))
    row = larger.copy()
    length = int(row["end"] - row["start"])
    row["start"], row["end"] = left[0]["start"], right[0]["end"]
    row["copies"] = round(int(row["copies"]) * int(row["end"] - row["start"]) / length)
    return row, unit


def _join(found) -> Annotation:
    if not found:
        return Annotation(np.empty(0, dtype=SEGMENT), np.empty(0, dtype=np.uint8))
    segments = np.concatenate([rows for rows, _ in found])
    sizes = segments["consensus_size"].astype(np.int64)
    segments["unit_end"] = np.cumsum(sizes)
    segments["unit_start"] = segments["unit_end"] - sizes
    return Annotation(segments, _LETTERS[np.concatenate([units for _, units in found])])


def annotate_span(
    codes: np.ndarray,
    starts: np.ndarray,
    ends: np.ndarray,
    library: tuple,
    min_length: int,
    confidence: float,
    begins: bool = True,
    stops: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """(SEGMENT rows with positions from the span's start, codes of their units one behind the other).

    ``begins`` and ``stops``: whether the calls begin and end at their starts and ends, and are not parts of a longer.
    """
    # Two compiled functions, one after the other: Numba optimises a function anew with all that it calls, and one that
    # calls both would take longer to compile than they do.
    parts, units = split_span(codes, starts, ends, min_length, begins, stops)
    return tell_span(codes, parts, units, *library, min_length, confidence)


@njit(nogil=True, cache=True)
def split_span(codes, starts, ends, min_length, begins, stops):
    """The segments of calls: (PART rows, codes of the units that they were found by, one behind the other)."""
    parts = np.zeros(starts.shape[0] + 16, dtype=PART)
    units = np.empty(1024, dtype=np.uint8)
    number = size = 0
    for call in range(starts.shape[0]):
        sequence = codes[starts[call] : ends[call]]
        if sequence.shape[0] <= WINDOW:
            borders, found, _ = split_window(sequence)
        else:
            borders, found = split_long(sequence)
        first, last = outermost(sequence, borders, found, min_length)
        if not begins:
            first = 0
        if not stops:
            last = borders.shape[0] - 1
        for place in range(first, last):
            unit = found[place]
            if number == parts.shape[0]:
                parts = grown(parts, 2 * number)
            if size + unit.shape[0] > units.shape[0]:
                units = grown(units, 2 * (size + unit.shape[0]))
            part = parts[number]
            part["call"] = call
            part["start"], part["end"] = starts[call] + borders[place], starts[call] + borders[place + 1]
            part["opens"], part["closes"] = begins and place == first, stops and place == last - 1
            part["unit_size"] = unit.shape[0]
            for j in range(unit.shape[0]):
                units[size + j] = unit[j]
            size += unit.shape[0]
            number += 1
    return parts[:number], units[:size]


@njit(nogil=True, cache=True)
def tell_span(codes, parts, units, rings, bounds, owners, words, holders, min_length, confidence):
    """`annotate_span` of calls that are split. A call of one segment that is shorter than ``min_length`` has none."""
    rows = np.zeros(parts.shape[0], dtype=SEGMENT)
    told = np.empty(units.shape[0] + 64, dtype=np.uint8)
    number = size = used = 0
    for part in parts:
        unit = units[used : used + part["unit_size"]]
        used += part["unit_size"]
        bases = codes[part["start"] : part["end"]]
        start, end, unit, counts = fit_segment(bases, unit, part["opens"], part["closes"], confidence)
        if part["opens"] and part["closes"] and end - start < min_length:
            continue
        p = unit.shape[0]
        if size + p > told.shape[0]:
            told = grown(told, 2 * (size + p))
        row = rows[number]
        row["call"], row["start"], row["end"] = part["call"], part["start"] + start, part["start"] + end
        fill_row(row, bases[start:end], p, counts)
        row["name"] = find_satellite(unit, rings, bounds, owners, words, holders)
        for j in range(p):
            told[size + j] = unit[j]
        size += p
        number += 1
    return rows[:number], told[:size]


@njit(nogil=True, cache=True)
def grown(values, size):
    """An array of ``size`` that begins with the values."""
    larger = np.zeros(size, dtype=values.dtype)
    for i in range(values.shape[0]):
        larger[i] = values[i]
    return larger


@njit(nogil=True, cache=True, inline="always")
def fill_row(row, codes, size, counts):
    """The columns of a segment, from its bases, the size of its unit and the counts of `fit_segment`."""
    numbers, entropy = composition(codes)
    matches, mismatches, _, _, aligned, same, different, indels, period, _ = counts
    row["period"], row["consensus_size"] = period, size
    row["copies"] = percent((matches + mismatches) * codes.shape[0], 10 * size * aligned)
    columns = same + different + indels
    row["match"], row["indel"] = percent(same, columns), percent(indels, columns)
    row["purity"] = percent(matches, aligned)
    known = numbers.sum()
    row["a"], row["c"] = percent(numbers[0], known), percent(numbers[1], known)
    row["g"], row["t"] = percent(numbers[2], known), percent(numbers[3], known)
    row["entropy"] = entropy
