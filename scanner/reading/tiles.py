"""How contigs are cut into tiles, and tiles into the windows that a model reads.

Windows lie on a grid that starts at each contig's first base and knows nothing of tiles, regions or workers, so a
base's score is the same however the work was cut up. A tile is the unit of work that travels to a worker: a piece of
a long contig, or many short contigs packed together. All that is said of a tile's intervals, windows and bins is said
in flat arrays, so that a genome in a million contigs costs no loop in Python.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numba import njit

from ..card import ModelCard

INTERVAL = np.dtype([("contig", "i4"), ("start", "i8"), ("end", "i8")])
"""Bases [start, end) of the contig with this index, 0-based half-open."""

SHORT_WINDOWS = 4
"""A tile holds so many times as much in short windows as in whole ones: windows of one size share batches, and of each
of their several sizes a tile's last batch is not full."""

_FIRST_GUESS = 1024
_LARGEST_COMMON = 4


@dataclass(frozen=True)
class Tile:
    """Work for one worker: intervals to be scored.

    intervals: INTERVAL (intervals,), in genome order.
    lengths: int64 (intervals,), bases in the contig of each.
    continues: whether the first interval goes on where the tile before ended.
    """

    index: int
    intervals: np.ndarray
    lengths: np.ndarray
    continues: bool = False

    @property
    def bases(self) -> int:
        return int((self.intervals["end"] - self.intervals["start"]).sum())


