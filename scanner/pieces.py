"""A piece: some consecutive tiles of one genome. It is what travels to a worker, and what is kept once it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .calling.annotations import Annotator
from .calling.intervals import RUN, Thresholds, reduce_runs, settled_calls
from .calling.levels import merge_levels
from .calling.peaks import reduce_bins
from .calling.repeats import Annotation
from .errors import Interrupted
from .inference.session import Model
from .pipeline import Found, tile_bins, tile_levels, tile_runs
from .reading.sequence import Reader, TileSequence, read_tile
from .reading.tiles import Tile

PIECE_SECONDS = 5.0
"""How long a piece should keep one thread busy: what a kill can cost it, and what bookkeeping is spread over."""
SHORTEST_SECONDS = 0.25
"""Below this, sharing out more evenly costs more than it gains."""
MOST_BASES = 2**25
MOST_ROWS = 2**18
"""Runs or levels that a piece should have in its result at most: about 10 MB, what is said of them included. What is
noisy comes in small pieces."""


@dataclass(frozen=True)
class Search:
    """What to look for: with which of the worker's models, by which thresholds (None: levels, not calls), and who says
    more of the calls (None: nobody)."""

    model: int
    thresholds: Thresholds | None
    annotator: Annotator | None = None


@dataclass(frozen=True)
class _Tiles:
    """Consecutive tiles, [first, last) by their indices."""

    tiles: tuple[Tile, ...]

    @property
    def first(self) -> int:
        return self.tiles[0].index

    @property
    def last(self) -> int:
        return self.tiles[-1].index + 1


@dataclass(frozen=True)
class Piece(_Tiles):
    """Consecutive tiles, and what to look for in them. Picklable."""

    searches: tuple[Search, ...]

    def __reduce__(self):
        # A hundred tiles of two small arrays each would keep pickle busy longer than all else that a piece needs.
        return _unpacked, (
            self.first,
            np.concatenate([tile.intervals for tile in self.tiles]),
            np.concatenate([tile.lengths for tile in self.tiles]),
            np.cumsum([len(tile.intervals) for tile in self.tiles]),
            [tile.continues for tile in self.tiles],
            self.searches,
        )

    @property
    def bases(self) -> int:
        return sum(tile.bases for tile in self.tiles)

    @property
    def start(self) -> tuple[int, int]:
        """Contig and position of its first base."""
        interval = self.tiles[0].intervals[0]
        return int(interval["contig"]), int(interval["start"])

    @property
    def end(self) -> tuple[int, int]:
        """Contig and position where it ends."""
        return _end_of(self.tiles[-1])

    def contigs(self) -> np.ndarray:
        """Numbers of the contigs it has intervals of, sorted, each once."""
        return np.unique(np.concatenate([tile.intervals["contig"] for tile in self.tiles]))


def _unpacked(
    first: int,
    intervals: np.ndarray,
    lengths: np.ndarray,
    ends: np.ndarray,
    continues: list[bool],
    searches: tuple[Search, ...],
) -> Piece:
    cut = [np.split(one, ends[:-1]) for one in (intervals, lengths)]
    numbers = range(first, first + len(ends))
    return Piece(tuple(map(Tile, numbers, *cut, continues)), searches)


def _end_of(tile: Tile) -> tuple[int, int]:
    interval = tile.intervals[-1]
    return int(interval["contig"]), int(interval["end"])


@dataclass(frozen=True)
class PieceResult:
    """What a piece yields: for each of its searches what `Found.found` is, in genome order, and counts.

    Tiles [first, last); ``end``: contig and position where the piece ends; ``seconds``: how long one thread took;
    ``kept``: an earlier run did it. ``annotations``: by the number of the search, of the calls that no other piece can
    change ('call' is an index in ``found``).
    """

    first: int
    last: int
    end: tuple[int, int]
    bases: int
    seconds: float
    found: tuple[np.ndarray, ...]
    windows: tuple[int, ...]
    skipped: tuple[int, ...]
    kept: bool = False
    annotations: Mapping[int, Annotation] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """Runs and levels in it; what is said of them counts by the room that it takes."""
        said = sum(array.nbytes for annotation in self.annotations.values() for array in annotation)
        return sum(map(len, self.found)) + said // RUN.itemsize


def run_piece(
    models: Sequence[Model] | Mapping[int, Model],
    genome: Reader | None,
    piece: Piece,
    stop: threading.Event,
    sequences: Sequence[TileSequence] | None = None,
) -> PieceResult:
    """Scan a piece on this thread. Each tile is read once, unless ``sequences`` holds them, and scanned by every model.

    Calls are not annotated where there are only ``sequences``, which need not hold what lies between two regions.
    Raises `Interrupted` soon after ``stop`` is set.
    """
    started = time.perf_counter()
    cards = [models[search.model].card for search in piece.searches]
    parts = [_Parts(search, piece.start) for search in piece.searches]
    for number, tile in enumerate(piece.tiles):
        if stop.is_set():
            raise Interrupted
        sequence = read_tile(genome, tile, cards) if sequences is None else sequences[number]
        for part in parts:
            part.add(_scan_tile(models[part.search.model], tile, sequence, part.search.thresholds, stop), _end_of(tile))
    found = tuple(part.reduced(piece.end) for part in parts)
    annotations = {} if genome is None else annotate_piece(piece, found, genome, stop)
    return PieceResult(
        piece.first,
        piece.last,
        piece.end,
        piece.bases,
        time.perf_counter() - started,
        found,
        tuple(part.windows for part in parts),
        tuple(part.skipped for part in parts),
        annotations=annotations,
    )


def annotate_piece(
    piece: Piece, found: Sequence[np.ndarray], genome: Reader, stop: threading.Event
) -> dict[int, Annotation]:
    """`PieceResult.annotations` for what was found in a piece. Raises `Interrupted` soon after ``stop`` is set."""
    annotations = {}
    for number, (search, runs) in enumerate(zip(piece.searches, found, strict=True)):
        if search.annotator is not None:
            calls = settled_calls(runs, search.thresholds, piece.start, piece.end)
            annotation = search.annotator.annotate(runs[calls], genome, stop)
            annotations[number] = search.annotator.joined([(annotation, calls)])
    return annotations


def _scan_tile(
    model: Model, tile: Tile, sequence: TileSequence, thresholds: Thresholds | None, stop: threading.Event
) -> Found:
    if thresholds is None:
        return tile_levels(model, tile, sequence, stop)
    if thresholds.prominence is not None:
        return tile_bins(model, tile, sequence, thresholds.extend, stop)
    return tile_runs(model, tile, sequence, thresholds.extend, stop)


class _Parts:
    """What one search has found so far in the tiles of a piece; reduced now and then, so that it stays small."""

    def __init__(self, search: Search, start: tuple[int, int]):
        self.search = search
        self.windows = self.skipped = 0
        self._start, self._parts, self._rows, self._limit = start, [], 0, MOST_ROWS

    def add(self, found: Found, end: tuple[int, int]) -> None:
        self.windows += found.windows
        self.skipped += found.skipped
        self._parts.append(found.found)
        self._rows += len(found.found)
        if self._rows > self._limit:
            self._parts = [self.reduced(end)]
            self._rows = len(self._parts[0])
            self._limit = max(MOST_ROWS, 2 * self._rows)

    def reduced(self, end: tuple[int, int]) -> np.ndarray:
        """What later stages need of all that was found up to ``end``."""
        found = np.concatenate(self._parts)
        if self.search.thresholds is None:
            return merge_levels(found)
        if self.search.thresholds.prominence is not None:
            return reduce_bins(found, self.search.thresholds, self._start, end)
        return reduce_runs(found, self.search.thresholds, self._start, end)


class Pace:
    """How many bases the next piece should have, so that it takes a thread some seconds and its result little memory.

    ``slots``: pieces that are worked on at a time; ``most``: says how many bases a piece may have at most.
    """

    def __init__(self, slots: int, most: Callable[[], int] = lambda: MOST_BASES):
        self.slots, self.most = slots, most
        self._bases, self._seconds, self._rows = 0, 0.0, 0
        self._lock = threading.Lock()

    def heard(self, result: PieceResult) -> None:
        """Learn from a finished piece; older ones count less and less."""
        with self._lock:
            self._bases = self._bases // 2 + result.bases
            self._seconds = self._seconds / 2 + result.seconds
            self._rows = self._rows // 2 + result.rows

    def wanted(self, remaining: int) -> int:
        """Bases for the next piece of a genome with this many left; towards its end they shrink, to end together."""
        with self._lock:
            rate = self._bases / self._seconds if self._seconds else 0.0
            most = min(MOST_BASES, self.most(), MOST_ROWS * self._bases / max(1, self._rows))
        shared = max(remaining / (2 * self.slots), SHORTEST_SECONDS * rate)
        return int(min(PIECE_SECONDS * rate, shared, most))


@dataclass(frozen=True)
class Finished(_Tiles):
    """Tiles that an earlier run has finished: to be read, not scanned."""


def cut_pieces(
    tiles: Iterator[Tile], bases: int, searches: tuple[Search, ...], finished: Mapping[int, int], pace: Pace
) -> Iterator[Piece | Finished]:
    """Pieces that hold all the tiles, in order; those that ``finished`` (first tile: tile after the last) has as such.

    bases: of all the tiles. The sizes of the others follow the pace at the time when they are asked for.
    """
    held: list[Tile] = []
    until: int | None = None
    wanted = size = 0
    for tile in tiles:
        if until is None and tile.index in finished:
            if held:
                yield Piece(tuple(held), searches)
                held = []
            until = finished[tile.index]
        if not held:
            wanted, size = pace.wanted(bases), 0
        held.append(tile)
        size += tile.bases
        bases -= tile.bases
        if until is not None:
            if tile.index + 1 == until:
                yield Finished(tuple(held))
                held, until = [], None
        elif size >= wanted:
            yield Piece(tuple(held), searches)
            held = []
    if held:
        yield Piece(tuple(held), searches)
