"""What a report says of a track, gathered while the track is read once: memory does not grow with its lines."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from .tracks import Level, Row

BINS = 240
"""Bins along the longest contig."""
MOST_CONTIGS = 24
_UPWARDS, _DOWNWARDS = 0, 1


@dataclass
class Density:
    """Along each of some contigs: a sum a bin, for what is drawn upwards (+ and no strand) and downwards (-).

    size: bases in a bin. sums: float64 (2, bins) by contig. elsewhere: lines on other contigs.
    """

    lengths: Mapping[str, int]
    size: int
    sums: dict[str, np.ndarray]
    elsewhere: int = 0

    @classmethod
    def of(cls, contigs: Mapping[str, int]) -> Density:
        """For the longest of some contigs (name: length in bases), in their order."""
        longest = sorted(contigs, key=contigs.__getitem__, reverse=True)[:MOST_CONTIGS]
        lengths = {name: length for name, length in contigs.items() if name in longest}
        size = max(1, -(-max(lengths.values(), default=1) // BINS))
        return cls(lengths, size, {name: np.zeros((2, -(-length // size))) for name, length in lengths.items()})

    def add(self, chrom: str, start: int, end: int, downwards: bool, value: float = 1.0) -> None:
        """Add ``value`` for each base of [start, end)."""
        sums = self.sums.get(chrom)
        if sums is None:
            self.elsewhere += 1
            return
        row = sums[_DOWNWARDS if downwards else _UPWARDS]
        first, last = start // self.size, (end - 1) // self.size
        if first == last:
            row[first] += (end - start) * value
            return
        row[first] += ((first + 1) * self.size - start) * value
        row[first + 1 : last] += self.size * value
        row[last] += (end - last * self.size) * value

    def shares(self, chrom: str) -> np.ndarray:
        """float64 (2, bins): the sums over the bases of each bin."""
        bins = self.sums[chrom].shape[1]
        sizes = np.full(bins, self.size)
        sizes[-1] = self.lengths[chrom] - (bins - 1) * self.size
        return self.sums[chrom] / sizes

    def most(self) -> float:
        """The highest share of all."""
        return max((float(np.abs(self.shares(name)).max()) for name in self.sums), default=0.0)


@dataclass
class CallStatistics:
    """Of calls: how many there are of each length, score, name and period, where they are, and which are the best."""

    density: Density
    lengths: Counter = field(default_factory=Counter)
    scores: Counter = field(default_factory=Counter)
    names: Counter = field(default_factory=Counter)
    periods: Counter = field(default_factory=Counter)
    top: list[Row] = field(default_factory=list)

    @property
    def calls(self) -> int:
        return self.lengths.total()

    def length_at(self, share: float) -> int:
        """The length in bases that this share of the calls does not exceed; 0 without calls."""
        reached = 0
        for length, count in sorted(self.lengths.items()):
            reached += count
            if reached >= share * self.calls:
                return length
        return 0


def call_statistics(rows: Iterable[Row], contigs: Mapping[str, int], columns: list[str], top: int) -> CallStatistics:
    """Statistics of calls. contigs: lengths by name; columns: names of the further columns; top: how many of the best,
    which are those of the highest scores, and of these the longest."""
    found = CallStatistics(Density.of(contigs))
    period = columns.index("period") if "period" in columns else None
    best: list[tuple[int, int, int, Row]] = []
    for number, row in enumerate(rows):
        length = row.end - row.start
        found.lengths[length] += 1
        found.scores[row.score] += 1
        found.names[row.name] += 1
        if period is not None:
            found.periods[int(row.more[period])] += 1
        found.density.add(row.chrom, row.start, row.end, row.strand == "-")
        entry = (row.score, length, -number, row)
        if len(best) < top:
            heapq.heappush(best, entry)
        elif entry > best[0]:
            heapq.heapreplace(best, entry)
    found.top = [row for *_, row in sorted(best, reverse=True)]
    return found


@dataclass
class LevelStatistics:
    """Of the raw scores of a channel: bases by score rounded to ``step``, and their mean along the contigs."""

    density: Density
    step: float
    bases: Counter = field(default_factory=Counter)


def level_statistics(
    files: Iterable[tuple[Iterable[Level], bool]], contigs: Mapping[str, int], step: float
) -> LevelStatistics:
    """Statistics of levels: of each file of a track, and whether it is of the minus strand."""
    found = LevelStatistics(Density.of(contigs), step)
    for levels, downwards in files:
        for level in levels:
            found.bases[round(level.score / step)] += level.end - level.start
            found.density.add(level.chrom, level.start, level.end, downwards, level.score)
    return found