def tile_size_for(models: Sequence[tuple[ModelCard, int]], wanted: int) -> int:
    """``wanted`` bases rounded up so that long contigs leave no batch of the models (card, batch size) half empty.

    A multiple of every model's batch, or, where the smallest of those is more than four times what is wanted, of the
    largest batch only. At least a window, so that contigs that fit into one are not cut.
    """
    batches = [card.step * batch_size for card, batch_size in models]
    common = math.lcm(*batches)
    unit = common if common <= _LARGEST_COMMON * wanted else max(batches)
    return -(-max(wanted, *(card.window for card, _ in models)) // unit) * unit


def cut_tiles(intervals: np.ndarray, lengths: np.ndarray, tile_size: int, cards: Sequence[ModelCard]) -> Iterator[Tile]:
    """Cut intervals at multiples of ``tile_size`` and pack short ones together.

    intervals: INTERVAL (intervals,), in genome order, apart from each other; empty ones are passed over.
    lengths: int64 (contigs,), bases of the genome's contigs.
    cards: of all the models that will read the tiles.

    Tiles come in the order of the intervals; every base of the intervals is in exactly one tile. Tiles of several
    intervals hold at most ``tile_size`` bases to be scored, counted as each model counts them: whole steps of its grid,
    or a quarter (`SHORT_WINDOWS`) of the short window that a short contig gets.
    """
    models = np.array([(card.step, card.window, card.shortest_window or 0) for card in cards], dtype=np.int64)
    pieces = np.empty(_FIRST_GUESS, dtype=INTERVAL)
    index, at, begin = 0, 0, 0
    while True:
        count, next_at, next_begin = _next_tile(intervals, lengths, at, begin, tile_size, models, pieces)
        if count > len(pieces):
            pieces = np.empty(2 * count, dtype=INTERVAL)
            continue
        if count == 0:
            return
        chosen = pieces[:count].copy()
        yield Tile(index, chosen, lengths[chosen["contig"]], bool(begin > intervals["start"][at]))
        index, at, begin = index + 1, next_at, next_begin


@njit(nogil=True, cache=True)
def _short_window(length, window, shortest):
    """The window for a contig that fits into one: as short as the model allows."""
    while window // 2 >= max(length, shortest):
        window //= 2
    return window


@njit(nogil=True, cache=True)
def _next_tile(intervals, lengths, at, begin, tile_size, models, pieces):
    """Fill ``pieces`` with a tile's intervals, from base ``begin`` of interval ``at`` on (0: from its start).

    Returns how many there are (where they are too many for ``pieces``, the rest is not written), and the interval and
    base that the next tile begins with.
    """
    count, room = 0, tile_size
    while at < len(intervals):
        contig, start, end = intervals[at].contig, max(begin, intervals[at].start), intervals[at].end
        while start < end:
            cut = min(end, (start // tile_size + 1) * tile_size)
            size = 0
            for model in range(len(models)):
                step, window, shortest = models[model]
                if shortest and lengths[contig] <= window:
                    taken = max(1, _short_window(lengths[contig], window, shortest) // SHORT_WINDOWS)
                else:
                    taken = -(-cut // step) * step - start // step * step
                size = max(size, taken)
            if count and size > room:
                return count, at, start
            if count < len(pieces):
                pieces[count].contig, pieces[count].start, pieces[count].end = contig, start, cut
            count += 1
            room -= size
            start = cut
        at, begin = at + 1, 0
    return count, at, 0


class Bins(NamedTuple):
    """The bins of a tile's intervals, one after the other: each interval has consecutive bins of ``size`` bases.

    intervals: INTERVAL (intervals,); bins may reach beyond them, into what another interval asks for or nobody does.
    firsts: int64 (intervals,), the first base of each interval's first bin.
    offsets: int64 (intervals + 1,): interval i has the bins from offsets[i] to offsets[i + 1].
    """

    intervals: np.ndarray
    firsts: np.ndarray
    offsets: np.ndarray
    size: int


class Windows(NamedTuple):
    """The windows that score a tile, interval by interval, each from left to right.

    intervals: int64 (windows,), the number of the interval that each scores.
    starts: int64 (windows,), the first base that each reads; may be negative, or pass the contig's end: what lies
        outside is N.
    sizes: int64 (windows,), bases that each reads.
    borders: int64 (windows + 1,): window i scores the bins from borders[i] to borders[i + 1].
    repeated: bool (windows,), those that an earlier piece of the same interval has scored too.
    bins: what is scored.
    """

    intervals: np.ndarray
    starts: np.ndarray
    sizes: np.ndarray
    borders: np.ndarray
    repeated: np.ndarray
    bins: Bins


def windows_of(card: ModelCard, tile: Tile) -> Windows:
    """Windows whose scored middles cover the tile's intervals.

    Per-bin models: window i scores [i * step, (i + 1) * step) and reads ``context`` more on either side; a contig
    that fits into one window gets one, as short as the card allows. Per-window models: bin i is scored by the window
    centred on it, moved inwards where it would leave the contig; bins that share a window share its run.
    """
    first_cells = tile.intervals["start"] // card.step
    cells = -(-tile.intervals["end"] // card.step) - first_cells
    if card.task == "segmentation":
        return _grid_of_bins(card, tile, first_cells, cells)
    numbers, cell = _expand(first_cells, cells)
    starts = _inner_start(card, cell, tile.lengths[numbers])
    new = np.ones(len(cell), dtype=bool)
    new[1:] = (starts[1:] != starts[:-1]) | (numbers[1:] != numbers[:-1])
    chosen = np.flatnonzero(new)
    intervals, starts = numbers[chosen], starts[chosen]
    earlier = _inner_start(card, (tile.intervals["start"] - 1) // card.step, tile.lengths)
    repeated = _continued(tile)[intervals] & (starts == earlier[intervals])
    bins = Bins(tile.intervals, first_cells * card.step, _offsets(cells), card.step)
    sizes = np.full(len(starts), card.window, dtype=np.int64)
    return Windows(intervals, starts, sizes, np.append(chosen, len(cell)), repeated, bins)


def _grid_of_bins(card: ModelCard, tile: Tile, first_cells: np.ndarray, cells: np.ndarray) -> Windows:
    """`windows_of` for per-bin models."""
    sizes, kept = np.full(len(cells), card.window, dtype=np.int64), np.full(len(cells), card.step, dtype=np.int64)
    short = np.zeros(len(cells), dtype=bool)
    if card.shortest_window is not None:
        short = tile.lengths <= card.window
        cells, first_cells = np.where(short, 1, cells), np.where(short, 0, first_cells)
        halved = card.window
        while halved // 2 >= card.shortest_window:
            sizes[tile.lengths <= halved // 2] = halved // 2
            halved //= 2
        kept = np.where(short, sizes, kept)
    intervals, cell = _expand(first_cells, cells)
    starts = np.where(short[intervals], 0, cell * card.step - card.context)
    edge = (tile.intervals["start"] % card.step != 0) | short
    repeated = (_continued(tile) & edge)[intervals] & (cell == first_cells[intervals])
    kept //= card.output.bin
    bins = Bins(tile.intervals, first_cells * card.step, _offsets(kept * cells), card.output.bin)
    return Windows(intervals, starts, sizes[intervals], _offsets(kept[intervals]), repeated, bins)


def _inner_start(card: ModelCard, cell: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Where the window for a cell starts, in a per-window model."""
    return np.clip(cell * card.step - card.context, 0, np.maximum(0, lengths - card.window))


def _continued(tile: Tile) -> np.ndarray:
    """bool (intervals,): those that go on where the one before, here or in the tile before, was cut."""
    intervals, found = tile.intervals, np.empty(len(tile.intervals), dtype=bool)
    found[:1] = tile.continues
    same = intervals["contig"][1:] == intervals["contig"][:-1]
    found[1:] = same & (intervals["start"][1:] == intervals["end"][:-1])
    return found


def _offsets(counts: np.ndarray) -> np.ndarray:
    """int64 (counts + 1,): where each begins when they lie one after the other."""
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(counts)))


def _expand(firsts: np.ndarray, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The numbers from firsts[i] on, counts[i] of them, for every i, and each one's i."""
    owners = np.repeat(np.arange(len(counts)), counts)
    return owners, np.arange(len(owners)) - (_offsets(counts)[:-1] - firsts)[owners]
