"""Sequenced reads as the CpGs that they tell of: what all formats of methylation samples become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Region(NamedTuple):
    """Bases [start, end) of a contig, 0-based half-open."""

    contig: str
    start: int
    end: int


class MethylationReads(NamedTuple):
    """Reads of one contig and the CpGs that each tells of, at least one each, ordered by start, then by end.

    contig: its name.
    starts, ends: int64 (reads,), the bases that a read covers on the reference, its CpGs among them.
    offsets: int64 (reads + 1,): the CpGs of read i are positions[offsets[i]:offsets[i + 1]].
    positions: int64 (CpGs,), of the C on the forward strand, ascending within a read.
    states: uint8 (CpGs,), 0 unmethylated, 1 methylated.
    counts: int64 (reads,), identical reads that this one stands for.
    """

    contig: str
    starts: np.ndarray
    ends: np.ndarray
    offsets: np.ndarray
    positions: np.ndarray
    states: np.ndarray
    counts: np.ndarray

    @classmethod
    def empty(cls, contig: str) -> MethylationReads:
        none = np.empty(0, dtype=np.int64)
        return cls(contig, none, none, np.zeros(1, dtype=np.int64), none, np.empty(0, dtype=np.uint8), none)

    def take(self, numbers: np.ndarray) -> MethylationReads:
        """The reads with these numbers, int64 or bool as an index, in this order."""
        sizes, starts = np.diff(self.offsets)[numbers], self.offsets[:-1][numbers]
        offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes)))
        sites = np.arange(offsets[-1]) + np.repeat(starts - offsets[:-1], sizes)
        return MethylationReads(
            self.contig,
            self.starts[numbers],
            self.ends[numbers],
            offsets,
            self.positions[sites],
            self.states[sites],
            self.counts[numbers],
        )


def joined(parts: Sequence[MethylationReads]) -> MethylationReads:
    """Reads of one contig, at least one part, as one."""
    sizes = np.concatenate([np.diff(part.offsets) for part in parts])
    return MethylationReads(
        parts[0].contig,
        np.concatenate([part.starts for part in parts]),
        np.concatenate([part.ends for part in parts]),
        np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(sizes))),
        np.concatenate([part.positions for part in parts]),
        np.concatenate([part.states for part in parts]),
        np.concatenate([part.counts for part in parts]),
    )


@dataclass
class Tally:
    """What became of a sample's records as they were read; those read twice, as regions may ask, count twice.

    records: in the whole file, where it is known. looked_at: those that overlap with what was asked for. low_quality:
    of these, left out for their mapping quality or their flags. without_calls: tell nothing of methylation.
    unusable_tags: their tags cannot be about their letters; ``first_unusable`` says which was the first, and why.
    without_cpg: reads on no CpG whose methylation they tell.
    """

    records: int | None = None
    looked_at: int = 0
    low_quality: int = 0
    without_calls: int = 0
    unusable_tags: int = 0
    without_cpg: int = 0
    first_unusable: str = ""
