"""Samples of methylation, of whatever format, opened to be read region by region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Protocol

from ..genome import Genome
from .reads import MethylationReads, Region


class Sample(Protocol):
    """A sample's reads by region. ``source``: its path as it was given. Close it after use."""

    source: str

    def reads(self, regions: Iterable[Region] | None = None) -> Iterator[MethylationReads]:
        """The reads of each region, in this order: those that overlap with it. None: all, contig by contig, in pieces.

        Raises `GenoscanError` naming the file, and the record, for what cannot be read.
        """

    def close(self) -> None: ...


def open_sample(path: str | Path, genome: Genome | None = None) -> Sample:
    """Open a BAM or CRAM with methylation, a .pat or a bedMethyl, plain or gzip, told by what it holds.

    ``genome``: the assembly that the sample is of; without one only a .pat can be opened, for its CpGs by number.
    """
    raise NotImplementedError
