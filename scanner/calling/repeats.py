"""What the tandem repeats of a genome are: period, unit, copies and name of every call, as columns of the track."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from .alignment import LONGEST
from .measures import adjacent_copies, composition, percent
from .satellites import Satellites, find_satellite
from .unit import find_unit

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
"""One repeat: the index of its call; start and end in bases of the contig, 0-based half-open; period in bases; copies in
tenths; size of the consensus in bases; matches and indels between adjacent copies, agreement with the consensus and
composition in percent; entropy in hundredths of a bit; index into the satellites' names, -1 for none; and its consensus,
``letters[unit_start:unit_end]``."""


class Annotation(NamedTuple):
    """Segments (SEGMENT, in order of call and start), and the letters of their units: uint8, ASCII."""

    segments: np.ndarray
    letters: np.ndarray


class Column(NamedTuple):
    """A column of the track: its name, its autoSql type and its autoSql comment."""

    name: str
    kind: str
    text: str


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


def annotate(read: Read, starts: np.ndarray, ends: np.ndarray, satellites: Satellites) -> Annotation:
    """What the calls of one contig are, each of which depends on its own bases alone.

    read: ``read(start, end)`` gives the bases [start, end) of the contig as uint8 codes, 0-3 for A, C, G, T, above for N.
    starts, ends: int64[calls], 0-based half-open, sorted and disjoint. The segments of a call lie one behind the other
    from its start to its end.
    """
    library = (
        satellites.rings,
        satellites.bounds,
        satellites.owners,
        satellites.words,
        satellites.holders,
    )
    found = []
    first = 0
    while first < len(starts):
        last = first + 1
        while last < len(starts) and starts[last] - ends[last - 1] <= GAP and ends[last] - starts[first] <= SPAN:
            last += 1
        begin = int(starts[first])
        codes = np.ascontiguousarray(read(begin, min(int(ends[last - 1]), begin + SPAN)))
        rows, units = _annotate_span(codes, starts[first:last] - begin, ends[first:last] - begin, *library)
        rows["call"] += first
        rows["start"] += begin
        rows["end"] += begin
        found.append((rows, units))
        first = last
    return _join(found)


def _join(found) -> Annotation:
    if not found:
        return Annotation(np.empty(0, dtype=SEGMENT), np.empty(0, dtype=np.uint8))
    segments = np.concatenate([rows for rows, _ in found])
    sizes = segments["consensus_size"].astype(np.int64)
    segments["unit_end"] = np.cumsum(sizes)
    segments["unit_start"] = segments["unit_end"] - sizes
    return Annotation(segments, _LETTERS[np.concatenate([units for _, units in found])])


@njit(nogil=True, cache=True)
def _annotate_span(codes, starts, ends, rings, bounds, owners, words, holders):
    """(SEGMENT rows with positions from the span's start, codes of their units one behind the other)."""
    rows = np.zeros(starts.shape[0], dtype=SEGMENT)
    units = np.empty(1024, dtype=np.uint8)
    size = 0
    for call in range(starts.shape[0]):
        sequence = codes[starts[call] : min(ends[call], starts[call] + LONGEST)]
        unit, positions, events = find_unit(sequence)
        p = unit.shape[0]
        period, matches, mismatches, indels = adjacent_copies(sequence, positions, p)
        numbers, entropy = composition(sequence)
        row = rows[call]
        row["call"], row["start"], row["end"] = call, starts[call], ends[call]
        row["period"], row["consensus_size"] = period, p
        row["copies"] = (20 * (events[0] + events[1]) + p) // (2 * p)
        columns = matches + mismatches + indels
        row["match"], row["indel"] = percent(matches, columns), percent(indels, columns)
        row["purity"] = percent(events[0], sequence.shape[0])
        known = numbers.sum()
        row["a"], row["c"] = percent(numbers[0], known), percent(numbers[1], known)
        row["g"], row["t"] = percent(numbers[2], known), percent(numbers[3], known)
        row["entropy"] = entropy
        row["name"] = find_satellite(unit, rings, bounds, owners, words, holders)
        while size + p > units.shape[0]:
            units = np.concatenate((units, np.empty_like(units)))
        units[size : size + p] = unit
        size += p
    return rows, units[:size]
