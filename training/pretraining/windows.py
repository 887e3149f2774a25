"""Windows drawn from a genome, each a pure function of seed, epoch and number."""

from __future__ import annotations

import numpy as np

from ...scanner.errors import UsageError
from ...scanner.reading.genome import Genome
from ...scanner.reading.regions import Contigs, bed_intervals, merge_intervals
from ...scanner.reading.tiles import INTERVAL

HELD_OUT = 0.1
"""Share of each contig, at its end, from which validation windows come."""
_TRIES = 100


def allowed_stretches(genome: Genome, source: str, exclude: str, size: int, held_out: bool) -> np.ndarray:
    """INTERVAL (stretches,) of ``size`` bases or more outside of the BED ``exclude``: of the first nine tenths of each
    contig, or of the rest. `UsageError` where there is none."""
    lengths = np.asarray(genome.lengths, dtype=np.int64)
    border = (lengths * (1 - HELD_OUT)).astype(np.int64)
    parts = np.empty(len(lengths), dtype=INTERVAL)
    parts["contig"] = np.arange(len(lengths))
    parts["start"], parts["end"] = (border, lengths) if held_out else (np.zeros_like(border), border)
    if exclude:
        taken = list(bed_intervals(exclude, Contigs.of(genome.names, genome.lengths, source)))
        parts = without(parts, merge_intervals(np.concatenate(taken)) if taken else np.empty(0, dtype=INTERVAL))
    parts = parts[parts["end"] - parts["start"] >= size]
    if not len(parts):
        which = "last tenths" if held_out else "first nine tenths"
        raise UsageError(f"{source}: no stretch of {size:,} bases in the {which} of its contigs: give a larger genome")
    return parts


def without(parts: np.ndarray, taken: np.ndarray) -> np.ndarray:
    """What of the INTERVAL array ``parts`` lies outside of ``taken``, which is merged and sorted."""
    found = []
    for part in parts:
        begin = int(part["start"])
        inside = taken[(taken["contig"] == part["contig"]) & (taken["end"] > begin) & (taken["start"] < part["end"])]
        for one in inside:
            found.append((part["contig"], begin, max(begin, int(one["start"]))))
            begin = max(begin, int(one["end"]))
        found.append((part["contig"], begin, max(begin, int(part["end"]))))
    left = np.array(found, dtype=INTERVAL)
    return left[left["end"] > left["start"]]


class WindowReader:
    """Windows of ``size`` bases of stretches, all places alike, with at most a share of N."""

    def __init__(self, genome: Genome, stretches: np.ndarray, size: int, max_unknown: float, source: str):
        self.genome, self.stretches, self.size = genome, stretches, size
        self.max_unknown, self.source = max_unknown, source
        self.places = np.cumsum(stretches["end"] - stretches["start"] - size + 1)

    def draw(self, generator: np.random.Generator) -> np.ndarray:
        """uint8 (size,) of a place at random; `UsageError` where a hundred of them are mostly N."""
        for _ in range(_TRIES):
            place = int(generator.integers(self.places[-1]))
            stretch = int(np.searchsorted(self.places, place, side="right"))
            start = place - (int(self.places[stretch - 1]) if stretch else 0) + int(self.stretches["start"][stretch])
            codes = self.genome.codes(int(self.stretches["contig"][stretch]), start, start + self.size)
            if (codes > 3).mean() <= self.max_unknown:
                return codes
        raise UsageError(f"{self.source}: {_TRIES} windows in a row have too many N: is it masked?")
