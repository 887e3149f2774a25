"""Sequenced reads to a model's windows: the reference around each read, with marks of the CpGs that it tells of."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from .encoding.kmers_methylation import METHYLATED, UNMETHYLATED
from .reading.genome import Genome
from .reading.methylation.reads import MethylationReads
from .reading.sequence import UNKNOWN


class ReadWindows(NamedTuple):
    """Windows of reads of one contig, read by read, from left to right.

    reads: int64 (windows,), the number of the read that a window is of.
    starts: int64 (windows,), a window's first base on the contig; may be negative.
    first_sites, end_sites: int64 (windows,): a window's CpGs are the reads' numbers [first, end); at least one.
    """

    reads: np.ndarray
    starts: np.ndarray
    first_sites: np.ndarray
    end_sites: np.ndarray

    @property
    def cpgs(self) -> np.ndarray:
        """int64 (windows,): CpGs that each tells of."""
        return self.end_sites - self.first_sites

    def take(self, numbers: np.ndarray) -> ReadWindows:
        """Some of the windows."""
        return ReadWindows(*(column[numbers] for column in self))


def read_windows(reads: MethylationReads, window: int) -> ReadWindows:
    """Windows of ``window`` bases with a read in the middle of each.

    A read of n bases is cut into ceil(n / window) parts as equal as can be, each a read of its own; parts without a
    CpG have no window. Part [a, b) lies in the window that begins at a - (window - (b - a)) // 2.
    """
    lengths = reads.ends - reads.starts
    parts = np.maximum(1, -(-lengths // window))
    owners = np.repeat(np.arange(len(parts)), parts)
    numbers = np.arange(len(owners)) - np.repeat(np.cumsum(parts) - parts, parts)
    begins = reads.starts[owners] + numbers * lengths[owners] // parts[owners]
    ends = reads.starts[owners] + (numbers + 1) * lengths[owners] // parts[owners]
    first_sites, end_sites = np.empty_like(owners), np.empty_like(owners)
    _find_sites(reads.offsets, reads.positions, owners, ends, first_sites, end_sites)
    starts = begins - (window - (ends - begins)) // 2
    return ReadWindows(owners, starts, first_sites, end_sites).take(first_sites < end_sites)


@njit(nogil=True, cache=True)
def _find_sites(offsets, positions, owners, ends, first_sites, end_sites):
    at = 0
    for part in range(len(owners)):
        owner = owners[part]
        at = max(at, offsets[owner])
        first_sites[part] = at
        while at < offsets[owner + 1] and positions[at] < ends[part]:
            at += 1
        end_sites[part] = at


def marked_windows(genome: Genome, reads: MethylationReads, windows: ReadWindows, window: int) -> np.ndarray:
    """Marked codes (`encoding.kmers_methylation`) uint8 (windows, window) of the genome's bases; N beyond the contig.

    Raises KeyError for a contig that the genome does not have.
    """
    codes = np.full((len(windows.starts), window), UNKNOWN, dtype=np.uint8)
    if not len(codes):
        return codes
    contig = genome.number(reads.contig)
    length = int(genome.lengths[contig])
    for some in _close_together(windows.starts, window):
        first = max(0, int(windows.starts[some].min()))
        end = min(length, int(windows.starts[some].max()) + window)
        bases = genome.codes(contig, first, max(first, end))
        _cut(bases, first, windows.starts, some, codes)
    _mark_states(reads, windows, codes)
    return codes


def windows_on(bases: np.ndarray, first: int, reads: MethylationReads, windows: ReadWindows, window: int) -> np.ndarray:
    """`marked_windows` where no genome is at hand, but bases uint8 about the reads, the first of which has the position
    ``first`` on the contig; N beyond them."""
    codes = np.full((len(windows.starts), window), UNKNOWN, dtype=np.uint8)
    _cut(bases, first, windows.starts, np.arange(len(codes)), codes)
    _mark_states(reads, windows, codes)
    return codes


def _mark_states(reads: MethylationReads, windows: ReadWindows, codes: np.ndarray) -> None:
    marks = np.array([UNMETHYLATED, METHYLATED], dtype=np.uint8)[reads.states]
    _mark(reads.positions, marks, windows.starts, windows.first_sites, windows.end_sites, codes)


_FAR = 1 << 16
"""Windows at least so many bases apart are read one by one from the genome, not all between them."""


def _close_together(starts: np.ndarray, window: int) -> list[np.ndarray]:
    """Numbers of windows, grouped so that no group has a wide stretch without windows."""
    order = np.argsort(starts, kind="stable")
    return np.split(order, np.flatnonzero(np.diff(starts[order]) > window + _FAR) + 1)


@njit(nogil=True, cache=True)
def _cut(bases, first, starts, chosen, codes):
    for row in chosen:
        for i in range(codes.shape[1]):
            at = starts[row] + i - first
            if 0 <= at < len(bases):
                codes[row, i] = bases[at]


@njit(nogil=True, cache=True)
def _mark(positions, marks, starts, first_sites, end_sites, codes):
    for row in range(len(starts)):
        for site in range(first_sites[row], end_sites[row]):
            at = positions[site] - starts[row]
            if 0 <= at < codes.shape[1] and codes[row, at] == 1:
                codes[row, at] += marks[site]
