"""The bases that a tile's windows read, in one flat array, and the windows cut out of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numba import njit

from ..card import ModelCard
from .tiles import Tile, Windows, windows_of

UNKNOWN = np.uint8(4)


class Reader(Protocol):
    """Anything that gives bases [start, end) of a contig as uint8: a `Genome`, or a part of one."""

    def codes(self, contig: int, start: int, end: int) -> np.ndarray: ...


class TileSequence(NamedTuple):
    """Codes of all that a tile's windows read inside of their contigs; what lies outside of them is unknown.

    codes: uint8, the intervals' one after the other.
    offsets: int64 (intervals + 1,): those of interval i are codes[offsets[i]:offsets[i + 1]].
    firsts: int64 (intervals,), the contig position of each interval's first code.
    """

    codes: np.ndarray
    offsets: np.ndarray
    firsts: np.ndarray


def read_tile(genome: Reader, tile: Tile, cards: Sequence[ModelCard]) -> TileSequence:
    """Read once what the windows of all these models need; bins lie within the windows that score them."""
    firsts, ends = tile.intervals["start"].copy(), tile.intervals["end"].copy()
    for card in cards:
        windows = windows_of(card, tile)
        left = np.concatenate(([True], windows.intervals[1:] != windows.intervals[:-1]))
        right = np.append(left[1:], True)
        firsts = np.minimum(firsts, windows.starts[left])
        ends = np.maximum(ends, windows.starts[right] + windows.sizes[right])
    firsts, ends = np.maximum(firsts, 0), np.minimum(ends, tile.lengths)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(ends - firsts)))
    codes = np.empty(offsets[-1], dtype=np.uint8)
    places = tile.intervals["contig"].tolist(), firsts.tolist(), ends.tolist(), offsets[:-1].tolist()
    for contig, first, end, offset in zip(*places, strict=True):
        codes[offset : offset + end - first] = genome.codes(contig, first, end)
    return TileSequence(codes, offsets, firsts)


def gather(sequence: TileSequence, windows: Windows, chosen: np.ndarray, out: np.ndarray) -> None:
    """Fill uint8 (chosen, size) with the codes of the chosen windows (their numbers), all of one size."""
    _gather(*sequence, windows.intervals, windows.starts, chosen, out)


@njit(nogil=True, cache=True)
def _gather(codes, offsets, firsts, intervals, starts, chosen, out):
    size = out.shape[1]
    for row in range(len(chosen)):
        interval, start = intervals[chosen[row]], starts[chosen[row]]
        begin = firsts[interval] - start
        shift = offsets[interval] - begin
        inside = max(0, begin)
        end = min(size, begin + offsets[interval + 1] - offsets[interval])
        for i in range(inside):
            out[row, i] = UNKNOWN
        for i in range(inside, end):
            out[row, i] = codes[shift + i]
        for i in range(max(inside, end), size):
            out[row, i] = UNKNOWN


def unknown_bases(sequence: TileSequence, windows: Windows, margins: np.ndarray) -> np.ndarray:
    """int64 (windows,): unknown bases in each window, without ``margins`` int64 (windows,) bases on either side."""
    counts = np.empty(len(windows.starts), dtype=np.int64)
    begins, ends = windows.starts + margins, windows.starts + windows.sizes - margins
    _count_unknown(*sequence, windows.intervals, begins, ends, counts)
    return counts


@njit(nogil=True, cache=True)
def _known(codes, start, end):
    count = 0
    for i in range(start, end):
        count += codes[i] < UNKNOWN
    return count


@njit(nogil=True, cache=True)
def _count_unknown(codes, offsets, firsts, intervals, begins, ends, counts):
    owner, low, high, known = -1, 0, 0, 0
    for i in range(len(begins)):
        interval = intervals[i]
        shift = offsets[interval] - firsts[interval]
        begin = min(max(begins[i] + shift, offsets[interval]), offsets[interval + 1])
        end = max(begin, min(ends[i] + shift, offsets[interval + 1]))
        if interval == owner and begin < high:  # it overlaps with the one before: count only what differs
            known += _known(codes, high, end) - _known(codes, low, begin)
        else:
            known = _known(codes, begin, end)
        owner, low, high = interval, begin, end
        counts[i] = ends[i] - begins[i] - known
