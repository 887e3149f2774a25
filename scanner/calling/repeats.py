"""What a tandem repeat is: its period, copies and consensus. (A stand-in: whole stretches of 1,000 bases, period 1.)"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .satellites import Satellites

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


class Column(NamedTuple):
    name: str
    kind: str
    text: str


COLUMNS = (
    Column("period", "uint", "Length of repeat unit"),
    Column("copyNum", "float", "Mean number of copies of repeat"),
    Column("consensusSize", "uint", "Length of consensus sequence"),
    Column("perMatch", "uint", "Percentage match"),
    Column("perIndel", "uint", "Percentage indel"),
    Column("purity", "uint", "Percentage of bases that are the consensus's"),
    Column("A", "uint", "Percent of A's in repeat unit"),
    Column("C", "uint", "Percent of C's in repeat unit"),
    Column("G", "uint", "Percent of G's in repeat unit"),
    Column("T", "uint", "Percent of T's in repeat unit"),
    Column("entropy", "float", "Entropy"),
    Column("sequence", "lstring", "Sequence of repeat unit element"),
)


class Annotation(NamedTuple):
    segments: np.ndarray
    letters: np.ndarray


def annotate(
    read: Callable[[int, int], np.ndarray], starts: np.ndarray, ends: np.ndarray, satellites: Satellites
) -> Annotation:
    rows, letters, at = [], [], 0
    for call, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True)):
        for first in range(start, end, 1000):
            last = min(end, first + 1000)
            counts = np.bincount(read(first, last), minlength=5)
            shares = (100 * counts[:4] // (last - first)).tolist()
            unit = np.frombuffer(b"ACGTN", dtype=np.uint8)[read(first, min(first + 3, last))]
            copies = 10 * (last - first) // len(unit)
            text = np.frombuffer(b"ACGTN", dtype=np.uint8)[read(first, last)].tobytes().decode()
            name = next((i for i, one in enumerate(satellites.units) if text.startswith(one)), -1)
            rows.append((call, first, last, 1, copies, len(unit), 100, 0, 90, *shares, 150, name, at, at + len(unit)))
            letters.append(unit)
            at += len(unit)
    joined = np.concatenate([np.empty(0, np.uint8), *letters])
    return Annotation(np.array(rows, dtype=SEGMENT), joined)
