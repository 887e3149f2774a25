"""How contigs are cut into tiles, and tiles into the windows that the model reads.

Windows lie on a grid that starts at each contig's first base and knows nothing of tiles, regions or workers, so a
base's score is the same however the work was cut up. A tile is the unit of work that travels to a worker: a piece of
a long contig, or many short contigs packed together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ..card import ModelCard

INTERVAL = np.dtype([("contig", "i4"), ("start", "i8"), ("end", "i8")])
"""Bases [start, end) of the contig with this index, 0-based half-open."""


class Interval(NamedTuple):
    """Bases [start, end) of the contig with this index, 0-based half-open."""

    contig: int
    start: int
    end: int


@dataclass(frozen=True)
class Tile:
    """Work for one worker: intervals to be scored, in genome order."""

    index: int
    intervals: tuple[Interval, ...]

    @property
    def bases(self) -> int:
        return sum(interval.end - interval.start for interval in self.intervals)


def tile_size_for(card: ModelCard, batch_size: int, wanted: int) -> int:
    """``wanted`` bases rounded up to whole batches, so that long contigs leave no batch half empty."""
    batch = card.step * batch_size
    return max(-(-wanted // batch) * batch, -(-card.window // card.step) * card.step)


def cut_tiles(intervals: Iterable[Interval], tile_size: int, step: int) -> Iterator[Tile]:
    """Cut intervals at multiples of ``tile_size`` (itself a multiple of ``step``) and pack short ones together.

    Tiles come in the order of the intervals; every base of the intervals is in exactly one tile. An interval is cut
    only at grid positions of its contig, and a tile's intervals together hold at most ``tile_size`` bases of grid.
    """
    index, packed, room = 0, [], tile_size
    for contig, start, end in intervals:
        while start < end:
            cut = min(end, (start // tile_size + 1) * tile_size)
            size = -(-cut // step) * step - start // step * step
            if packed and size > room:
                yield Tile(index, tuple(packed))
                index, packed, room = index + 1, [], tile_size
            packed.append(Interval(contig, start, cut))
            room -= size
            start = cut
    if packed:
        yield Tile(index, tuple(packed))


class Windows(NamedTuple):
    """The windows that score one interval.

    starts: int64 (windows,), first base that each window reads; may be negative or pass the contig's end, what lies
        outside is N.
    size: bases that each window reads.
    bins: for per-window models, int64 (bins,): which window scores each bin; None for per-bin models.
    first: the first base of the first bin that the windows score.
    crop: bins to leave out on either side of each window's output.
    """

    starts: np.ndarray
    size: int
    bins: np.ndarray | None
    first: int
    crop: int


def windows_of(card: ModelCard, length: int, interval: Interval) -> Windows:
    """Windows whose scored middles cover ``interval`` of a contig of ``length`` bases.

    Per-bin models: window i scores [i * step, (i + 1) * step) and reads ``context`` more on either side; a contig
    that fits into one window gets one, as short as the card allows. Per-window models: bin i is scored by the window
    centred on it, moved inwards where it would leave the contig; bins that share a window share its run.
    """
    cells = np.arange(interval.start // card.step, -(-interval.end // card.step), dtype=np.int64)
    if card.task == "segmentation":
        if card.shortest_window is not None and length <= card.window:
            size = card.window
            while size // 2 >= max(length, card.shortest_window):
                size //= 2
            return Windows(np.zeros(1, dtype=np.int64), size, None, 0, 0)
        first = int(cells[0]) * card.step
        return Windows(cells * card.step - card.context, card.window, None, first, card.context // card.output.bin)
    starts = np.clip(cells * card.step - card.context, 0, max(0, length - card.window))
    unique, inverse = np.unique(starts, return_inverse=True)
    return Windows(unique, card.window, inverse, int(cells[0]) * card.step, 0)
