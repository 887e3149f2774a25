"""CpGs of a genome by number, counted as wgbstools does it: from 1, chromosome after chromosome in natural order.

The order is chr1 to chr22 (any digits), X, Y and M, whatever that of the FASTA (`chromosome_order` of wgbstools'
init_genome); other contigs have no numbers.
"""

from __future__ import annotations

import re

import numpy as np
from numba import njit

from ..genome import Genome

BLOCK = 1 << 18
"""Bases between two places whose number is kept."""
_NUMBERED = re.compile(r"(?:chr)?(?:([0-9]+)|X|Y|M|MT)")
_C, _G = 1, 2


class CpgNumbers:
    """The numbers of a genome's CpGs. Making it reads the whole genome once; it keeps eight bytes for each `BLOCK`."""

    def __init__(self, genome: Genome):
        self._genome = genome
        self._counts: dict[str, np.ndarray] = {}
        total = 1
        for name in sorted(filter(_NUMBERED.fullmatch, genome.names), key=_order):
            number, length = genome.number(name), int(genome.lengths[genome.number(name)])
            blocks = [
                _count(genome.codes(number, start, min(start + BLOCK + 1, length))) for start in range(0, length, BLOCK)
            ]
            self._counts[name] = total + np.concatenate(([0], np.cumsum(blocks))).astype(np.int64)
            total = int(self._counts[name][-1])

    def of_contig(self, name: str) -> tuple[int, int] | None:
        """The first number of a contig's CpGs and the one after its last; None for a contig without numbers."""
        counts = self._counts.get(name)
        return None if counts is None else (int(counts[0]), int(counts[-1]))

    def owner(self, cpg: int) -> str | None:
        """The contig that a CpG is on; None for a number that no CpG has."""
        return next((name for name, counts in self._counts.items() if counts[0] <= cpg < counts[-1]), None)

    def before(self, contig: str, position: int) -> int:
        """The number of the first CpG whose C is at ``position`` or after it."""
        number, length = self._genome.number(contig), int(self._genome.lengths[self._genome.number(contig)])
        position = min(max(position, 0), length)
        block = min(position // BLOCK, len(self._counts[contig]) - 2)
        start = block * BLOCK
        if block < 0 or position == start:
            return int(self._counts[contig][max(block, 0)])
        codes = self._genome.codes(number, start, min(position + 1, length))
        return int(self._counts[contig][block]) + int(_count(codes))

    def positions(self, contig: str, first: int, end: int) -> np.ndarray:
        """int64: where the C of each CpG with a number in [first, end) is. They must be the contig's."""
        if first >= end:
            return np.empty(0, dtype=np.int64)
        counts = self._counts[contig]
        low = int(np.searchsorted(counts, first, side="right")) - 1
        high = int(np.searchsorted(counts, end, side="left"))
        number, length = self._genome.number(contig), int(self._genome.lengths[self._genome.number(contig)])
        start = low * BLOCK
        codes = self._genome.codes(number, start, min(high * BLOCK + 1, length))
        found = np.flatnonzero((codes[:-1] == _C) & (codes[1:] == _G)) + start
        return found[first - int(counts[low]) : end - int(counts[low])]


def _order(name: str) -> int:
    short = name.removeprefix("chr")
    return int(short) if short.isdigit() else {"X": 10**9, "Y": 10**9 + 1}.get(short, 10**9 + 2)


@njit(nogil=True, cache=True)
def _count(codes):
    count = 0
    for i in range(len(codes) - 1):
        count += codes[i] == _C and codes[i + 1] == _G
    return count
